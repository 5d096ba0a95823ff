// The table of the groups of one aggregate: one window of each, the one before, and a line of the last ones.
import { h, text, fill, refill, keyed, forget, icon } from './dom.js';
import { NONE, at, clock, measure, now, num, span } from './format.js';
import { clean } from './bytes.js';
import { cut, spark } from './chart.js';

// A value of a group as text. What the event did not have is not the text "null".
const shown = v => (v === null ? 'none' : v === '' ? 'empty' : clean(typeof v === 'string' ? v : JSON.stringify(v)));
export const groupName = group => (Object.keys(group).length ? Object.values(group).map(shown).join(' ') : 'all events');
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
export const isOdd = (store, a, name, group, start) =>
  store.anomalies.some(x => x.aggregate === a.name && x.anomaly.measure === name && at(x.window.start) === start && same(x.group, group));

// How far event time has come: as far as windows have been passed, not as far as the clock has.
export const passed = store =>
  Math.max(...(store.partitions ? store.partitions.state.map(p => at(p.watermark)) : []).filter(Boolean), 0) || now() - 1000;

// The rows with their windows put on one scale of starts, null where a group had no event. Sessions have no common scale.
// Event time has come as far as `passed`.
export function aligned(data, a, passed) {
  const keys = new Map();
  const rows = data.rows.map(r => {
    const windows = r.windows.map(w => ({ ...w, start: at(w.start), end: at(w.end) }));
    const key = JSON.stringify(r.group);
    // (other) may be there once for each partition of the partials.
    const times = (keys.get(key) || 0) + 1;
    keys.set(key, times);
    return { group: r.group, key: `${key}${times}`, windows };
  });
  const session = a.window.kind === 'session';
  const step = a.window.every_seconds * 1000;
  const all = rows.flatMap(r => r.windows.map(w => w.start));
  const last = all.length ? Math.max(...all) : 0;
  const first = all.length ? Math.max(Math.min(...all), last - 29 * step) : 0;
  const starts = session || !all.length ? [] : Array.from({ length: Math.round((last - first) / step) + 1 }, (_, i) => first + i * step);
  for (const r of rows) {
    const by = new Map(r.windows.map(w => [w.start, w]));
    r.slots = session ? r.windows : starts.map(start => by.get(start) || null);
  }
  // From the first window that is not final in any row on, nothing is; windows that event time has not passed are filling.
  const whole = starts.findIndex((_, i) => rows.some(r => r.slots[i] && !r.slots[i].final));
  const filling = session ? 0 : starts.filter(start => start + a.window.size_seconds * 1000 > passed).length;
  const partial = Math.max(whole < 0 ? 0 : starts.length - whole, filling);
  return { ...data, rows, starts, partial, filling };
}

// A measure as a number for charts: null when it is none. Digits beyond what JavaScript holds come as rawJSON.
export const numeric = v => (typeof v === 'number' ? v : v && v.rawJSON !== undefined ? Number(v.rawJSON) : null);
function value(m, v) {
  if (v == null) return NONE;
  if (numeric(v) !== null) return measure(numeric(v));
  const t = m.kind === 'time' && typeof v === 'string' ? Date.parse(v) : NaN;
  return Number.isNaN(t) ? cut(shown(v), 60) : clock(t);
}
// Entries of top(): their part of the events where count() is among the measures, otherwise how often.
function tops(list, total) {
  return (list || []).map(e => {
    const much = total ? `${Math.round((100 * e.count) / total)} %` : num(e.count);
    const about = e.error ? `≈ ${num(e.count)}: up to ${num(e.error)} too high` : num(e.count);
    return h(
      'span.top',
      { title: `${shown(e.value)}: ${about}` },
      cut(shown(e.value), 30),
      ' ',
      h('span.muted.n', `${e.error ? '≈ ' : ''}${much}`)
    );
  });
}

export class GroupTable {
  constructor({ store, onmeasure, onrelease }) {
    Object.assign(this, { store, onmeasure, onrelease, hold: false, given: new Map() });
    this.head = h('tr');
    this.body = h('tbody');
    this.table = h('table.table.groups', h('caption.sr'), h('thead', this.head), this.body);
    this.el = h('div.table-wrap', this.table);
    this.held = h('span.held', { hidden: true, text: 'Order held while you are here' });
    for (const e of ['pointerenter', 'pointerleave', 'focusin', 'focusout'])
      this.table.addEventListener(e, () => setTimeout(() => this.check()));
  }
  check() {
    const hold = this.table.matches(':hover') || this.table.contains(document.activeElement);
    this.held.hidden = !hold;
    if (hold === this.hold) return;
    this.hold = hold;
    if (!hold) this.onrelease();
  }

  // A colour belongs to a group, not to a rank: it stays while the group is on the chart.
  tones(keys) {
    for (const k of this.given.keys()) if (!keys.includes(k)) this.given.delete(k);
    for (const k of keys)
      if (!this.given.has(k))
        this.given.set(
          k,
          [1, 2, 3, 4, 5].find(t => ![...this.given.values()].includes(t))
        );
    return this.given;
  }

  reset(aggregate, chosen) {
    Object.assign(this, { a: aggregate, chosen, session: aggregate.window.kind === 'session' });
    this.count = aggregate.measures.find(m => m.expression.replaceAll(' ', '') === 'count()');
    forget(this.body);
    text(this.table.caption, `Groups of ${aggregate.name}`);
    const sort = m => h('button.th-button', { onclick: () => this.onmeasure(m.name) }, m.name, m.name === chosen && icon('down'));
    const column = m => [
      h(
        'th',
        {
          scope: 'col',
          class: m.kind === 'number' ? 'num' : `col-${m.kind}`,
          title: [m.expression, m.about].filter(Boolean).join(', '),
          'aria-sort': m.name === chosen ? 'descending' : null
        },
        m.kind === 'number' ? sort(m) : m.name
      ),
      m.name === chosen &&
        h('th.num.col-before', { scope: 'col', title: `${chosen} in the ${this.session ? 'session' : 'window'} before`, text: 'before' })
    ];
    fill(
      this.head,
      aggregate.group_by.length
        ? aggregate.group_by.map(g => h('th.col-group', { scope: 'col', text: g }))
        : h('th', { scope: 'col', text: 'group' }),
      aggregate.measures.map(column),
      chosen && h('th.col-spark', { scope: 'col', text: `last 30 ${this.session ? 'sessions' : 'windows'}, ${chosen}` }),
      h('th.col-state', { scope: 'col', text: this.session ? 'session' : 'window' })
    );
  }

  // What the reader has asked for by hand is shown though pointer or focus are in the table.
  show(data, picked, byHand) {
    Object.assign(this, { data, picked });
    keyed(
      this.body,
      data.rows,
      r => r.key,
      r => this.make(r),
      (tr, r) => this.update(tr, r),
      this.hold && !byHand
    );
  }

  make(r) {
    const group = v =>
      h('th', {
        scope: 'row',
        class: `col-group${v === null || v === '' ? ' absent' : ''}`,
        title: v === null ? 'the events did not have it' : shown(v),
        text: shown(v)
      });
    const names = this.a.group_by.length
      ? this.a.group_by.map(g => group(r.group[g] ?? null))
      : [h('th', { scope: 'row', text: 'all events' })];
    const swatch = h('span.swatch');
    names[0].prepend(swatch);
    const measures = this.a.measures.map(m => h('td', { class: m.kind === 'number' ? 'num n' : `n col-${m.kind}` }));
    const before = h('td.num.n.muted.col-before');
    const line = h('td.col-spark');
    const end = h('td.col-state');
    const tr = h(
      'tr',
      names,
      measures.map((td, i) => [td, this.a.measures[i].name === this.chosen && before]),
      this.chosen && line,
      end
    );
    return Object.assign(tr, { parts: { swatch, measures, before, line, end } });
  }

  update(tr, r) {
    const { swatch, measures, before, line, end } = tr.parts;
    swatch.className = `swatch tone-${this.given.get(r.key) || 'none'}`;
    const { data } = this;
    const last = r.slots.length - 1;
    const i = this.picked === null || this.session ? last : data.starts.indexOf(this.picked);
    const w = r.slots[i] || null;
    const total = w && this.count ? w.measures[this.count.name] : null;
    this.a.measures.forEach((m, k) => {
      const v = w ? (w.measures[m.name] ?? null) : null;
      if (Array.isArray(v)) refill(measures[k], JSON.stringify([v, total]), () => tops(v, total));
      else text(measures[k], value(m, v));
    });
    text(before, i > 0 && r.slots[i - 1] ? measure(numeric(r.slots[i - 1].measures[this.chosen])) : NONE);
    if (this.chosen) {
      const values = r.slots.map(s => s && numeric(s.measures[this.chosen]));
      const odd = r.slots.findIndex(s => s && isOdd(this.store, this.a, this.chosen, r.group, s.start));
      const look = { partial: this.session ? 0 : data.partial, filling: data.filling, odd, picked: this.picked === null ? -1 : i };
      refill(line, JSON.stringify([values, look]), () => spark(values, look));
    }
    refill(end, JSON.stringify([w && w.start, w && w.end, w && w.final, w && w.revision]), () => this.state(w));
  }
  state(w) {
    if (!w) return h('span.muted', 'no events');
    const label = w.final ? 'final' : 'open';
    return [
      this.session && h('span.n', { title: `${clock(w.start)}–${clock(w.end)} UTC`, text: `${span(w.start, w.end)} ` }),
      h('span', { class: `chip chip-${label}`, title: `written ${num(w.revision)} times`, text: label }),
      h('span.muted.n', ` rev ${w.revision}`)
    ];
  }
}
