// Starts the page: one store, one stream of events, sections that redraw what is theirs.
import { h, $, text, attr, fill, refill, icon } from './dom.js';
import { at, clock, heardAt, now, num } from './format.js';
import { api, live, onLogin, sentence } from './api.js';
import { mountHealth } from './health.js';
import { mountFlow } from './flow.js';
import { mountPipeline } from './pipeline.js';
import { mountInsights } from './insights.js';
import { mountRejected } from './rejected.js';
import { mountExplain } from './explain.js';
import { mountPartitions } from './partitions.js';
import { confirm, isOpen, login, receipt, shortcuts } from './dialogs.js';
import { reload } from './reload.js';

const SECTIONS = ['flow', 'pipeline', 'insights', 'rejected', 'explain', 'partitions'];
const READ_ONLY = 'Read only: changes need HTTP_TOKEN, or the page opened on the machine itself.';
const store = {
  session: { may_change: false, may_read: false, login: false },
  status: null,
  pipeline: null,
  points: [],
  marks: [],
  rates: null,
  partitions: null,
  dead: null,
  anomalies: [],
  mistakes: []
};
const settings = {
  get(k) {
    try {
      return localStorage.getItem(`dash-${k}`);
    } catch {
      return null;
    }
  },
  set(k, v) {
    try {
      localStorage.setItem(`dash-${k}`, v);
    } catch {
      /* private mode */
    }
  }
};

// ---- colours: as the system, light, dark ----
const THEMES = { auto: ['auto', 'as the system'], light: ['sun', 'light'], dark: ['moon', 'dark'] };
const chosen = () => (THEMES[settings.get('theme')] ? settings.get('theme') : 'auto');
function theme(name) {
  settings.set('theme', name);
  attr(document.documentElement, 'data-theme', name === 'auto' ? null : name);
  const [mark, word] = THEMES[name];
  fill($('theme'), icon(mark));
  for (const a of ['aria-label', 'title']) attr($('theme'), a, `Colours: ${word}`);
}
const nextTheme = () => theme({ auto: 'light', light: 'dark', dark: 'auto' }[chosen()]);

// ---- acts ----
const everybody = s => (s.replicas > 1 ? `All ${s.replicas} replicas` : 'The only replica');
function pause() {
  const s = store.status;
  if (!s || !store.session.may_change || isOpen()) return;
  if (s.control) {
    confirm({
      title: `Resume ${s.group}?`,
      action: 'Resume the group',
      run: api.resume,
      lines: [
        `${everybody(s)} of ${s.group} will read again from where reading stopped. The events that waited are processed first; windows that should have closed meanwhile close as event time passes them.`
      ],
      done: () => receipt('ok', 'Resumed', `${everybody(s)} of ${s.group} will read again within seconds.`)
    });
    return;
  }
  confirm({
    title: 'Pause the whole group?',
    action: s.replicas > 1 ? `Pause all ${s.replicas} replicas` : `Pause ${s.group}`,
    danger: true,
    run: api.pause,
    lines: [
      `${everybody(s)} of ${s.group} will finish what is open and stop fetching within a few seconds. It holds across restarts until somebody resumes.`,
      `Nothing is lost. Lag grows by about ${num(store.rates ? store.rates.in : 0)} events a second and windows stay open.`
    ],
    field: { label: 'Reason, shown to everybody (optional)', placeholder: 'broker upgrade' },
    done: () => receipt('paused', `${s.group} is paused`, 'It stays so until somebody resumes.')
  });
}
function reloadFile() {
  if (!store.status || !store.pipeline || !store.session.may_change || isOpen()) return;
  reload(store, mistakes => {
    store.mistakes = mistakes;
    tell('mistakes');
  });
}

const act = { pause, explain: (partition, offset) => sections.explain.go(partition, offset, true), line: n => sections.pipeline.line(n) };
const context = { store, act };
const sections = {
  health: mountHealth($('health'), context),
  flow: mountFlow($('flow'), context),
  pipeline: mountPipeline($('pipeline'), context),
  insights: mountInsights($('insights'), context),
  rejected: mountRejected($('rejected'), context),
  explain: mountExplain($('explain'), context),
  partitions: mountPartitions($('partitions'), context)
};
// A section that fails takes nothing else with it.
const tell = type => {
  for (const section of Object.values(sections)) {
    try {
      section(type);
    } catch (e) {
      console.error(e);
    }
  }
};

// ---- the bar ----
function bar() {
  const s = store.status;
  const can = store.session.may_change;
  const paused = Boolean(s.control);
  text($('name'), s.pipeline);
  const titled = s.level === 'ok' ? s.pipeline : `${s.title} · ${s.pipeline}`;
  if (document.title !== titled) document.title = titled;
  const button = (id, mark, word, label, title) => {
    refill(
      $(id),
      word,
      () => icon(mark),
      () => h('span.button-word', word)
    );
    attr($(id), 'disabled', !can);
    attr($(id), 'aria-label', label);
    attr($(id), 'title', can ? title : READ_ONLY);
  };
  button(
    'pause',
    paused ? 'play' : 'pause',
    paused ? 'Resume' : 'Pause',
    paused ? 'Resume the group' : 'Pause the group',
    'Holds for the whole group'
  );
  button('reload', 'reload', 'Reload', 'Reload the pipeline file', 'Reads the pipeline file again on this replica');
  refill(
    $('foot'),
    [s.group, s.replica, s.version, can, store.session.login],
    () => h('p', `${s.group} · ${s.replica} · ${s.version} · times are UTC; point at one for your own`),
    () => !can && h('p', READ_ONLY),
    () =>
      store.session.login &&
      h('button.link', {
        text: 'Log out',
        onclick: async () => {
          const { problem } = await api.logout();
          if (problem) receipt('bad', 'Not logged out', sentence(problem));
          else ask();
        }
      })
  );
}

// Is the page itself live? That is another question than whether the service is healthy.
// `at` is when the service was last heard, null before the first time; `local` is by the browser's clock, for the age.
const heard = { at: null, local: Date.now() };
function freshness() {
  const first = heard.at === null;
  const lost = Date.now() - heard.local > (first ? 6000 : 4000);
  document.body.classList.toggle('is-stale', lost);
  text($('live-text'), lost ? 'not live' : first ? 'connecting' : `live ${clock(now())}`);
  const past = `This page lost the service at ${clock(heard.at)} UTC. All numbers are from then, not from now. It tries again by itself.`;
  if (lost) refill($('stale'), heard.at, h('p', first ? 'This page has not reached the service yet. It tries again by itself.' : past));
  $('stale').hidden = !lost;
}

// ---- events ----
const marks = list => (list || []).map(m => ({ ...m, t: at(m.at) }));
const WRITE = {
  session: data => {
    store.session = data;
  },
  pipeline: data => {
    if (store.pipeline && store.pipeline.loaded_at !== data.loaded_at) store.mistakes = [];
    store.pipeline = data;
  },
  status: data => {
    if (store.status && store.status.version !== data.version)
      receipt('ok', `The service is ${data.version} now`, 'Load the page again to have its newest version.');
    store.status = data;
  },
  history: data => {
    store.points = data.points || [];
    store.marks = marks(data.marks);
  },
  rates: data => {
    heardAt(data.t);
    store.rates = data;
    const last = store.points.at(-1);
    if (!last || last.t < data.t) store.points.push(data);
    while (store.points.length && store.points[0].t < data.t - 900e3) store.points.shift();
  },
  marks: data => {
    store.marks = marks(data);
  },
  partitions: data => {
    store.partitions = data;
  },
  anomalies: data => {
    store.anomalies = data.items;
  },
  dead_letters: data => {
    store.dead = data;
  }
};
function on(type, data) {
  if (!WRITE[type]) return;
  Object.assign(heard, { local: Date.now(), at: now() });
  WRITE[type](data);
  if (store.status && (type === 'status' || type === 'session')) bar();
  tell(type);
  if (type === 'status') freshness();
}

// ---- keyboard: single keys, never while typing, can be switched off ----
const KEYS = {
  '/': () => sections.insights.search(),
  e: () => sections.explain.focus(),
  p: pause,
  t: nextTheme,
  '?': () => shortcuts(settings)
};
document.addEventListener('keydown', e => {
  if (e.ctrlKey || e.metaKey || e.altKey || settings.get('keys') === 'off' || document.body.classList.contains('logged-out')) return;
  if (e.target.closest('input, select, textarea, dialog')) return;
  if (/^[1-6]$/.test(e.key)) {
    const el = $(SECTIONS[e.key - 1]);
    el.setAttribute('tabindex', '-1');
    el.scrollIntoView();
    el.focus({ preventScroll: true });
  } else if (KEYS[e.key]) KEYS[e.key]();
  else return;
  e.preventDefault();
});
$('pause').addEventListener('click', pause);
$('reload').addEventListener('click', reloadFile);
$('theme').addEventListener('click', nextTheme);
$('keys').addEventListener('click', () => shortcuts(settings));
fill($('keys'), h('span.key-mark', '?'));
attr($('keys'), 'title', 'Keyboard shortcuts');

// The section in view is marked in the bar.
const seen = new IntersectionObserver(
  entries => {
    for (const e of entries.filter(entry => entry.isIntersecting)) {
      for (const a of $('nav').querySelectorAll('a')) attr(a, 'aria-current', a.hash === `#${e.target.id}` ? 'true' : null);
    }
  },
  { rootMargin: '-72px 0px -70% 0px' }
);
for (const id of SECTIONS) seen.observe($(id));

const stream = live(on, () => {
  heard.local = Date.now();
});
function ask() {
  stream.stop();
  login(() => {
    stream.start();
  });
}
onLogin(ask);
theme(chosen());
setInterval(freshness, 1000);
freshness();
