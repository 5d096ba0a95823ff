// One sentence: is it healthy, and when not, why, since when and what happens next.
import { h, text, attr, fill, refill, icon, copyButton } from './dom.js';
import { at, clock, dur, num, now, plural, since, time } from './format.js';

// What the state adds to the sentence, from the numbers of this second.
function fact(s, p) {
  const from = at(s.since);
  const long = from === null ? '' : `Since ${clock(from)} (${since(from)}).`;
  if (s.next_retry_at) {
    const left = Math.max(0, Math.ceil((at(s.next_retry_at) - now()) / 1000));
    const commit = s.last_commit_at ? ` Last commit ${clock(at(s.last_commit_at))} UTC.` : '';
    return `${long}${s.attempts ? ` Attempt ${num(s.attempts)} failed;` : ''} next in ${left} s.${commit}`;
  }
  if (s.restore)
    return `${Math.round(100 * s.restore.done)} % of the state${s.restore.left_seconds === null ? '' : `, about ${dur(s.restore.left_seconds)} left`}.`;
  if (s.control)
    return `Since ${clock(at(s.control.at))} (${since(at(s.control.at))}), from ${s.control.by}. ${p.lag === null ? 'How many events wait is not known.' : `${plural(p.lag, 'event waits', 'events wait')}.`}`;
  if (s.level !== 'ok') return long;
  const latency = p.p50_seconds === null ? '' : `, ${dur(p.p50_seconds)} from record to output (p50)`;
  return `For ${since(from)}. ${num(p.in)} events a second in${latency}.`;
}

export function mountHealth(root, { store, act }) {
  const mark = h('span.health-mark');
  const title = h('strong.health-title');
  const reason = h('span.health-reason');
  const facts = h('p.health-facts');
  const links = h('span.health-links');
  const more = h('ul.health-more');
  const extra = h('div.health-extra');
  const meta = h('dl.health-meta');
  const say = h('p.health-say', { role: 'status' }, title, ' ', reason);
  root.append(
    h('div.health-card', { hidden: true }, mark, h('div.health-text', say, h('div.health-line', facts, links), more, extra), meta)
  );
  const progress = h('progress', { max: 1, value: 0, 'aria-label': 'Restored' });
  const pair = (name, value) => h('div', h('dt', name), h('dd', { title: typeof value === 'string' ? value : null }, value));

  const firstSteps = () => {
    const command = `kcat -P -b BROKER:9092 -t ${store.pipeline ? store.pipeline.source : 'TOPIC'} < events.ndjson`;
    return h(
      'div.first-steps',
      h('p', 'Send events, one JSON object a line:'),
      h(
        'div.command',
        h('code', command),
        copyButton(() => command)
      ),
      h(
        'p',
        'Events that are there already but not read? ',
        h('code', 'KAFKA_AUTO_OFFSET_RESET'),
        ' says where a new group starts. With the embedded broker ',
        h('code', 'GENERATOR_RATE=100'),
        ' makes some.'
      )
    );
  };
  const waits = s => s.title.startsWith('Waiting for the first');
  function state(s) {
    root.firstChild.hidden = false;
    attr(root, 'data-level', s.level);
    fill(mark, icon(s.level));
    text(title, `${s.title}.`);
    text(reason, s.reason);
    const alive = (s.instances || []).filter(i => i.alive).length;
    fill(
      meta,
      pair('Replica', `${s.replica}, 1 of ${Math.max(alive, s.replicas)}`),
      pair('Delivery', s.delivery.replaceAll('_', ' ')),
      pair('Version', s.version),
      pair('File loaded', time(at(s.loaded_at)))
    );
    const resume =
      s.control &&
      h(
        'button.button.primary',
        { disabled: !store.session.may_change, onclick: act.pause },
        icon('play'),
        s.replicas > 1 ? `Resume all ${s.replicas} replicas` : 'Resume'
      );
    fill(extra, resume, s.restore && progress, waits(s) && firstSteps());
    // What else waits, beside the worst reason.
    fill(
      more,
      (s.waiting || []).filter(w => !s.reason.includes(w.reason)).map(w => h('li', h('span.mono', w.name), ' ', w.reason))
    );
  }
  function counts() {
    const odd = store.anomalies.length;
    const dead = store.dead ? store.dead.groups.reduce((n, g) => n + g.count, 0) : 0;
    const link = (to, label) => h('a.link', { href: to, text: label });
    refill(
      links,
      `${odd}/${dead}`,
      odd > 0 && link('#insights', plural(odd, 'anomaly', 'anomalies')),
      dead > 0 && link('#rejected', plural(dead, 'dead letter'))
    );
  }
  let shown = '';
  return () => {
    const s = store.status;
    if (!s) return;
    const key = JSON.stringify([
      s.level,
      s.title,
      s.reason,
      s.loaded_at,
      s.replicas,
      s.waiting,
      s.version,
      Boolean(s.restore),
      store.session.may_change
    ]);
    if (key !== shown) {
      shown = key;
      state(s);
    }
    text(facts, fact(s, store.rates || { in: null, lag: null, p50_seconds: null }));
    if (s.restore) progress.value = s.restore.done;
    counts();
  };
}
