// The service: calls that answer a document or {problem}, and the stream of live events.
import { heardAt } from './format.js';

const TIMEOUT = 30e3;
// Something comes every second: a stream without anything for so long is dead.
const SILENCE = 10e3;
const LONGEST_WAIT = 8e3;

let needLogin = () => {};
export const onLogin = f => {
  needLogin = f;
};

// What an error says as one sentence after another, whoever wrote it.
export const sentence = p =>
  [p.title, p.detail]
    .filter(Boolean)
    .map(s => (/[.!?]$/.test(s) ? s : `${s}.`))
    .join(' ');

const readDate = answer => {
  const t = Date.parse(answer.headers.get('Date'));
  if (t) heardAt(t + 500);
};
const query = o => new URLSearchParams(Object.entries(o).filter(([, v]) => v != null && v !== ''));

// Whole numbers that JavaScript cannot hold stay the digits that they came as, where the browser knows rawJSON.
const exactly = (key, v, from) => (Number.isInteger(v) && !Number.isSafeInteger(v) && from && JSON.rawJSON ? JSON.rawJSON(from.source) : v);

async function call(method, path, body, headers = {}) {
  const failed = (title, detail) => ({ problem: { title, detail, status: 0 } });
  let answer;
  try {
    answer = await fetch(`api/v1/${path}`, {
      method,
      headers: body ? { 'Content-Type': 'application/json', ...headers } : headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT)
    });
  } catch (e) {
    if (e.name === 'TimeoutError')
      return failed('The service did not answer within 30 s', 'Whether it has done it is not known: look before trying again.');
    return failed('The service cannot be reached', 'The page tries again by itself.');
  }
  readDate(answer);
  if (answer.status === 401 && path !== 'login') needLogin();
  if (answer.status === 204) return {};
  let data;
  try {
    data = JSON.parse(await answer.text(), exactly);
  } catch {
    data = null;
  }
  if (answer.ok && data) return data;
  const { title = `The service answered ${answer.status}`, detail = '', errors } = data || {};
  return { problem: { title, detail: detail.charAt(0).toUpperCase() + detail.slice(1), errors, status: answer.status } };
}

export const api = {
  groups: q => call('GET', `insights/groups?${query(q)}`),
  letter: id => call('GET', `dead-letters/${encodeURIComponent(id)}`),
  letters: q => call('GET', `dead-letters?${query(q)}`),
  explain: (partition, offset) => call('GET', `explain?${query({ partition, offset })}`),
  pause: reason => call('POST', 'pause', reason ? { reason } : {}),
  resume: () => call('POST', 'resume', {}),
  reload: () => call('POST', 'reload', {}),
  replay: (selection, key) => call('POST', 'dead-letters/replay', selection, { 'Idempotency-Key': key }),
  login: token => call('POST', 'login', { token }),
  logout: () => call('POST', 'logout', {})
};

// A key by which the service knows a request that is sent twice. randomUUID is not there without TLS.
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), b => b.toString(16).padStart(2, '0')).join('');

// ---- live -----------------------------------------------------------------------------------------------------------
// Server-sent events, read with fetch: EventSource does not say that it was refused because the login has ended.
async function read(body, heard, emit) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      let type = 'message';
      const data = [];
      for (const line of block.split('\n')) {
        if (line.startsWith('event:')) type = line.slice(6).trim();
        else if (line.startsWith('data:')) data.push(line.slice(5));
      }
      // What one event breaks is no reason to ask for all of them again.
      try {
        if (data.length) emit(type, JSON.parse(data.join('\n')));
      } catch (e) {
        console.error(e);
      }
    }
  }
}

// connect keeps a stream open until the function that it answers is called.
function connect(emit) {
  const all = new AbortController();
  (async () => {
    for (let wait = 500; !all.signal.aborted; wait = Math.min(LONGEST_WAIT, wait * 2)) {
      const one = new AbortController();
      const end = () => one.abort();
      all.signal.addEventListener('abort', end);
      let silence = setTimeout(end, SILENCE);
      const heard = () => {
        wait = 250;
        clearTimeout(silence);
        silence = setTimeout(end, SILENCE);
      };
      try {
        const answer = await fetch('api/v1/live', { headers: { Accept: 'text/event-stream' }, cache: 'no-store', signal: one.signal });
        readDate(answer);
        if (answer.status === 401) {
          all.abort();
          needLogin();
        }
        if (answer.ok) await read(answer.body, heard, emit);
      } catch {
        /* lost: it is tried again */
      } finally {
        clearTimeout(silence);
        all.signal.removeEventListener('abort', end);
        one.abort();
      }
      if (!all.signal.aborted) await new Promise(done => setTimeout(done, wait * (0.5 + Math.random() / 2)));
    }
  })();
  return () => all.abort();
}

// A hidden tab costs the service nothing: its stream is closed, and opened again with fresh history.
export function live(emit, shown) {
  let close = null;
  const stop = () => {
    if (close) close();
    close = null;
  };
  const start = () => {
    stop();
    if (document.hidden) return;
    shown();
    close = connect(emit);
  };
  document.addEventListener('visibilitychange', start);
  start();
  return { start, stop };
}
