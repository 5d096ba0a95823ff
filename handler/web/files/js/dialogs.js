// Confirmations, shortcuts, login, receipts. A native <dialog> keeps the focus inside; it goes back to what opened it.
import { h, $, text, icon } from './dom.js';
import { num, plural } from './format.js';
import { api, sentence } from './api.js';

export function open(el) {
  const back = document.activeElement;
  document.body.append(el);
  el.addEventListener('close', () => {
    el.remove();
    if (back && back.isConnected) back.focus();
  });
  el.addEventListener('click', e => {
    if (e.target === el) el.close();
  });
  el.showModal();
  return el;
}
export const isOpen = () => Boolean(document.querySelector('dialog[open]'));
export const heading = (id, title) => h('h2.dialog-title', { id, text: title });

// What will happen to whom, in sentences; then a button that names the act. Cancel has the focus.
export function confirm({ title, lines, action, danger, field, run, done }) {
  const input = field && h('input.input', { id: 'confirm-field', maxlength: 120, placeholder: field.placeholder, autocomplete: 'off' });
  const go = h('button', { class: `button ${danger ? 'danger' : 'primary'}`, type: 'submit', text: action });
  const error = h('p.form-error', { role: 'alert', hidden: true });
  const submit = async e => {
    e.preventDefault();
    go.disabled = true;
    text(go, 'Working…');
    const answer = await run(input ? input.value.trim() : undefined);
    if (answer.problem) {
      go.disabled = false;
      text(go, action);
      error.hidden = false;
      text(error, sentence(answer.problem));
      return;
    }
    el.close();
    done(answer);
  };
  const el = h(
    'dialog.dialog',
    { 'aria-labelledby': 'confirm-h' },
    h(
      'form',
      { method: 'dialog', onsubmit: submit },
      heading('confirm-h', title),
      lines.map(l => h('p', l)),
      input && h('div.field', h('label', { for: 'confirm-field', text: field.label }), input),
      error,
      h('div.dialog-buttons', h('button.button', { text: 'Cancel', autofocus: true, onclick: () => el.close() }), go)
    )
  );
  return open(el);
}

const SHORTCUTS = [
  ['1 – 6', 'go to flow, pipeline, insights, rejected, explain, partitions'],
  ['/', 'search groups'],
  ['e', 'explain a record'],
  ['p', 'pause or resume'],
  ['t', 'light, dark, as the system'],
  ['?', 'this list'],
  ['← →', 'on a chart: move the cursor in time'],
  ['Esc', 'close, or leave the cursor']
];
export function shortcuts(settings) {
  const box = h('input', { type: 'checkbox', id: 'keys-on', onchange: () => settings.set('keys', box.checked ? 'on' : 'off') });
  box.checked = settings.get('keys') !== 'off';
  const el = h(
    'dialog.dialog',
    { 'aria-labelledby': 'keys-h' },
    heading('keys-h', 'Keyboard'),
    h(
      'dl.keys',
      SHORTCUTS.map(([k, what]) => h('div', h('dt', h('kbd', k)), h('dd', what)))
    ),
    h(
      'div.dialog-buttons',
      h('label.check', { for: 'keys-on' }, box, 'Single keys are on'),
      h('button.button', { text: 'Close', autofocus: true, onclick: () => el.close() })
    )
  );
  open(el);
}

// The login takes the place of the page until the service takes the token; then the page goes on where it was.
export function login(then) {
  if ($('token')) return;
  const dialog = document.querySelector('dialog[open]');
  if (dialog) dialog.close();
  const input = h('input.input', {
    id: 'token',
    type: 'password',
    autocomplete: 'current-password',
    required: true,
    spellcheck: 'false',
    'aria-describedby': 'token-error'
  });
  const error = h('p.form-error', { id: 'token-error', role: 'alert', hidden: true });
  const go = h('button.button.primary', { type: 'submit', text: 'Open dashboard' });
  const submit = async e => {
    e.preventDefault();
    go.disabled = true;
    const answer = await api.login(input.value);
    go.disabled = false;
    if (!answer.problem) {
      el.remove();
      document.body.classList.remove('logged-out');
      then();
      return;
    }
    const wrong = answer.problem.status === 401;
    error.hidden = false;
    text(error, wrong ? 'That is not the token. It is the value of HTTP_TOKEN where the service runs.' : sentence(answer.problem));
    input.setAttribute('aria-invalid', 'true');
    input.select();
  };
  const el = h(
    'div.login',
    { role: 'main' },
    h(
      'form.login-card',
      { onsubmit: submit },
      h('div.login-mark', icon('lock')),
      h('h1', 'Data stream engine'),
      h('p.muted', 'This service asks for its token. The page keeps it in a cookie that scripts cannot read, until you close the browser.'),
      // Password managers want to know whose it is.
      h('input', { hidden: true, autocomplete: 'username', value: 'stream-engine' }),
      h('div.field', h('label', { for: 'token', text: 'Token' }), input),
      error,
      go
    )
  );
  document.body.classList.add('logged-out');
  document.body.append(el);
  input.focus();
}

// What an act did stays until the reader closes it.
export function receipt(level, line, ...details) {
  const el = h(
    'div',
    { class: `receipt level-${level}` },
    icon(level === 'ok' ? 'check' : level),
    h(
      'div',
      h('p', line),
      details.map(d => h('p.muted', d))
    ),
    h('button.button.quiet.icon-only.small', { 'aria-label': 'Dismiss', onclick: () => el.remove() }, icon('x'))
  );
  $('receipts').prepend(el);
  while ($('receipts').children.length > 3) $('receipts').lastChild.remove();
}
export function replayed(answer) {
  const refused = answer.refused || [];
  const whys = [...new Set(refused.map(r => r.why))].slice(0, 3).join('; ');
  receipt(
    answer.replayed ? 'ok' : 'warn',
    `${plural(answer.replayed, 'dead letter')} sent to ${answer.topic}`,
    answer.replayed > 0 && 'In one transaction. What fails again comes back here with “replayed 1×”.',
    refused.length > 0 && `${num(refused.length)} not sent: ${whys}.`
  );
}
