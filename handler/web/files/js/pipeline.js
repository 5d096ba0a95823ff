// The pipeline as a picture with the file beside it: each explains the other.
import { $, h, s, text, attr, fill } from './dom.js';
import { NONE, at, plural, rate, time } from './format.js';
import { chainOf, layout, ways } from './graph.js';

const per = v => (v == null ? NONE : `${rate(v)}/s`);

// One line of YAML with its key and its comment told apart.
function yaml(line) {
  const parts = /^(\s*(?:- )?)([\w${}:.-]+?)(:)(.*?)(\s+#.*)?$/.exec(line);
  if (!parts) return [/^\s*#/.test(line) ? h('span.y-note', line) : line];
  return [parts[1], h('span.y-key', parts[2]), parts[3], parts[4], parts[5] && h('span.y-note', parts[5])];
}

export function mountPipeline(root, { store }) {
  const note = h('p.section-note');
  const svg = s('svg.edges', { 'aria-hidden': 'true' });
  const graph = h('div.graph', svg);
  const code = h('ol.yaml', { tabindex: '0', 'aria-label': 'Pipeline file' });
  const file = h('span.mono');
  const where = h('span.muted');
  const problems = h('p.yaml-state', { hidden: true });
  root.append(
    h('div.section-head', h('h2', { id: 'pipeline-h', text: 'Pipeline' }), note),
    h(
      'div.card.split-pipe',
      h('div.graph-wrap', graph),
      h('div.yaml-wrap', h('div.yaml-in', h('div.pane-head', file, where), problems, code))
    )
  );
  let nodes = [];
  let edges = [];
  let picked = null;
  let width = 0;
  let built = '';

  function mark(from, to, scroll) {
    [...code.children].forEach((li, i) => li.classList.toggle('on', i + 1 >= from && i + 1 <= to));
    text(where, from ? `line${from === to ? ` ${from}` : `s ${from}–${to}`}` : '');
    const first = code.children[from - 1];
    if (first && scroll) code.scrollTop = Math.max(0, first.offsetTop - code.offsetTop - code.clientHeight / 2 + (to - from) * 9);
  }
  function pick(id, scroll) {
    picked = id;
    const stage = store.pipeline.stages.find(x => x.id === id);
    for (const n of nodes) attr(n.el, 'aria-pressed', String(n.id === id));
    mark(...((stage && stage.lines) || [0, -1]), scroll);
    if (stage && !stage.lines) text(where, `no ${stage.kind} in the file`);
  }
  function node({ id, kind, title }, act) {
    const value = h('span.node-rate.n');
    const el = h(
      'button',
      { class: `node node-${kind}`, 'aria-pressed': 'false', onclick: act || (() => pick(id, true)) },
      h('span.node-kind', kind),
      value,
      h('span.node-title', { title, text: title })
    );
    return { id, kind, el, value };
  }
  const jump = () => $('rejected').scrollIntoView();

  function build() {
    const p = store.pipeline;
    const filtering = () => pick((chainOf(nodes).find(n => n.kind === 'filter') || nodes[0]).id, true);
    nodes = [
      ...p.stages.map(x => node(x)),
      node({ id: 'filtered', kind: 'dropped', title: 'filtered out' }, filtering),
      node({ id: 'dead', kind: 'rejected', title: 'dead letters' }, jump)
    ];
    edges = ways(nodes).map(w => ({ ...w, line: s('path', { class: `edge edge-${w.kind}` }), label: s('text.edge-label') }));
    fill(
      graph,
      svg,
      nodes.map(n => n.el)
    );
    fill(
      svg,
      edges.map(e => e.line),
      edges.map(e => e.label)
    );
    const choose = i => {
      const hit = p.stages.find(x => x.lines && i >= x.lines[0] && i <= x.lines[1]);
      if (hit) pick(hit.id);
    };
    fill(
      code,
      p.text
        .split('\n')
        .map((line, i) =>
          h(
            'li',
            { onclick: () => choose(i + 1) },
            h('span.code-no', { 'aria-hidden': 'true', text: String(i + 1) }),
            h('code', yaml(line))
          )
        )
    );
    text(file, p.file);
    place();
    const first = p.stages.find(x => x.id === picked) || p.stages.find(x => x.kind === 'filter') || p.stages[0];
    if (first) pick(first.id, true);
  }
  function place() {
    if (!width || !nodes.length) return;
    const { height, places, lines } = layout(nodes, Math.max(620, width));
    graph.classList.toggle('listed', width < 620);
    for (const n of nodes) {
      const [left, top, w, tall] = (places[n.id] || [0, 0, 0, 0]).map(v => Math.round(v));
      Object.assign(n.el.style, { left: `${left}px`, top: `${top}px`, width: `${w}px`, height: `${tall}px` });
      n.el.classList.toggle('slim', tall < 40);
    }
    for (const e of edges) {
      const { d = 'M0 0', label = [-99, -99], anchor = 'start' } = lines[e.key] || {};
      attr(e.line, 'd', d);
      attr(e.label, 'x', label[0]);
      attr(e.label, 'y', label[1]);
      attr(e.label, 'text-anchor', anchor);
    }
    graph.style.height = `${height}px`;
    for (const [name, value] of [
      ['width', width],
      ['height', height],
      ['viewBox', `0 0 ${width} ${height}`]
    ])
      attr(svg, name, value);
  }
  new ResizeObserver(([e]) => {
    const w = Math.round(e.contentRect.width);
    if (w && w !== width) {
      width = w;
      place();
    }
  }).observe(graph);

  function rates() {
    const r = store.rates;
    if (!r || !nodes.length) return;
    const e = r.edges || {};
    for (const edge of edges) {
      const v = e[edge.key];
      text(edge.label, edge.key === 'aggregates>dead' ? `${per(v)} late` : edge.key === 'transform>filtered' && !v ? '' : per(v));
      edge.line.style.strokeWidth = `${v ? 1.2 + 2.6 * Math.sqrt(Math.min(1, v / Math.max(1, r.in))) : 1}px`;
      edge.line.classList.toggle('quiet', !v);
      edge.line.style.display = edge.key === 'transform>filtered' && !v ? 'none' : '';
    }
    const of = {
      source: r.in,
      filter: e['source>filter'],
      transform: e['filter>transform'],
      dead: r.dead_letter + r.late,
      filtered: r.filtered
    };
    for (const n of nodes) text(n.value, per(n.id in of ? of[n.id] : e[n.id]));
  }
  function refused() {
    const bad = store.mistakes;
    [...code.children].forEach((li, i) =>
      li.classList.toggle(
        'bad',
        bad.some(e => e.line === i + 1)
      )
    );
    problems.hidden = !bad.length;
    text(
      problems,
      bad.length
        ? `Shown is the file in use. The one on disk was refused: ${bad.map(e => `line ${e.line}:${e.column} ${e.message}`).join('; ')}`
        : ''
    );
  }
  const update = type => {
    if (type === 'pipeline') {
      const p = store.pipeline;
      fill(note, p.partitions === null ? '' : `${plural(p.partitions, 'source partition')} · `, 'loaded ', time(at(p.loaded_at)), ' UTC');
      const key = JSON.stringify([p.text, p.stages]);
      if (key !== built) {
        built = key;
        build();
      }
      refused();
      rates();
    }
    if (type === 'rates') rates();
    if (type === 'mistakes') refused();
  };
  update.line = n => {
    root.scrollIntoView();
    mark(n, n, true);
    code.focus({ preventScroll: true });
  };
  return update;
}
