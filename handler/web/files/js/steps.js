// The stages of an explained record as a list of steps. What they say is the service's Explanation.
import { h, icon } from './dom.js';
import { at, bytes as size, exact, plural, span, stamp } from './format.js';
import { bytesOf, clean, cutNote, marked, view } from './bytes.js';
import { inputs } from './letter.js';

export const MARK = { ok: 'check', failed: 'x', dropped: 'minus', late: 'wait', source: 'dot' };
const WORD = { ok: 'passed', failed: 'failed', dropped: 'filtered out', late: 'late', source: 'read' };
// Fields that are listed.
const MOST = 60;

// A value of the event; text without its quotes, what is not there as nothing.
const show = v => (v === undefined ? '' : clean(typeof v === 'string' ? v : JSON.stringify(v)));
const lineOf = place => {
  const m = /:(\d+):\d+$/.exec(place || '');
  return m ? Number(m[1]) : null;
};
const lates = x => (x.aggregates || []).filter(a => a.late);
export const levelOf = x => ({ filtered: 'dropped', dead_letter: 'failed' })[x.outcome] || (lates(x).length ? 'late' : 'ok');

function step(kind, name, summary, ...content) {
  return h(
    'li',
    { class: `step step-${kind}` },
    h('span.step-mark', { role: 'img', 'aria-label': WORD[kind] }, icon(MARK[kind])),
    h('div.step-body', h('p.step-head', h('strong', name), h('span.step-word', summary)), content)
  );
}

// {record, explanation} as steps. act.line shows a line of the pipeline file.
export function steps({ record, explanation: x }, act) {
  const line = place => {
    const n = lineOf(place);
    return n && h('button.line-no', { title: 'Show it in the file', text: `line ${n}`, onclick: () => act.line(n) });
  };
  const ended = stage => x.outcome !== 'forwarded' && x.stage === stage;
  const value = bytesOf(record, 'value');
  return [
    source(record, value),
    decode(x, value, ended('decode'), line),
    x.filter && filter(x.filter, ended('filter'), x, line),
    x.transform && x.transform.length > 0 && transform(x, value, line),
    x.outputs && outputs(x, line),
    x.aggregates && x.aggregates.length > 0 && aggregates(x, line),
    x.outcome === 'dead_letter' &&
      !['decode', 'filter', 'transform', 'route', 'aggregate'].includes(x.stage) &&
      step('failed', 'Rejected', x.why),
    x.records.length > 0 && records(x)
  ];
}

function source(r, value) {
  const key = bytesOf(r, 'key');
  const facts = [
    `${r.topic}, partition ${r.partition}, offset ${exact(r.offset)}`,
    r.timestamp && `${stamp(at(r.timestamp))} UTC`,
    value ? size(value.length) : 'no value'
  ]
    .filter(Boolean)
    .join(', ');
  return step(
    'source',
    'Record',
    facts,
    key && h('p.inputs.mono', h('span.muted', 'key = '), marked(key)),
    value && view('Value of the record', marked(value)),
    value && cutNote(value) && h('p.muted', cutNote(value))
  );
}

function decode(x, value, failed, line) {
  const t = x.event_time;
  if (failed) {
    const byte = /^byte (\d+):/.exec(x.why || '');
    return step(
      'failed',
      'Decode',
      [`failed: ${clean(x.why)} `, t && line(t.at)],
      t && t.reads && inputs(t.reads),
      !t &&
        value &&
        byte &&
        view('Where it failed', marked(value, byte[1] - 1))
    );
  }
  return step('ok', 'Decode', [plural(x.fields, 'field'), t && t.time && `, event time ${t.time} `, t && line(t.at)]);
}

// A condition part by part: what each came to, and what it read.
function parts(c) {
  const mark = { true: 'check', false: 'x', error: 'x', 'not evaluated': 'minus' };
  const word = { 'not evaluated': 'not asked' };
  return h(
    'ul.terms',
    c.parts.map(p =>
      h(
        'li',
        h('span', { class: `bool bool-${p.result === 'true'}` }, icon(mark[p.result] || 'dot'), word[p.result] || p.result),
        h('code', p.expression),
        p.error ? h('span.bad-text', clean(p.error)) : inputs(p.reads)
      )
    )
  );
}
function filter(c, ended, x, line) {
  const kind = !ended ? 'ok' : x.outcome === 'dead_letter' ? 'failed' : 'dropped';
  return step(kind, 'Filter', [{ ok: 'lets it through ', failed: 'failed ', dropped: 'drops it ' }[kind], line(c.at)], parts(c));
}

const SIGN = { set: '~', added: '+', removed: '−', renamed: '→', same: '', failed: '×' };
const CHANGE = { set: 'changed', added: 'added', removed: 'removed', renamed: 'renamed', same: 'unchanged', failed: 'failed' };
function kindOf(c) {
  if (c.action === 'fail') return 'failed';
  if (c.action === 'remove') return 'removed';
  if (c.action === 'rename') return 'renamed';
  return c.before === undefined ? 'added' : JSON.stringify(c.before) === JSON.stringify(c.after) ? 'same' : 'set';
}
// The fields that nothing touches are not in the explanation: they are in the event.
function untouched(value, changes) {
  let event = null;
  try {
    event = JSON.parse(new TextDecoder().decode(value));
  } catch {
    /* it is not JSON: there is no transform either */
  }
  if (!event || typeof event !== 'object' || Array.isArray(event)) return [];
  const known = new Set(changes.map(c => c.field.split('.')[0]));
  return Object.keys(event)
    .filter(name => !known.has(name))
    .map(name => ({ action: 'same', field: name, before: event[name] }));
}
function row(c, line) {
  const kind = c.action === 'same' ? 'same' : kindOf(c);
  const name = c.action === 'rename' ? `${c.field} → ${c.to}` : c.field;
  const after = kind === 'failed' ? h('span.bad-text', clean(c.error)) : kind === 'same' || kind === 'renamed' ? '' : show(c.after);
  return h(
    'tr',
    { class: `diff-${kind}` },
    h('td.sign', h('span', { 'aria-hidden': 'true', text: SIGN[kind] }), h('span.sr', CHANGE[kind])),
    h('th.mono', { scope: 'row', text: clean(name) }),
    h('td.mono.before', { title: show(c.before), text: show(c.before) }),
    h('td.mono.after', { title: typeof after === 'string' ? after : null }, after),
    h('td.by', c.expression && h('code', c.expression), !c.expression && kind !== 'same' && h('code', c.action), ' ', line(c.at))
  );
}
function transform(x, value, line) {
  const failed = x.outcome === 'dead_letter' && x.stage === 'transform';
  const rows = [...x.transform, ...(value ? untouched(value, x.transform) : [])];
  const changed = x.transform.filter(c => kindOf(c) !== 'same').length;
  const columns = ['', 'field', 'before', 'after', 'by'].map(t => h('th', { scope: 'col' }, t || h('span.sr', 'change')));
  return step(
    failed ? 'failed' : 'ok',
    'Transform',
    failed ? `failed: ${clean(x.why)}` : `${plural(changed, 'field changes', 'fields change')}`,
    h(
      'div.table-wrap',
      h(
        'table.table.diff',
        h('thead', h('tr', columns)),
        h(
          'tbody',
          rows.slice(0, MOST).map(c => row(c, line))
        )
      )
    ),
    rows.length > MOST && h('p.muted', `${rows.length - MOST} more fields are not listed.`)
  );
}

function outputs(x, line) {
  const taken = x.outputs.filter(o => o.taken).length;
  const failed = x.outcome === 'dead_letter' && x.stage === 'route';
  const item = o =>
    h(
      'li',
      { class: o.taken ? '' : 'off' },
      icon(o.taken ? 'arrow' : o.error ? 'x' : 'minus'),
      h('span.mono', o.topic),
      o.error
        ? [h('span.bad-text', clean(o.error)), inputs(o.reads)]
        : o.taken
          ? h(
              'span.muted',
              [Number.isInteger(o.partition) && `partition ${o.partition}`, o.key !== undefined && `key ${clean(o.key)}`]
                .filter(Boolean)
                .join(', ')
            )
          : o.when && o.when.result !== 'true'
            ? [
                h('span.muted', 'not sent: ', h('code', o.when.expression), ` is ${o.when.result} `, line(o.when.at)),
                inputs(o.when.parts.flatMap(p => p.reads || []))
              ]
            : h('span.muted', 'nothing is sent, since the event is a dead letter')
    );
  return step(
    failed ? 'failed' : taken ? 'ok' : 'dropped',
    'Outputs',
    failed ? clean(x.why) : `${taken} of ${plural(x.outputs.length, 'topic')}`,
    h('ul.facts', x.outputs.map(item))
  );
}

function windows(a) {
  if (a.gap) return `session, joins what is no further apart than ${a.gap}`;
  if (!a.windows || !a.windows.length) return '';
  const first = span(at(a.windows[0].start), at(a.windows[0].end));
  const of = a.windows_count || a.windows.length;
  return of > 1 ? `windows ${first} and ${of - 1} more` : `window ${first}`;
}
function aggregates(x, line) {
  const counted = x.aggregates.filter(a => a.counted).length;
  const late = lates(x).length;
  const failed = x.outcome === 'dead_letter' && x.stage === 'aggregate';
  const left = a => a.where && a.where.result !== 'true';
  const bad = a =>
    [a.error, ...[...(a.group || []), ...(a.measures || [])].map(i => i.error && `${i.name}: ${i.error}`)].filter(Boolean).join('; ');
  const item = a =>
    h(
      'li',
      { class: a.late ? 'late' : a.counted ? '' : 'off' },
      icon(a.late ? 'wait' : a.counted ? 'arrow' : 'minus'),
      h('span.mono', a.aggregate),
      left(a)
        ? [
            h('span.muted', 'not counted: ', h('code', a.where.expression), ` is ${a.where.result} `, line(a.where.at)),
            inputs(a.where.parts.flatMap(p => p.reads || []))
          ]
        : [
            a.group && h('span', a.group.map(g => (g.value == null ? 'none' : show(g.value))).join(', ') || 'all events'),
            h('span.muted.n', windows(a)),
            a.late && h('span.muted', lateness(a)),
            bad(a) && h('span.bad-text', clean(bad(a)))
          ]
    );
  return step(
    failed ? 'failed' : late ? 'late' : counted ? 'ok' : 'dropped',
    'Aggregates',
    failed ? clean(x.why) : late ? `late for ${late} of ${x.aggregates.length}` : `counted in ${counted} of ${x.aggregates.length}`,
    h('ul.facts', x.aggregates.map(item))
  );
}
const lateness = a =>
  a.lateness
    ? `closed: late. The watermark of its partition was ${stamp(at(a.lateness.watermark))}, grace is ${a.lateness.grace}`
    : 'closed: late';

function records(x) {
  const produced = x.records.map(r =>
    h(
      'li',
      h(
        'p',
        h('span.mono', r.topic),
        h(
          'span.muted',
          r.dead_letter
            ? ' dead letter, the bytes as they came'
            : ` partition ${r.partition}${r.key === null ? '' : `, key ${clean(r.key)}`}`
        )
      ),
      r.value !== undefined && view(`Record for ${r.topic}`, clean(JSON.stringify(r.value)))
    )
  );
  return step(x.outcome === 'dead_letter' ? 'failed' : 'ok', 'Records', plural(x.records.length, 'record'), h('ul.produced', produced));
}
