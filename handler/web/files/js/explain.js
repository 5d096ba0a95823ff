// One record, stage by stage: what the pipeline loaded now makes of it, and why.
import { h, attr, fill, refill, icon } from './dom.js';
import { exact } from './format.js';
import { api } from './api.js';
import { MARK, levelOf, steps } from './steps.js';

const QUICK = 12;

export function mountExplain(root, { store, act }) {
  const field = (id, label, attrs) => {
    const input = h('input.input.n', { id, inputmode: 'numeric', required: true, autocomplete: 'off', ...attrs });
    return [input, h('div.field.row', h('label', { for: id, text: label }), input)];
  };
  const [partition, partitionField] = field('ex-partition', 'Partition', { pattern: '[0-9]+', size: 5 });
  const [offset, offsetField] = field('ex-offset', 'Offset', { pattern: '[0-9 ,._]+', size: 16 });
  const result = h(
    'div.explained',
    { 'aria-live': 'polite' },
    h('p.empty-line', 'Give a partition and an offset, or take the newest record of a partition.')
  );
  const recent = h('div.recent');
  const form = h(
    'form.explain-form',
    {
      onsubmit: e => {
        e.preventDefault();
        run();
      }
    },
    partitionField,
    offsetField,
    h('button.button.primary', { type: 'submit', text: 'Explain' }),
    recent
  );
  root.append(
    h(
      'div.section-head',
      h('h2', { id: 'explain-h', text: 'Explain' }),
      h('p.section-note', 'Reads one record again and shows what each stage of the file loaded now makes of it. Produces nothing.')
    ),
    h('div.card.explain-card', form, result)
  );

  let asked = 0;
  async function run() {
    const request = ++asked;
    attr(result, 'aria-busy', 'true');
    const x = await api.explain(partition.value.trim(), offset.value.replace(/[ ,._]/g, ''));
    if (request !== asked) return;
    attr(result, 'aria-busy', null);
    if (x.problem) {
      fill(result, h('div.problem', icon('warn'), h('div', h('p', h('strong', x.problem.title)), h('p.muted', x.problem.detail))));
      return;
    }
    const level = levelOf(x.explanation);
    fill(result, h('p', { class: `fate fate-${level}` }, icon(MARK[level]), h('strong', x.sentence)), h('ol.steps', steps(x, act)));
  }
  const newest = p => {
    const at = store.partitions.source.find(q => q.partition === p);
    if (at) go(p, Math.max(0, (at.end || at.position) - 1));
  };
  function quick() {
    const list = store.partitions.source
      .filter(p => (p.end || p.position) > 0)
      .slice(0, QUICK)
      .map(p => p.partition);
    if (recent.contains(document.activeElement)) return;
    refill(recent, list, list.length > 0 && (() => h('span.muted', 'newest of')), () =>
      list.map(p =>
        h('button', {
          class: 'button quiet small n',
          type: 'button',
          text: `p${p}`,
          'aria-label': `p${p}: explain its newest record`,
          onclick: () => newest(p)
        })
      )
    );
  }
  function go(p, o, jump) {
    partition.value = String(p);
    offset.value = exact(o);
    if (jump) {
      root.scrollIntoView();
      offset.focus({ preventScroll: true });
    }
    return run();
  }
  const update = type => {
    if (type === 'partitions') quick();
  };
  update.go = go;
  update.focus = () => {
    root.scrollIntoView();
    (partition.value ? offset : partition).focus({ preventScroll: true });
    (partition.value ? offset : partition).select();
  };
  return update;
}
