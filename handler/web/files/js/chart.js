// Lines over windows, with axes, names at the line ends and a crosshair; sparklines and bars for tables.
import { h, s, attr, fill } from './dom.js';
import { path, steadyMax } from './trend.js';

// A line of one point is not to be seen: these are drawn as dots.
const alone = points => points.filter((p, i) => p[1] !== null && [i - 1, i + 1].every(k => !points[k] || points[k][1] === null));

// ---- in a table: values, an unfinished tail, an odd one ---------------------------------------------------------------
export function spark(values, { width = 150, height = 22, partial = 0, filling = 0, odd = -1, picked = -1 } = {}) {
  const known = values.filter(v => v !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(low + 1e-9, ...known);
  const x = i => 2 + (i * (width - 4)) / Math.max(1, values.length - 1);
  const y = v => (v === null ? null : height - 3 - ((v - low) / (high - low)) * (height - 6));
  const points = values.map((v, i) => [x(i), y(v)]);
  const whole = values.length - partial;
  const dot = (p, kind) => s('circle', { class: kind, cx: p[0], cy: p[1], r: 1.5 });
  return s(
    'svg.spark',
    { viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' },
    picked >= 0 && s('path.spark-pick', { d: `M${x(picked).toFixed(1)} 0V${height}` }),
    s('path.spark-line', { d: path(points.slice(0, whole)) }),
    alone(points.slice(0, whole)).map(p => dot(p, 'spark-alone')),
    partial > filling && s('path.spark-open', { d: path(points.slice(Math.max(0, whole - 1), points.length - filling)) }),
    filling > 0 &&
      points
        .slice(-filling)
        .filter(p => p[1] !== null)
        .map(p => dot(p, 'spark-dot')),
    odd >= 0 && values[odd] !== null && s('path.spark-odd', { d: `M${x(odd)} ${y(values[odd]) - 3.2}l3.2 3.2l-3.2 3.2l-3.2 -3.2z` })
  );
}

export function bars(values, { width = 72, height = 18 } = {}) {
  const max = Math.max(1, ...values);
  const w = width / values.length;
  const tall = v => Math.max(v ? 1 : 0, (v / max) * (height - 1));
  return s(
    'svg.bars',
    { viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' },
    s('path', {
      d: values
        .map((v, i) => `M${(i * w).toFixed(2)} ${height}h${(w - 0.8).toFixed(2)}v${(-tall(v)).toFixed(1)}h${(0.8 - w).toFixed(2)}z`)
        .join('')
    })
  );
}

// ---- large ------------------------------------------------------------------------------------------------------------
const DASHES = ['', '6 3', '2 3', '9 3 2 3', '1 2.5'];
const TOP = 10;
const BOTTOM = 22;

// What it shows: {key, x, series: [{name, tone, values, odd}], partial, filling, picked, band: {low, high, mean, label}, describe}.
// The last `partial` windows are not final; of these the last `filling` have not been passed by event time.
export class LineChart {
  constructor({ label, height, format, onpick, named = true }) {
    Object.assign(this, { height, format, onpick, named, max: 0, index: null, data: null, width: 0 });
    this.body = s('g');
    this.over = s('g');
    this.root = s('svg.chart-svg', { 'aria-hidden': 'true', height }, this.body, this.over);
    this.tip = h('div.tip', { hidden: true });
    this.el = h(
      'div.chart',
      { tabindex: '0', role: 'slider', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 1, 'aria-valuenow': 0 },
      this.root,
      this.tip
    );
    this.el.addEventListener('pointermove', e => this.point(this.indexAt(e)));
    for (const leave of ['pointerleave', 'blur']) this.el.addEventListener(leave, () => this.point(null));
    this.el.addEventListener('click', e => this.pick(this.indexAt(e)));
    this.el.addEventListener('keydown', e => this.key(e));
    new ResizeObserver(([entry]) => {
      const w = Math.round(entry.contentRect.width);
      if (w && w !== this.width) {
        this.width = w;
        this.draw();
      }
    }).observe(this.el);
  }

  key(e) {
    if (!this.data) return;
    const last = this.data.x.length - 1;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 }[e.key];
    if (step) this.point(Math.max(0, Math.min(last, (this.index ?? last) + step)));
    else if (e.key === 'Enter' || e.key === ' ') this.pick(this.index);
    else if (e.key === 'Escape') this.point(null);
    else return;
    e.preventDefault();
  }
  pick(i) {
    if (i !== null && this.onpick) this.onpick(i);
  }
  indexAt(e) {
    if (!this.data || !this.data.x.length) return null;
    const last = this.data.x.length - 1;
    return Math.max(0, Math.min(last, Math.round(((e.clientX - this.root.getBoundingClientRect().left - this.left) / this.plot) * last)));
  }

  set(data) {
    this.data = data;
    this.draw();
  }

  draw() {
    const { data, width } = this;
    if (!data || !width) return;
    this.scale();
    attr(this.root, 'width', width);
    fill(
      this.body,
      this.grid(),
      data.band && this.band(),
      this.picked(),
      data.series.map(line => this.line(line)),
      this.ends && this.names()
    );
    attr(this.el, 'aria-valuemax', Math.max(1, data.x.length - 1));
    this.point(this.index, true);
  }

  scale() {
    const { data, width, height } = this;
    this.ends = this.named && width > 520 && data.series.length > 1;
    this.left = this.ends ? 60 : 8;
    this.right = this.ends ? 132 : 52;
    this.plot = width - this.left - this.right;
    const values = data.series.flatMap(line => line.values).filter(v => v !== null);
    const fresh = data.key !== this.of;
    this.of = data.key;
    this.max = steadyMax(fresh ? 0 : this.max, Math.max(0, data.band ? data.band.high : 0, ...values));
    const low = -Math.min(0, ...values);
    this.min = low ? -steadyMax(fresh ? 0 : -this.min, low) : 0;
    const tall = height - TOP - BOTTOM;
    const last = Math.max(1, data.x.length - 1);
    this.x = i => this.left + (i / last) * this.plot;
    this.y = v => (v === null ? null : TOP + tall - ((v - this.min) / (this.max - this.min)) * tall);
  }

  grid() {
    const { data, left, plot } = this;
    const edge = left + plot;
    const lines = [...new Set([this.min, 0, this.min < 0 ? 0 : this.max / 2, this.max])];
    const every = Math.max(1, Math.ceil(data.x.length / Math.max(2, Math.floor(plot / 84))));
    const ticks = data.x
      .map((t, i) => i)
      .reverse()
      .filter((i, k) => k % every === 0);
    const anchor = x => (x < 24 ? 'start' : x > edge - 20 && !this.ends ? 'end' : 'middle');
    return [
      lines.map(v => [
        s('path.chart-grid', { d: `M${left} ${this.y(v)}H${edge}` }),
        s('text.chart-label', {
          x: this.ends ? left - 8 : edge + 6,
          y: this.y(v) + 4,
          'text-anchor': this.ends ? 'end' : null,
          text: this.format(v)
        })
      ]),
      ticks.map(i =>
        s('text.chart-label', { x: this.x(i), y: this.height - 6, 'text-anchor': anchor(this.x(i)), text: data.formatX(data.x[i]) })
      )
    ];
  }

  band() {
    const { low, high, mean, label } = this.data.band;
    const top = this.y(Math.min(high, this.max));
    return [
      s('rect.chart-band', { x: this.left, y: top, width: this.plot, height: Math.max(1, this.y(Math.max(this.min, low)) - top) }),
      label && s('text', { class: 'chart-label halo', x: this.left, y: top - 4, text: label }),
      mean !== null && s('path.chart-mean', { d: `M${this.left} ${this.y(mean)}H${this.left + this.plot}` })
    ];
  }

  picked() {
    const { picked, x } = this.data;
    const wide = this.plot / Math.max(1, x.length - 1);
    return (
      picked >= 0 &&
      picked !== null &&
      s('rect.chart-picked', { x: this.x(picked) - wide / 2, y: TOP, width: wide, height: this.height - TOP - BOTTOM })
    );
  }

  line({ values, tone, odd = [] }) {
    const { partial = 0, filling = 0 } = this.data;
    const points = values.map((v, i) => [this.x(i), this.y(v)]);
    const whole = points.length - partial;
    const settled = points.length - filling;
    return [
      s('path', { class: `chart-line tone-${tone}`, 'stroke-dasharray': DASHES[tone - 1] || null, d: path(points.slice(0, whole)) }),
      alone(points.slice(0, whole)).map(p => s('circle', { class: `chart-dot tone-${tone}`, cx: p[0], cy: p[1], r: 2.5 })),
      settled > whole && s('path', { class: `chart-open tone-${tone}`, d: path(points.slice(Math.max(0, whole - 1), settled)) }),
      points
        .slice(settled)
        .filter(p => p[1] !== null)
        .map(p => s('circle', { class: `chart-open-dot tone-${tone}`, cx: p[0], cy: p[1], r: 3 })),
      odd.filter(i => values[i] !== null).map(i => s('path.chart-odd', { d: `M${this.x(i)} ${this.y(values[i]) - 5}l5 5l-5 5l-5 -5z` }))
    ];
  }

  // Names at the heights of the last whole values, pushed apart where they would cover each other.
  names() {
    const { data } = this;
    const last = Math.max(0, data.x.length - 1 - (data.filling || 0));
    const ends = data.series
      .map(line => ({ line, y: this.y(line.values.slice(0, last + 1).findLast(v => v !== null) ?? 0) }))
      .sort((a, b) => a.y - b.y);
    ends.forEach((e, i) => {
      if (i) e.y = Math.max(e.y, ends[i - 1].y + 14);
    });
    let floor = this.height - BOTTOM;
    for (const e of ends.toReversed()) {
      e.y = Math.min(e.y, floor);
      floor = e.y - 14;
    }
    const x = this.left + this.plot + 8;
    return ends.map(({ line, y }) => [
      s('path', { class: `chart-line tone-${line.tone}`, 'stroke-dasharray': DASHES[line.tone - 1] || null, d: `M${x} ${y}h16` }),
      s('text.chart-name', { x: x + 22, y: y + 4, text: cut(line.name, 15) })
    ]);
  }

  // The crosshair. A silent one moves with the data and is not spoken.
  point(i, silent) {
    const { data } = this;
    this.index = data && i !== null && i < data.x.length ? i : null;
    this.tip.hidden = this.index === null || !this.x;
    if (this.tip.hidden) {
      fill(this.over);
      return;
    }
    const px = this.x(i);
    fill(
      this.over,
      s('path.chart-cross', { d: `M${px} ${TOP}V${this.height - BOTTOM}` }),
      data.series.map(
        l => l.values[i] !== null && s('circle', { class: `chart-dot tone-${l.tone}`, cx: px, cy: this.y(l.values[i]), r: 3 })
      )
    );
    const rows = data.series.map(l => ({ name: l.name, tone: l.tone, v: l.values[i] })).sort((a, b) => b.v - a.v);
    fill(
      this.tip,
      h('div.tip-head', data.describe(i)),
      rows.map(r =>
        h('div.tip-row', h('span', { class: `swatch tone-${r.tone}` }), h('span.tip-name', cut(r.name, 40)), h('span.n', this.format(r.v)))
      )
    );
    const wide = this.tip.offsetWidth;
    this.tip.style.left = `${px + 14 + wide > this.width ? Math.max(0, px - wide - 14) : px + 14}px`;
    attr(this.el, 'aria-valuenow', i);
    if (!silent) attr(this.el, 'aria-valuetext', `${data.describe(i)}: ${rows.map(r => `${r.name} ${this.format(r.v)}`).join(', ')}`);
  }
}

// Cut between characters, never inside one.
export function cut(value, n) {
  const letters = [...value];
  return letters.length > n ? `${letters.slice(0, n - 1).join('')}…` : value;
}
