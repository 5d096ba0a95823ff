// One dead letter: why, what a replay would make of it now, and its bytes. It is fetched when it is opened.
import { h, attr, fill, text, icon, copyButton } from './dom.js';
import { at, bytes as size, exact, num, stamp } from './format.js';
import { api, sentence } from './api.js';
import { cut } from './chart.js';
import { bytesOf, clean, cutNote, hex, marked, textOf, view } from './bytes.js';

const GOOD = ['forwarded', 'late', 'filtered', 'counted'];
const short = (v, n) => cut(clean(v), n);
const show = v => (v === undefined ? 'not there' : typeof v === 'string' ? v : JSON.stringify(v));

// What an expression read: path = value.
export const inputs = list =>
  h(
    'p.inputs.mono',
    (list || []).map(v =>
      h('span', h('span.muted', `${v.path ?? v.name} = `), clean(v.value === undefined ? 'not there' : JSON.stringify(v.value)))
    )
  );

export class LetterPane {
  constructor({ store, act, replay }) {
    Object.assign(this, { store, act, replay, letter: null, view: 'text' });
    this.el = h('div.letter');
  }

  async open(item) {
    this.letter = item;
    this.paint(item, null);
    const answer = await api.letter(item.id);
    if (this.letter !== item) return;
    this.paint({ ...item, ...(answer.problem ? {} : answer) }, answer.problem || null, true);
  }
  // After a login there may be more to see.
  again() {
    if (this.letter) this.open(this.letter);
  }

  paint(l, problem, whole) {
    const may = this.store.session.may_change;
    const why = l.reason || (whole && !this.store.session.may_read ? 'The message may hold values of the event and is withheld.' : '');
    fill(
      this.el,
      h(
        'div.letter-head',
        h('div', h('h3', h('span.stage-tag', l.stage), h('span.mono', l.code)), h('p.letter-why', clean(why))),
        h(
          'div.letter-tools',
          h('button.button.primary', { disabled: !may, onclick: () => this.replay(l) }, icon('replay'), 'Replay'),
          h('button.button', { onclick: () => this.act.explain(l.source.partition, l.source.offset) }, 'Explain')
        )
      ),
      l.replay &&
        h(
          'p',
          { class: `verdict${GOOD.includes(l.replay.outcome) ? ' verdict-good' : ''}` },
          icon(GOOD.includes(l.replay.outcome) ? 'ok' : 'warn'),
          h('span', l.replay.text)
        ),
      l.expression && this.failing(l),
      this.content(l, problem, whole),
      this.facts(l)
    );
  }

  // The failing expression in its line of the file, if the file that is loaded still has it there.
  failing(l) {
    const p = this.store.pipeline;
    const line = p && l.line ? p.text.split('\n')[l.line - 1] : undefined;
    const from = line === undefined ? -1 : line.indexOf(l.expression);
    const code =
      from < 0
        ? [h('span.code-no'), h('span', l.expression)]
        : [
            h('span.code-no', String(l.line)),
            h('span', line.slice(0, from), h('mark', l.expression), line.slice(from + l.expression.length))
          ];
    const where = from < 0 ? 'Failing expression' : `Failing expression, ${p.file} line ${l.line}`;
    return h(
      'div.fail',
      h('h4', where),
      h('pre.code', { tabindex: '0', 'aria-label': where }, code),
      l.inputs && l.inputs.length > 0 && inputs(l.inputs)
    );
  }

  content(l, problem, whole) {
    const data = bytesOf(l, 'value');
    const heading = h('h4', 'Original bytes ', h('span.muted', size(l.bytes)));
    if (!data) {
      const say = problem
        ? sentence(problem)
        : !whole
          ? 'Reading it from the topic…'
          : this.store.session.may_read
            ? 'The record has no value.'
            : 'Raw content is shown only with the token, or on the machine itself.';
      return h('div.fail', h('div.fail-head', heading), h('p.empty-line', say));
    }
    const box = view('Original bytes');
    const paint = () => {
      attr(box, 'data-view', this.view);
      if (this.view === 'hex') text(box, hex(data));
      else fill(box, marked(data, l.at, l.until));
    };
    const views = h('div.segments', { role: 'group', 'aria-label': 'Show as' });
    const choice = (name, label) =>
      h('button.segment', {
        'aria-pressed': String(this.view === name),
        text: label,
        onclick: e => {
          this.view = name;
          for (const b of views.children) attr(b, 'aria-pressed', String(b === e.currentTarget));
          paint();
        }
      });
    views.append(choice('text', 'Text'), choice('hex', 'Hex'));
    paint();
    const notes = [l.truncated && `Cut off when it was rejected: the event had ${size(l.truncated)}.`, cutNote(data)].filter(Boolean);
    return h(
      'div.fail',
      h(
        'div.fail-head',
        heading,
        views,
        copyButton(() => textOf(data))
      ),
      box,
      notes.map(n => h('p.muted', n))
    );
  }

  facts(l) {
    const key = bytesOf(l, 'key');
    // Said above in words.
    const own = name => name.startsWith('__connect.errors.') || name.startsWith('stream-engine.');
    const headers = (l.headers || []).filter(x => !own(x.name)).map(x => [x.name, show(x.value ?? x.value_base64)]);
    const list = [
      ['Source', `${l.source.topic}, partition ${l.source.partition}, offset ${exact(l.source.offset)}`],
      key && ['Key', textOf(key)],
      ['Rejected', `${stamp(at(l.failed_at))} UTC`],
      ['Replayed', l.replays ? `${num(l.replays)}×` : 'never'],
      l.late_for && l.late_for.length > 0 && ['Missed', l.late_for.join(', ')],
      ['Letter', l.id],
      ...headers
    ].filter(Boolean);
    return h(
      'dl.pairs',
      list.map(([k, v]) => h('div', h('dt', short(k, 40)), h('dd.mono', { title: clean(v) }, short(v, 400))))
    );
  }
}
