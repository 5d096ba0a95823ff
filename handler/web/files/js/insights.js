// Live windows of each aggregate: which one is open, its chart over windows, and its table of groups. Asked for once a
// second while it is in view, less often when the answer takes long.
import { $, h, text, attr, fill, refill, icon } from './dom.js';
import { at, dur, length, measure, minute, clock, now, num, plural, span } from './format.js';
import { api, sentence } from './api.js';
import { LineChart } from './chart.js';
import { GroupTable, aligned, groupName, isOdd, numeric, passed } from './groups.js';
import { mountAnomalies } from './anomalies.js';

const PAGE = 12;
const WINDOWS = 30;
const describe = w =>
  w.kind === 'session'
    ? `sessions, gap ${length(w.gap_seconds)}, grace ${length(w.grace_seconds)}`
    : `${w.kind} ${length(w.size_seconds)}${w.kind === 'hopping' ? ` every ${length(w.every_seconds)}` : ''}, grace ${length(w.grace_seconds)}`;
const numbers = a => a.measures.filter(m => m.kind === 'number');

export function mountInsights(root, { store }) {
  const state = {
    name: null,
    measure: null,
    search: '',
    window: null,
    limit: PAGE,
    data: null,
    problem: null,
    busy: false,
    again: 0,
    seen: true
  };
  const rail = h('ul.rail', { 'aria-label': 'Aggregates' });
  const railPick = h('select.input.rail-select', { 'aria-label': 'Aggregate', onchange: e => open(e.target.value) });
  const title = h('h3.agg-title');
  const about = h('p.agg-about');
  const closing = h('p.agg-closing.n');
  const tabs = h('div.segments', { role: 'group', 'aria-label': 'Measure' });
  const chart = new LineChart({ label: 'Windows', height: 208, format: measure, onpick: pickWindow });
  const search = h('input.input.search', {
    type: 'search',
    id: 'group-search',
    maxlength: 200,
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'Search groups'
  });
  search.addEventListener('input', () => {
    state.search = search.value.trim();
    state.limit = PAGE;
    refresh(true);
  });
  const found = h('p.table-note');
  const table = new GroupTable({ store, onmeasure: pickMeasure, onrelease: () => render() });
  const more = h('button.button.quiet.small', {
    text: 'Show 25 more',
    onclick: () => {
      state.limit += 25;
      refresh(true);
    }
  });
  const newest = h('button.button.small', { hidden: true, text: 'Back to the newest window', onclick: () => pickWindow(null) });
  const notice = h('div.notice', { hidden: true });
  const empty = h('div.empty', { hidden: true });
  const content = h(
    'div.agg-content',
    h('div.agg-tools', tabs, closing),
    chart.el,
    h(
      'div.table-tools',
      h('label.search-wrap', { for: 'group-search' }, icon('search'), h('span.sr', 'Search groups'), search),
      found,
      table.held,
      newest
    ),
    table.el,
    h('div.table-foot', more)
  );
  const pane = h('div.agg', h('div.agg-head', title, railPick, about), notice, content, empty);
  const split = h('div.card.split-agg', { hidden: true }, rail, pane);
  const none = h(
    'div.empty.card',
    { hidden: true },
    h('p.empty-title', 'No aggregates'),
    h('p', 'Nothing is counted: the pipeline file has no ', h('code', 'aggregates:'), '. Events are forwarded all the same.')
  );
  const note = h('p.section-note');
  const anomalies = mountAnomalies({ store, show: showGroup });
  root.append(h('div.section-head', h('h2', { id: 'insights-h', text: 'Insights' }), note), anomalies.el, split, none);
  new IntersectionObserver(
    ([e]) => {
      state.seen = e.isIntersecting;
      if (state.seen) refresh();
    },
    { rootMargin: '200px' }
  ).observe(split);

  const aggregate = () => store.pipeline && store.pipeline.aggregates.find(a => a.name === state.name);

  function open(name, searched = '') {
    Object.assign(state, { name, search: searched, window: null, limit: PAGE, data: null, problem: null });
    search.value = searched;
    const a = aggregate();
    const first = numbers(a)[0];
    state.measure = first ? first.name : null;
    text(title, name);
    railPick.value = name;
    text(
      about,
      [
        a.group_by.length ? `by ${a.group_by.join(', ')}` : 'all events together',
        describe(a.window),
        a.where && `where ${a.where}`,
        a.detect && 'anomalies watched'
      ]
        .filter(Boolean)
        .join(' · ')
    );
    fill(
      tabs,
      numbers(a).map(m =>
        h('button.segment', { title: m.expression, 'data-measure': m.name, text: m.name, onclick: () => pickMeasure(m.name) })
      )
    );
    for (const { firstChild: b } of rail.children) attr(b, 'aria-current', b.dataset.name === name ? 'true' : null);
    content.hidden = true;
    empty.hidden = true;
    pickMeasure(state.measure);
  }
  function pickMeasure(name) {
    state.measure = name;
    for (const b of tabs.children) attr(b, 'aria-pressed', String(b.dataset.measure === name));
    table.reset(aggregate(), name);
    refresh(true);
  }
  function pickWindow(i) {
    const starts = state.data ? state.data.starts : [];
    state.window = i === null || i === starts.length - 1 ? null : (starts[i] ?? null);
    refresh(true);
  }
  function showGroup(x) {
    if (!store.pipeline.aggregates.some(a => a.name === x.aggregate)) return;
    open(
      x.aggregate,
      Object.values(x.group)
        .filter(v => v !== null)
        .join(' ')
    );
    pane.scrollIntoView({ block: 'nearest' });
    search.focus({ preventScroll: true });
  }

  let asked = 0;
  async function refresh(byHand) {
    const wanted = state.name && state.seen && !document.hidden;
    if (!wanted || (!byHand && (state.busy || performance.now() < state.again))) return;
    const request = ++asked;
    const began = performance.now();
    state.busy = true;
    const a = aggregate();
    const data = await api.groups({
      aggregate: state.name,
      measure: state.measure,
      search: state.search,
      limit: state.limit,
      windows: WINDOWS,
      window: state.window === null ? null : new Date(state.window).toISOString()
    });
    // Somebody has asked for something else meanwhile.
    if (request !== asked) return;
    state.busy = false;
    state.again = performance.now() + Math.max(800, 4 * (performance.now() - began));
    state.problem = data.problem || null;
    if (!data.problem) state.data = aligned(data, a, passed(store));
    render(byHand);
  }

  function announce() {
    const storage = store.status && store.status.storage;
    const away = storage && !storage.ok;
    notice.hidden = !(state.problem || away || (storage && storage.behind > 1000));
    if (notice.hidden) return;
    const say = away
      ? `The storage (${storage.kind}) is away: ${storage.reason || 'no reason is known'}. The stream goes on and insights are in Kafka; below is what was read last.`
      : state.problem
        ? `${sentence(state.problem)} Below is what was read last.`
        : `The storage is ${plural(storage.behind, 'record')} behind: the table is of a moment ago.`;
    refill(notice, say, icon('warn'), h('p', say));
  }
  function nothing(a) {
    const restoring = store.status && store.status.restore;
    refill(
      empty,
      `${state.name}${Boolean(restoring)}${Boolean(state.problem)}`,
      h('p.empty-title', restoring ? 'The state is being read back' : state.problem ? 'Nothing could be read' : 'No windows yet'),
      h(
        'p',
        restoring
          ? 'Tables fill as soon as it is there.'
          : state.problem
            ? 'The table fills as soon as the service answers.'
            : `The first event opens a ${a.window.kind === 'session' ? 'session' : 'window'}; it shows here within seconds and becomes final ${length(a.window.grace_seconds)} after its end.`
      )
    );
  }
  function render(byHand) {
    const a = aggregate();
    if (!a) return;
    announce();
    const d = state.data;
    const bare = !d || (!d.rows.length && !state.search);
    content.hidden = bare;
    empty.hidden = !bare || (!d && !state.problem);
    if (bare) {
      nothing(a);
      return;
    }
    for (const { firstChild: b } of rail.children) if (b.dataset.name === a.name) text(b.lastChild, plural(d.groups, 'group'));
    attr(search, 'placeholder', d.groups > 1000 ? `Search ${num(d.groups)} groups` : 'Search groups');
    lines(a, d);
    counts(a, d);
    const gone = d.rows.length === 0;
    table.el.hidden = gone;
    chart.el.hidden = gone || a.window.kind === 'session' || !state.measure;
    tabs.hidden = !state.measure;
    newest.hidden = state.window === null;
    more.hidden = gone || d.rows.length >= Math.min(d.matched, 1000);
    table.show(d, state.window, byHand);
  }
  function lines(a, d) {
    if (a.window.kind === 'session' || !state.measure || !d.rows.length) return;
    const shown = d.rows.slice(0, 5);
    const tones = table.tones(shown.map(r => r.key));
    const picked = state.window === null ? null : d.starts.indexOf(state.window);
    const format =
      a.window.size_seconds >= 86400 ? t => new Date(t).toISOString().slice(5, 10) : a.window.every_seconds % 60 ? clock : minute;
    chart.set({
      key: `${a.name}/${state.measure}`,
      x: d.starts,
      partial: d.partial,
      filling: d.filling,
      picked,
      formatX: format,
      series: shown.map(r => ({
        name: groupName(r.group),
        tone: tones.get(r.key),
        values: r.slots.map(w => w && numeric(w.measures[state.measure])),
        odd: d.starts.map((start, i) => (isOdd(store, a, state.measure, r.group, start) ? i : -1)).filter(i => i >= 0)
      })),
      describe: i =>
        `${span(d.starts[i], d.starts[i] + a.window.size_seconds * 1000)} · ${i < d.starts.length - d.partial ? 'final' : i < d.starts.length - d.filling ? 'open, in grace' : 'open, so far'}`
    });
  }
  function counts(a, d) {
    const by = state.measure ? ` by ${state.measure}` : '';
    const of = a.window.kind === 'session' ? '' : state.window !== null ? ' in the window you picked' : by && ' in the last whole window';
    text(
      found,
      state.search
        ? d.matched
          ? `${num(d.matched)} of ${plural(d.groups, 'group')} match`
          : `No group matches “${state.search}”. The search looks at the whole text of each group value.`
        : d.rows.length < d.matched
          ? `Top ${d.rows.length} of ${plural(d.matched, 'group')}${by}${of}`
          : `${plural(d.matched, 'group')}${by}${of}`
    );
    const start = state.window ?? d.starts.at(-1);
    if (a.window.kind === 'session' || start === undefined) {
      text(closing, '');
      return;
    }
    const end = start + a.window.size_seconds * 1000;
    const final = d.starts.indexOf(start) < d.starts.length - d.partial;
    const left = state.window === null && d.closes_at ? at(d.closes_at) - now() : null;
    text(closing, `Window ${span(start, end)} is ${final ? 'final' : `open${left > 0 ? `, final in ${dur(left / 1000)}` : ''}`}`);
  }

  function build() {
    const list = store.pipeline.aggregates;
    split.hidden = !list.length;
    none.hidden = Boolean(list.length);
    split.classList.toggle('one', list.length === 1);
    text(note, list.length ? plural(list.length, 'aggregate') : '');
    fill(
      rail,
      list.map(a =>
        h(
          'li',
          h(
            'button',
            {
              'data-name': a.name,
              title: a.name,
              onclick: () => {
                if (a.name !== state.name) open(a.name);
              }
            },
            h('span.rail-name', a.name),
            h('span.rail-note.n', describe(a.window).split(',')[0])
          )
        )
      )
    );
    fill(
      railPick,
      list.map(a => h('option', { value: a.name, text: a.name }))
    );
    if (!list.length) state.name = null;
    else open(list.some(a => a.name === state.name) ? state.name : list[0].name);
  }
  let built = '';
  const update = type => {
    if (type === 'pipeline') {
      const key = JSON.stringify(store.pipeline.aggregates);
      if (key !== built) {
        built = key;
        build();
      }
    }
    if (type === 'rates') refresh();
    if (type === 'status') announce();
    anomalies.update(type);
  };
  update.search = () => {
    if (!split.hidden && !content.hidden) {
      search.focus();
      $('group-search').scrollIntoView({ block: 'center' });
    }
  };
  return update;
}
