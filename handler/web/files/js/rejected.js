// What was rejected: reasons first, then letters, one of them open with its bytes.
import { h, text, attr, refill, keyed, icon } from './dom.js';
import { ago, at, clockMs, exact, num } from './format.js';
import { api, newKey } from './api.js';
import { bars } from './chart.js';
import { confirm, replayed } from './dialogs.js';
import { LetterPane } from './letter.js';

const SHOWN = 6;
// That one request replays.
const MOST = 10000;
const kindOf = x => `${x.stage}/${x.code}`;

export function mountRejected(root, { store, act }) {
  const state = { kind: null, id: null, top: null, seen: false, older: new Map() };
  const list = h('ul.reasons');
  const pane = new LetterPane({ store, act, replay: replayOne });
  const note = h('p.section-note');
  const kept = h('code');
  const empty = h(
    'div.empty.card',
    { hidden: true },
    h('p.empty-title', 'Nothing was rejected'),
    h(
      'p',
      'Events that cannot be decoded, filtered, transformed or counted, and those that come too late, appear here with their original bytes. They are kept in ',
      kept,
      '.'
    )
  );
  const split = h('div.card.split-dead', { hidden: true }, list, pane.el);
  root.append(h('div.section-head', h('h2', { id: 'rejected-h', text: 'Rejected' }), note), split, empty);
  new IntersectionObserver(
    ([e]) => {
      state.seen = e.isIntersecting;
      if (state.seen) render();
    },
    { rootMargin: '200px' }
  ).observe(root);

  function openKind(kind) {
    Object.assign(state, { kind: state.kind === kind ? null : kind, top: null });
    render();
  }
  function openLetter(letter, byHand) {
    state.id = letter.id;
    pane.open(letter);
    render();
    if (byHand && matchMedia('(max-width: 820px)').matches) pane.el.scrollIntoView({ block: 'start' });
  }

  function replayMany(g) {
    const group = store.status.group;
    const some = g.count > MOST;
    const key = newKey();
    const word = g.count === 1 ? 'dead letter' : 'dead letters';
    confirm({
      title: some ? `Replay ${num(MOST)} of ${num(g.count)} dead letters?` : `Replay ${num(g.count)} ${word}?`,
      action: `Replay ${num(Math.min(MOST, g.count))}`,
      lines: [
        `${some ? `${num(MOST)} letters, the most that one request takes,` : 'All letters'} of stage ${g.stage} with reason ${g.code} go to ${group}-replay with their original key, partition and bytes, in one transaction.`,
        `Only this group reads that topic: no other consumer of ${store.pipeline ? store.pipeline.source : 'the source'} sees them twice. Events that pass now are forwarded and counted; those that fail again come back here.`
      ],
      run: () => api.replay({ stage: g.stage, code: g.code, limit: Math.min(MOST, g.count) }, key),
      done: replayed
    });
  }
  function replayOne(letter) {
    const key = newKey();
    confirm({
      title: 'Replay this dead letter?',
      action: 'Replay 1',
      lines: [
        `Partition ${letter.source.partition}, offset ${exact(letter.source.offset)} goes to ${store.status.group}-replay with its original key and bytes.`,
        letter.replay ? letter.replay.text : ''
      ].filter(Boolean),
      run: () => api.replay({ ids: [letter.id] }, key),
      done: replayed
    });
  }

  function makeReason(g) {
    const part = {
      tag: h('span.stage-tag'),
      code: h('span.reason-code.mono'),
      expression: h('span.reason-expr.mono'),
      count: h('span.reason-count.n'),
      last: h('span.reason-last'),
      line: h('span.reason-bars', { title: 'last 15 minutes' }),
      letters: h('ul.letters')
    };
    const li = h('li');
    part.newer = h('button.button.quiet.small.newer', {
      hidden: true,
      onclick: () => {
        state.top = null;
        render();
      }
    });
    part.all = h('button.button.small', { onclick: () => replayMany(li.group) }, icon('replay'), h('span'));
    part.inner = h('div.reason-open', { hidden: true }, part.newer, part.letters, h('div.reason-tools', part.all));
    part.button = h(
      'button.reason',
      { onclick: () => openKind(kindOf(g)) },
      icon('chevron'),
      h('span.reason-main', h('span.reason-name', part.tag, part.code), part.expression),
      part.line,
      h('span.reason-side', part.count, part.last)
    );
    li.append(part.button, part.inner);
    return Object.assign(li, { of: part });
  }
  function updateReason(li, g) {
    const part = li.of;
    const kind = kindOf(g);
    const on = state.kind === kind;
    li.group = g;
    text(part.tag, g.stage);
    text(part.code, g.code);
    text(part.expression, g.expression ? `${g.expression}${g.line ? ` · line ${g.line}` : ''}` : '');
    text(part.count, num(g.count));
    text(part.last, g.last_at ? ago(at(g.last_at)) : '');
    refill(part.line, g.recent, () => bars(g.recent));
    attr(part.button, 'aria-expanded', String(on));
    part.inner.hidden = !on;
    if (!on) return;
    const letters = lettersOf(g);
    if (state.top === null && letters[0]) state.top = letters[0].id;
    const from = Math.max(
      0,
      letters.findIndex(l => l.id === state.top)
    );
    part.newer.hidden = from === 0;
    text(part.newer, `${from} newer`);
    keyed(part.letters, letters.slice(from, from + SHOWN), l => l.id, makeLetter, updateLetter);
    text(part.all.lastChild, `Replay all ${num(g.count)}`);
    attr(part.all, 'disabled', !store.session.may_change);
  }
  // The newest letters of all kinds are in the stream; of a kind that is rare they are asked for.
  function lettersOf(g) {
    const kind = kindOf(g);
    const live = store.dead.latest.filter(l => kindOf(l) === kind);
    const older = state.older.get(kind);
    if (live.length >= Math.min(SHOWN, g.count)) return live;
    if (!older || (older.items && older.count !== g.count && Date.now() - older.at > 5000)) {
      state.older.set(kind, { ...older, at: Date.now(), count: g.count });
      api.letters({ stage: g.stage, code: g.code, limit: SHOWN }).then(answer => {
        // What could not be read is asked for again.
        const had = (older && older.items) || [];
        state.older.set(kind, { at: Date.now(), ...(answer.problem ? { count: -1, items: had } : { count: g.count, items: answer.items }) });
        render();
      });
    }
    const had = (older && older.items) || [];
    return [...live, ...had.filter(l => !live.some(x => x.id === l.id))];
  }
  function makeLetter(l) {
    const when = h('span.letter-ago');
    const button = h(
      'button.letter-row',
      { onclick: () => openLetter(l, true) },
      h('span.n', clockMs(at(l.failed_at))),
      h('span.n.muted', `p${l.source.partition} · ${exact(l.source.offset)}`),
      when
    );
    return Object.assign(h('li', button), { when, button });
  }
  function updateLetter(li, l) {
    text(li.when, l.failed_at ? ago(at(l.failed_at)) : '');
    attr(li.button, 'aria-current', l.id === state.id ? 'true' : null);
  }

  function render() {
    const d = store.dead;
    if (!d || !store.status) return;
    const groups = d.groups.filter(g => g.count > 0);
    const topic = `${store.status.group}-dead-letter`;
    text(kept, topic);
    split.hidden = !groups.length;
    empty.hidden = Boolean(groups.length);
    const storage = store.status.storage;
    text(
      note,
      `${groups.length ? `${num(groups.reduce((x, g) => x + g.count, 0))} kept in ${topic}` : ''}${storage && !storage.ok ? ' · the storage is away: new ones are in the topic, not here yet' : ''}`
    );
    if (!groups.length) return;
    if (state.kind === null && state.id === null) state.kind = kindOf(groups[0]);
    keyed(list, groups, kindOf, makeReason, updateReason, list.matches(':hover') || list.contains(document.activeElement));
    const open = groups.find(g => kindOf(g) === state.kind);
    const [first] = state.id === null && state.seen && open ? lettersOf(open) : [];
    if (first) openLetter(first);
  }
  let ticks = 0;
  let might = null;
  return type => {
    if (type === 'dead_letters' || (type === 'rates' && ticks++ % 5 === 0)) render();
    if (type === 'session' && might !== store.session.may_read) {
      might = store.session.may_read;
      pane.again();
    }
  };
}
