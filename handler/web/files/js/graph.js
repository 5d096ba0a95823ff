// Where the stages of the picture stand, from left to right, and the ways between them. It knows the kinds of stages,
// nothing of the page. Where there is little room the style sheet lists the stages without ways.

// Height.
const NODE = 46;
const HIDDEN = [-99, -99];

const isFan = n => n.kind === 'output' || n.kind === 'aggregate';
const named = (nodes, id) => nodes.find(n => n.id === id);
export const chainOf = nodes => ['source', 'filter', 'transform'].map(kind => nodes.find(n => n.kind === kind)).filter(Boolean);

// The ways between nodes: {from, to, key, kind}, key being the name of its rate.
export function ways(nodes) {
  const chain = chainOf(nodes);
  const last = chain.at(-1);
  const list = [];
  const way = (from, to, key, kind = 'good') => {
    if (from && to) list.push({ from: from.id, to: to.id, key, kind });
  };
  const dead = named(nodes, 'dead');
  chain.slice(1).forEach((n, i) => way(chain[i], n, n.kind === 'transform' ? 'filter>transform' : 'source>filter'));
  for (const n of nodes.filter(isFan)) way(last, n, n.id);
  way(chain.find(n => n.kind === 'filter') || last, named(nodes, 'filtered'), 'filter>filtered', 'filtered');
  way(last, named(nodes, 'filtered'), 'transform>filtered', 'filtered');
  way(chain[0], dead, 'source>dead', 'dead');
  if (last !== chain[0]) way(last, dead, 'transform>dead', 'dead');
  const aggregates = nodes.filter(n => n.kind === 'aggregate');
  way(aggregates.at(-1), dead, 'aggregates>dead', 'dead');
  return list;
}

// Answers {height, places: {id: [x, y, width, height]}, lines: {key: {d, label: [x, y], anchor}}}.
export function layout(nodes, width) {
  const chain = chainOf(nodes);
  const fan = nodes.filter(isFan);
  const step = Math.min(54, Math.max(34, 420 / Math.max(1, fan.length)));
  const slim = Math.min(NODE, step - 6);
  const w = Math.max(124, Math.min(152, (width - 3 * 72) / 4.3));
  const fanW = Math.min(208, w * 1.36);
  const gap = Math.min(150, (width - chain.length * w - fanW) / chain.length);
  const fanTall = fan.length * step - (step - slim);
  const mid = 30 + Math.max(fanTall / 2, 95);
  const top = mid - NODE / 2;
  const fanX = chain.length * (w + gap);
  const places = {};
  const lines = {};
  const set = (key, d, label = HIDDEN, anchor = 'middle') => {
    lines[key] = { d, label, anchor };
  };

  chain.forEach((n, i) => {
    const x = i * (w + gap);
    places[n.id] = [x, top, w, NODE];
    if (i) set(n.kind === 'transform' ? 'filter>transform' : 'source>filter', `M${x - gap} ${mid}H${x}`, [x - gap / 2, mid - 7]);
  });
  fan.forEach((n, i) => {
    places[n.id] = [fanX, mid - fanTall / 2 + i * step, fanW, slim];
  });
  const filtering = chain.find(n => n.kind === 'filter') || chain.at(-1);
  const fx = places[filtering.id][0];
  places.filtered = [fx, top - 92, w, NODE];
  set('filter>filtered', `M${fx + w / 2} ${top}V${top - 92 + NODE}`, [fx + w / 2 + 8, top - 19], 'start');

  const last = places[chain.at(-1).id][0];
  // What no output takes is filtered too.
  if (last !== fx)
    set('transform>filtered', `M${last + w / 2} ${top}V${top - 59}q0 -10 -10 -10H${fx + w}`, [last + w / 2 + 8, top - 19], 'start');
  const low = Math.max(top + 92, mid + fanTall / 2 + 14 - NODE * (fan.length < 5 ? 0.4 : 0));
  const ly = low + NODE / 2;
  places.dead = [last, low, w, NODE];
  if (chain.length > 1) {
    set('source>dead', `M${w / 2} ${top + NODE}V${ly - 10}q0 10 10 10H${last}`, [w / 2 + 16, ly - 7], 'start');
    set('transform>dead', `M${last + w / 2} ${top + NODE}V${low}`, [last + w / 2 + 8, top + NODE + 26], 'start');
  } else set('source>dead', `M${w / 2} ${top + NODE}V${low}`, [w / 2 + 8, top + NODE + 26], 'start');
  const bend = last + w + gap / 2;
  for (const n of fan) {
    const y = places[n.id][1] + places[n.id][3] / 2;
    const up = y < mid ? -1 : 1;
    const r = Math.min(8, Math.abs(y - mid) / 2);
    set(
      n.id,
      Math.abs(y - mid) < 1
        ? `M${last + w} ${mid}H${fanX}`
        : `M${last + w} ${mid}H${bend - r}q${r} 0 ${r} ${up * r}V${y - up * r}q0 ${up * r} ${r} ${up * r}H${fanX}`
    );
  }
  if (fan.length) {
    const [x, y, , tallest] = places[fan.at(-1).id];
    const from = x + fanW - 24;
    set('aggregates>dead', `M${from} ${y + tallest}V${ly - 10}q0 10 -10 10H${last + w}`, [last + w + 12, ly - 7], 'start');
  }
  return { height: Math.max(low + NODE, mid + fanTall / 2) + 20, places, lines };
}
