// Reload of the pipeline file: what changed, or what is wrong with it.
import { h, text, fill } from './dom.js';
import { at, plural, time } from './format.js';
import { api, sentence } from './api.js';
import { heading, open } from './dialogs.js';

function mistake(e) {
  // Columns count characters, not UTF-16 units.
  const letters = [...(e.source || '')];
  const part = (from, to) => letters.slice(from, to).join('');
  const from = Math.max(0, (e.column || 1) - 1);
  const to = from + Math.max(1, e.length || 1);
  return h(
    'li.yaml-error',
    h('p', h('strong', e.line ? `Line ${e.line}, column ${e.column}: ` : ''), e.message),
    letters.length > 0 &&
      h(
        'pre.code.caret',
        { tabindex: '0' },
        h('span.code-no', String(e.line)),
        h('span', part(0, from), h('mark', part(from, to) || ' '), part(to))
      ),
    e.hint && h('p.muted', e.hint)
  );
}
function changes(list) {
  const head = ['Changed', 'From', 'To'].map(t => h('th', { scope: 'col', text: t }));
  const row = c => h('tr', h('td.mono', c.what), h('td.mono.muted', c.from || '–'), h('td.mono', c.to || '–'));
  return h('div.table-wrap', h('table.table.wraps', h('thead', h('tr', head)), h('tbody', list.map(row))));
}

// refused is told of the mistakes of the file on disk, or of none.
export async function reload({ status, pipeline }, refused) {
  const body = h('div.dialog-body', { 'aria-live': 'polite' }, h('p.muted', `Checking ${pipeline.file}…`));
  const buttons = h('div.dialog-buttons', h('button.button', { text: 'Close', autofocus: true, onclick: () => el.close() }));
  const title = heading('reload-h', `Reload ${pipeline.file}`);
  const el = open(h('dialog.dialog.wide', { 'aria-labelledby': 'reload-h' }, title, body, buttons));
  const answer = await api.reload();
  if (!el.isConnected) return;
  const loaded = () => time(at(pipeline.loaded_at));
  const again = () =>
    h('button.button', {
      text: 'Check again',
      onclick: () => {
        el.close();
        reload({ status, pipeline }, refused);
      }
    });
  if (!answer.problem) {
    refused([]);
    text(title, `${pipeline.file} is loaded`);
    const same = !answer.changed || !answer.changed.length;
    fill(
      body,
      h(
        'p',
        same
          ? `Nothing in it has changed. ${status.replica} goes on as before.`
          : `${status.replica} uses it from the next batch on. The other replicas watch their own copy of the file.`
      ),
      !same && changes(answer.changed)
    );
    return;
  }
  text(title, `${pipeline.file} was not loaded`);
  const errors = answer.problem.errors || [];
  if (errors.length) refused(errors);
  fill(
    body,
    errors.length
      ? h(
          'p',
          `${plural(errors.length, 'mistake')}. Nothing has changed: ${status.replica} goes on with the file loaded at `,
          loaded(),
          ' UTC.'
        )
      : h('p', `${sentence(answer.problem)} ${status.replica} goes on with the file loaded at `, loaded(), ' UTC.'),
    h('ol.yaml-errors', errors.map(mistake))
  );
  buttons.prepend(again());
}
