// Anomalies as sentences: the number that is odd, and the windows that make it odd.
import { h, text, fill, keyed, icon } from './dom.js';
import { ago, at, measure, minute, now, plural, span } from './format.js';
import { clean } from './bytes.js';
import { LineChart } from './chart.js';
import { groupName, numeric, passed } from './groups.js';

const SHOWN = 3;
const HOUR = 3600e3;

// The band of what is usual, from the numbers of the record; without them the limit that was passed.
function band(x, sigma) {
  if (x.usual !== undefined && x.deviation !== undefined)
    return { low: x.usual - sigma * x.deviation, high: x.usual + sigma * x.deviation, mean: x.usual };
  if (x.above !== undefined) return { low: 0, high: x.above, mean: null, label: `limit ${measure(x.above)}` };
  if (x.below !== undefined) return { low: 0, high: x.below, mean: null, label: `limit ${measure(x.below)}` };
  return null;
}
const upward = x => (x.usual !== undefined ? x.value > x.usual : x.above !== undefined && x.value > x.above);

export function mountAnomalies({ store, show }) {
  const list = h('ul.anomalies', { hidden: true });
  const said = h('h3.sub-head');
  const more = h('button.link', {
    hidden: true,
    onclick: () => {
      all = !all;
      render();
    }
  });
  const head = h('div.sub-line', said, more);
  let all = false;

  const sigma = x => {
    const a = store.pipeline && store.pipeline.aggregates.find(y => y.name === x.aggregate);
    const found = a && a.detect && /sigma:\s*([\d.]+)/.exec(a.detect);
    return found ? Number(found[1]) : 3;
  };
  // A window that still fills would look like a drop.
  const whole = x =>
    (x.points || [])
      .map(p => ({ start: at(p.start), value: numeric(p.value) }))
      .filter(p => p.start + at(x.window.end) - at(x.window.start) <= passed(store));
  function card(x) {
    const n = x.anomaly;
    const up = upward(n);
    const chart = new LineChart({ label: `${n.measure}, ${groupName(x.group)}`, height: 96, format: measure, named: false });
    const when = h('span');
    const start = at(x.window.start);
    const end = at(x.window.end);
    const points = whole(x);
    const li = h(
      'li.anomaly',
      h(
        'p.anomaly-say',
        h('span.anomaly-mark', { role: 'img', 'aria-label': up ? 'higher than usual' : 'lower than usual' }, icon(up ? 'up' : 'down')),
        h('span', clean(n.sentence))
      ),
      points.length > 1 && chart.el,
      h('p.anomaly-foot', when, h('button.link', { text: 'Show group', onclick: () => show(x) }))
    );
    li.update = () => fill(when, h('span.mono', x.aggregate), ' · ', ago(at(x.updated_at)));
    const odd = points.findIndex(p => p.start === start);
    chart.set({
      key: 'anomaly',
      x: points.map(p => p.start),
      formatX: minute,
      band: band(n, sigma(x)),
      series: [{ name: n.measure, tone: 'plain', values: points.map(p => p.value), odd: odd < 0 ? [] : [odd] }],
      describe: i => `${span(points[i].start, points[i].start + (end - start))} · ${i === odd ? 'odd' : 'as usual'}`
    });
    return li;
  }
  function render() {
    if (!store.pipeline) return;
    const watched = store.pipeline.aggregates.some(a => a.detect);
    const recent = store.anomalies.filter(x => now() - at(x.updated_at) < HOUR);
    const shown = recent.length ? recent : store.anomalies;
    text(
      said,
      recent.length
        ? `${plural(recent.length, 'anomaly', 'anomalies')} in the last hour`
        : store.anomalies.length
          ? `No anomalies in the last hour; before that ${store.anomalies.length >= 50 ? 'the last 50' : store.anomalies.length}`
          : watched
            ? 'No anomalies'
            : 'No aggregate looks for anomalies: detect: in the pipeline file does'
    );
    head.hidden = !store.pipeline.aggregates.length;
    more.hidden = shown.length <= SHOWN;
    text(more, all ? 'Show fewer' : `Show all ${shown.length}`);
    list.hidden = !shown.length;
    const key = x => JSON.stringify([x.aggregate, x.group, x.window.start, x.updated_at, whole(x)]);
    keyed(list, all ? shown : shown.slice(0, SHOWN), key, card, li => li.update());
  }
  let ticks = 0;
  return {
    el: h('div', head, list),
    update(type) {
      if (type === 'anomalies' || type === 'pipeline' || (type === 'rates' && ticks++ % 5 === 0)) render();
    }
  };
}
