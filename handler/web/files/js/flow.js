// Seven numbers with their last 15 minutes. Pointing at one shows the same moment in all.
import { h, text, fill } from './dom.js';
import { NONE, clock, dur, now, num, rate, share } from './format.js';
import { Trend, buckets, cursor } from './trend.js';

const KEYS = ['in', 'forwarded', 'filtered', 'dead_letter', 'late', 'lag', 'p50_seconds', 'p99_seconds'];

// Lag in words: in step, draining (how long), or growing (how fast).
export function drain(lag, earlier, seconds, perSecond) {
  if (lag === null) return { say: 'not known' };
  if (lag === 0) return { say: 'nothing waits' };
  if (!perSecond) return { say: 'not read', warn: true };
  if (lag / perSecond < 0.5) return { say: `in step, ${dur(lag / perSecond)} behind` };
  const slope = seconds > 0 ? (lag - earlier) / seconds : 0;
  if (slope < -1) return { say: `drains in ${dur(lag / -slope)}` };
  if (slope > 20) return { say: `grows by ${rate(slope)}/s`, warn: true };
  return { say: `steady, ${dur(lag / perSecond)} behind` };
}

const part = key => p => ({ say: share(p[key], p.in) && `${share(p[key], p.in)} of in` });
const CELLS = [
  { id: 'in', name: 'In', note: () => ({ say: 'events read' }), help: 'Events read from the source topic' },
  { id: 'forwarded', name: 'Forwarded', note: part('forwarded'), help: 'Events that at least one output took' },
  { id: 'filtered', name: 'Filtered', note: part('filtered'), help: 'Events that the filter or every output left out' },
  { id: 'dead_letter', name: 'Dead-lettered', note: part('dead_letter'), help: 'Events that were rejected, with their reason' },
  { id: 'late', name: 'Late', note: part('late'), help: 'Events that missed a window; they are forwarded too' },
  {
    id: 'lag',
    name: 'Consumer lag',
    kinds: ['lag'],
    format: num,
    unit: 'events',
    help: 'Records that wait in all source partitions',
    note: (p, before) => drain(p.lag, before.lag, (p.t - before.t) / 1000, p.in)
  },
  {
    id: 'latency',
    name: 'End to end',
    kinds: ['p50_seconds', 'p99_seconds'],
    format: dur,
    unit: '',
    note: () => ({ say: '' }),
    help: 'From the record’s timestamp to the commit of its output, over the last 10 s'
  }
];

function makeCell(c) {
  const kinds = c.kinds || [c.id];
  const format = c.format || rate;
  const trend = new Trend({ label: c.name, kinds, format });
  const values = kinds.map(() => h('span.metric-value'));
  const note = h('p.metric-note');
  const big =
    kinds.length > 1
      ? h(
          'p.metric-big.two',
          values.map((v, i) => h('span', h('span.metric-q', ['p50', 'p99'][i]), v))
        )
      : h('p.metric-big', values, h('span.metric-unit', c.unit ?? '/s'));
  const name = h('h3.metric-name', { title: c.help }, h('span.swatch', { 'aria-hidden': 'true' }), c.name);
  const el = h('div', { class: `metric flow-${c.id}` }, h('div.metric-text', name, big, note), trend.el);
  return { kinds, format, say: c.note, trend, values, note, el };
}
// "59 ms" with the unit set smaller than the number.
function pair(el, value) {
  const [n, ...unit] = dur(value).split(' ');
  if (el.childElementCount !== 2) fill(el, h('span'), h('span.metric-unit'));
  text(el.firstChild, n);
  text(el.lastChild, unit.length ? ` ${unit.join(' ')}` : '');
}

export function mountFlow(root, { store }) {
  const cells = CELLS.map(makeCell);
  const when = h('p.section-note', 'Last 15 minutes');
  root.append(
    h('div.section-head', h('h2', { id: 'flow-h', text: 'Flow' }), when),
    h(
      'div.metrics.card',
      cells.map(c => c.el)
    )
  );

  function numbers() {
    const list = store.points;
    if (!list.length) return;
    const fixed = cursor.t !== null;
    const p = fixed ? cells[0].trend.at(cursor.t) : store.rates || list.at(-1);
    if (!p) return;
    const before = (fixed ? cells[0].trend.at(p.t - 20e3) : list.slice(-21).find(q => q.lag !== null)) || p;
    for (const c of cells) {
      c.kinds.forEach((k, i) => {
        if (c.format === dur) pair(c.values[i], p[k]);
        else text(c.values[i], c.format(p[k]));
      });
      const { say, warn } = c.say(p, before);
      text(c.note, say);
      c.note.classList.toggle('warn', Boolean(warn));
      c.el.classList.toggle('none', [NONE, '0'].includes(c.values[0].textContent));
    }
    const near = fixed && store.marks.find(m => Math.abs(m.t - p.t) < 9000);
    text(when, fixed ? `${clock(p.t)} UTC, ${dur((now() - p.t) / 1000)} ago${near ? ` · ${near.text}` : ''}` : 'Last 15 minutes');
    when.classList.toggle('strong', fixed);
  }
  cursor.listeners.push(numbers);
  return type => {
    if (type !== 'rates' && type !== 'history') return;
    const last = store.points.length ? store.points.at(-1).t : now();
    const list = buckets(store.points, KEYS);
    for (const c of cells) c.trend.set(list, last, store.marks);
    numbers();
  };
}
