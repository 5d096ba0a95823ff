// The last 15 minutes of one number. The cursor is bound to a moment in time, not to a pixel, and is the same in all
// trends; the scale moves only when it must.
import { h, s, text, attr, fill } from './dom.js';
import { clock, minute } from './format.js';

const SPAN = 15 * 60e3;
const STEP = 5e3;
const W = 240;
const H = 44;

function niceMax(v) {
  if (!(v > 0)) return 1;
  const p = 10 ** Math.floor(Math.log10(v));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map(m => m * p).find(m => m >= v * 0.9999);
}
// Grows at once, shrinks only when less than half is used: a live axis must not breathe.
export const steadyMax = (old, v) => (old && v <= old && v > old * 0.45 ? old : niceMax(v * 1.08));

// A line that is lifted where there is no value.
export function path(points) {
  let d = '';
  let pen = 'M';
  for (const [x, y] of points) {
    if (y === null) {
      pen = 'M';
      continue;
    }
    d += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = 'L';
  }
  return d || 'M0 0';
}
const runs = points =>
  points.reduce(
    (all, p) => {
      if (p[1] === null) all.push([]);
      else all.at(-1).push(p);
      return all;
    },
    [[]]
  );

// Five-second buckets on fixed borders, so that the shape of the past never changes. A bucket without points has nulls.
export function buckets(points, keys) {
  const out = [];
  const add = from => {
    out.push({ from, t: from + STEP / 2, n: {}, ...Object.fromEntries(keys.map(k => [k, null])) });
  };
  for (const p of points) {
    const from = Math.floor(p.t / STEP) * STEP;
    if (!out.length || from - out.at(-1).from > SPAN) add(from);
    while (out.at(-1).from < from) add(out.at(-1).from + STEP);
    const open = out.at(-1);
    for (const k of keys) {
      if (p[k] == null) continue;
      const n = open.n[k] || 0;
      open[k] = ((open[k] || 0) * n + p[k]) / (n + 1);
      open.n[k] = n + 1;
    }
  }
  return out;
}

export const cursor = {
  t: null,
  listeners: [],
  set(t) {
    this.t = t;
    for (const f of this.listeners) f();
  }
};

export class Trend {
  constructor({ label, kinds, format }) {
    Object.assign(this, { kinds, format, max: 0, now: 0, points: [] });
    this.area = s('path.trend-area');
    this.lines = kinds.map((k, i) => s('path', { class: `trend-line${i ? ' second' : ''}` }));
    this.gaps = s('g');
    this.marks = s('g');
    this.cross = s('path.trend-cross');
    this.svg = s(
      'svg.trend-svg',
      { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      s('path.trend-grid', { d: `M0 .5H${W}M0 ${H / 2}H${W}M0 ${H - 0.5}H${W}` }),
      this.gaps,
      this.area,
      this.lines,
      this.marks,
      this.cross
    );
    const axis = (name, content) => h('span', { class: `axis axis-${name}`, text: content });
    this.top = axis('top');
    this.middle = axis('mid');
    this.from = axis('from');
    this.dots = kinds.map((k, i) => h('span', { class: `trend-dot${i ? ' second' : ''}`, hidden: true }));
    this.el = h(
      'div.trend',
      {
        tabindex: '0',
        role: 'slider',
        'aria-label': `${label}, last 15 minutes`,
        'aria-valuemin': 0,
        'aria-valuemax': 900,
        'aria-valuenow': 900
      },
      this.svg,
      this.dots,
      this.top,
      this.middle,
      axis('zero', '0'),
      this.from,
      axis('to', 'now')
    );
    this.el.addEventListener('pointermove', e => {
      const box = this.svg.getBoundingClientRect();
      cursor.set(this.now - SPAN + SPAN * Math.max(0, Math.min(1, (e.clientX - box.left) / box.width)));
    });
    for (const leave of ['pointerleave', 'blur']) this.el.addEventListener(leave, () => cursor.set(null));
    this.el.addEventListener('keydown', e => this.key(e));
    cursor.listeners.push(() => this.point());
  }

  key(e) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -12, PageUp: 12 }[e.key];
    if (step) cursor.set(Math.min(this.now, Math.max(this.now - SPAN, (cursor.t ?? this.now) + step * STEP)));
    else if (e.key === 'Home') cursor.set(this.now - SPAN);
    else if (e.key === 'End') cursor.set(this.now);
    else if (e.key === 'Escape') cursor.set(null);
    else return;
    e.preventDefault();
  }

  x(t) {
    return ((t - (this.now - SPAN)) / SPAN) * W;
  }
  y(v) {
    return v === null ? null : H - 1 - Math.max(0, Math.min(1, v / this.max)) * (H - 4);
  }
  at(t) {
    let best = null;
    for (const p of this.points) if (!best || Math.abs(p.t - t) < Math.abs(best.t - t)) best = p;
    return best;
  }

  set(points, now, marks) {
    Object.assign(this, { points, now });
    this.max = steadyMax(this.max, Math.max(0, ...points.flatMap(p => this.kinds.map(k => p[k] || 0))));
    const line = k => points.map(p => [this.x(p.t), this.y(p[k])]);
    this.kinds.forEach((k, i) => attr(this.lines[i], 'd', path(line(k))));
    if (this.kinds.length === 1) {
      const areas = runs(line(this.kinds[0])).filter(r => r.length > 1);
      attr(this.area, 'd', areas.map(r => `${path(r)}L${r.at(-1)[0].toFixed(1)} ${H}L${r[0][0].toFixed(1)} ${H}Z`).join('') || 'M0 0');
    }
    fill(
      this.gaps,
      this.holes().map(([a, b]) => s('rect.trend-gap', { x: a, y: 0, width: Math.max(1, b - a), height: H }))
    );
    fill(
      this.marks,
      marks.filter(m => m.t > now - SPAN).map(m => s('path.trend-mark', { d: `M${this.x(m.t).toFixed(1)} 0V${H}` }))
    );
    text(this.top, this.format(this.max));
    text(this.middle, this.format(this.max / 2));
    text(this.from, minute(now - SPAN));
    this.point();
  }

  // Where nothing is known between what is known. Before the first value there is no gap, only no history.
  holes() {
    const holes = [];
    let open = null;
    let begun = false;
    for (const p of this.points) {
      const known = p[this.kinds[0]] !== null;
      begun ||= known;
      if (known || !begun) {
        open = null;
        continue;
      }
      if (!open) {
        open = [this.x(p.from), 0];
        holes.push(open);
      }
      open[1] = Math.min(W, this.x(p.from + STEP));
    }
    return holes;
  }

  point() {
    const p = cursor.t === null ? null : this.at(cursor.t);
    this.el.classList.toggle('has-cursor', Boolean(p));
    attr(this.cross, 'd', p ? `M${this.x(p.t).toFixed(1)} 0V${H}` : 'M0 0');
    this.kinds.forEach((k, i) => {
      const y = p && this.y(p[k]);
      this.dots[i].hidden = y === null;
      if (y !== null) Object.assign(this.dots[i].style, { left: `${(100 * this.x(p.t)) / W}%`, top: `${(100 * y) / H}%` });
    });
    const at = p || this.points.at(-1);
    if (!at) return;
    attr(this.el, 'aria-valuenow', Math.max(0, Math.min(900, Math.round((at.t - (this.now - SPAN)) / 1000))));
    if (document.activeElement === this.el || !this.el.hasAttribute('aria-valuetext')) {
      attr(this.el, 'aria-valuetext', `${clock(at.t)} UTC: ${this.kinds.map(k => this.format(at[k])).join(' and ')}`);
    }
  }
}
