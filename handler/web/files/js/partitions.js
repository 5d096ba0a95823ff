// Per partition: who reads it, how far behind, how far event time has come. And the replicas that share the work.
import { h, text, attr, refill, keyed } from './dom.js';
import { NONE, at, clock, dur, exact, num, now, plural, rate, since } from './format.js';

// More than these are not listed at once: the worst ones are.
const MANY = 24;
const FEW = 12;
const STATES = { away: 'broker away' };
const URGENT = { unassigned: 0, away: 1, paused: 2 };

const th = name =>
  h(
    'th',
    { scope: 'col', class: name.startsWith('#') ? 'num' : name === '|' ? 'col-bar' : null },
    ['|', ''].includes(name) ? h('span.sr', 'detail') : name.replace('#', '')
  );
const cells = kinds => kinds.map(k => h('td', { class: k }));

function makeTable(caption, columns, note) {
  const body = h('tbody');
  const topic = h('span.mono');
  const el = h(
    'div.card.table-wrap',
    { tabindex: '0', role: 'group', 'aria-label': caption },
    h('table.table.parts', h('caption', `${caption} `, topic), h('thead', h('tr', columns.map(th))), body),
    note
  );
  return { el, body, topic };
}

export function mountPartitions(root, { store, act }) {
  let all = false;
  const note = h('p.section-note');
  const more = h('button.button.quiet.small', {
    onclick: () => {
      all = !all;
      render();
    }
  });
  const foot = h('div.parts-foot', { hidden: true }, more);
  const source = makeTable('Source', ['#partition', 'owner', 'state', '#lag', '|', '#position', '#end', '#watermark', ''], foot);
  const state = makeTable('Aggregate state', ['#partition', 'owner', '#watermark', '#open windows', '#groups', '#restored']);
  const replicas = makeTable('Replicas', ['replica', 'state', '#in', '#lag', '#partitions', 'version', '#heard']);
  root.append(
    h('div.section-head', h('h2', { id: 'partitions-h', text: 'Partitions' }), note),
    h('div.split-part', source.el, h('div.stack', state.el, replicas.el))
  );

  function makeSource(p) {
    const c = cells(['', '', 'num n', 'col-bar', 'num n', 'num n', 'num n', 'muted']);
    const bar = h('span');
    c[3].append(h('span.lagbar', bar));
    const newest = () => act.explain(p.partition, Math.max(0, (tr.data.end || tr.data.position) - 1));
    const tr = h(
      'tr',
      h(
        'th.num',
        { scope: 'row' },
        h('button.link.n', {
          title: 'Explain the newest record',
          'aria-label': `Partition ${p.partition}: explain the newest record`,
          text: String(p.partition),
          onclick: newest
        })
      ),
      c
    );
    return Object.assign(tr, { c, bar });
  }
  function updateSource(tr, p, most) {
    const { c } = tr;
    tr.data = p;
    text(c[0], p.owner ? `${p.owner}${store.status && p.owner === store.status.replica ? ' (this)' : ''}` : 'nobody');
    attr(c[0], 'title', p.owner);
    c[0].classList.toggle('warn', !p.owner);
    const idle = p.idle_since ? ` ${since(at(p.idle_since))}` : '';
    refill(
      c[1],
      p.state + idle,
      () => h('span', { class: `chip chip-${/^[a-z]+$/.test(p.state) ? p.state : 'other'}`, text: STATES[p.state] || p.state }),
      () => idle && h('span.muted.n', idle)
    );
    text(c[2], num(p.lag));
    tr.bar.style.width = `${p.lag ? Math.max(2, Math.min(100, (100 * p.lag) / most)) : 0}%`;
    text(c[4], exact(p.position));
    text(c[5], exact(p.end));
    text(c[6], p.watermark ? clock(at(p.watermark)) : 'none yet');
    text(c[7], p.watermark ? `${dur(Math.max(0, (now() - at(p.watermark)) / 1000))} behind` : '');
  }
  function makeState(p) {
    const c = cells(['', 'num n', 'num n', 'num n', 'num n']);
    return Object.assign(h('tr', h('th.num.n', { scope: 'row', text: String(p.partition) }), c), { c });
  }
  function updateState({ c }, p) {
    [
      p.owner || 'nobody',
      p.watermark ? clock(at(p.watermark)) : 'none yet',
      num(p.windows_open),
      num(p.groups),
      p.restored >= 1 ? 'yes' : `${Math.floor(100 * p.restored)} %`
    ].forEach((v, i) => text(c[i], v));
    attr(c[0], 'title', p.owner);
    c[0].classList.toggle('warn', !p.owner);
  }
  function makeReplica(r) {
    const c = cells(['', 'num n', 'num n', 'num n', '', 'num n']);
    return Object.assign(h('tr', h('th', { scope: 'row', title: r.instance, text: r.instance }), c), { c });
  }
  function updateReplica(tr, r) {
    const { c } = tr;
    const own = r.instance === store.status.replica;
    const inUse = store.status.instances.find(x => x.instance === store.status.replica);
    const other = inUse && r.alive && r.pipeline !== inUse.pipeline ? 'another pipeline file' : '';
    refill(
      c[0],
      [r.alive, r.state, own, other],
      h('span', { class: `chip ${r.alive ? '' : 'chip-away'}`, text: r.alive ? r.state : 'silent' }),
      own && h('span.muted', ' this'),
      other && h('span.warn', ` ${other}`)
    );
    text(c[1], r.alive ? `${rate(r.rates.in)}/s` : NONE);
    text(c[2], r.alive ? num(r.rates.lag) : NONE);
    text(c[3], num((r.partitions || []).length));
    text(c[4], r.version);
    text(c[5], r.age_seconds < 1.5 ? 'now' : `${dur(r.age_seconds)} ago`);
  }

  const urgency = p => URGENT[p.state] ?? 3;
  const worst = list =>
    [...list].sort((a, b) => urgency(a) - urgency(b) || (b.lag ?? Infinity) - (a.lag ?? Infinity) || a.partition - b.partition);
  const busy = t => t.body.matches(':hover') || t.body.contains(document.activeElement);
  function render() {
    const { source: list, state: merging } = store.partitions;
    const most = Math.max(1000, ...list.map(p => p.lag || 0));
    const many = list.length > MANY;
    const shown = many && !all ? worst(list).slice(0, FEW) : list;
    const owners = new Set(list.map(p => p.owner).filter(Boolean)).size;
    text(
      note,
      `${plural(list.length, 'source partition')}${merging.length ? `, ${num(merging.length)} of aggregate state` : ''} · ${plural(owners, 'owner')}`
    );
    foot.hidden = !many;
    text(more, all ? `Show the ${FEW} that are furthest behind` : `The ${FEW} that are furthest behind. Show all ${num(list.length)}`);
    text(source.topic, store.pipeline ? store.pipeline.source : '');
    text(state.topic, `${store.status.group}-partials`);
    state.el.hidden = !merging.length;
    keyed(
      source.body,
      shown,
      p => p.partition,
      makeSource,
      (tr, p) => updateSource(tr, p, most),
      many && !all && busy(source)
    );
    keyed(state.body, merging, p => p.partition, makeState, updateState);
  }
  return type => {
    if (!store.status) return;
    if (type === 'partitions') render();
    if (type === 'status') keyed(replicas.body, store.status.instances || [], r => r.instance, makeReplica, updateReplica);
  };
}
