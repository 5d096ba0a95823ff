// Elements, keyed lists and icons. Data reaches the page only through textContent and attributes, never through markup:
// group values, topics and dead letters are hostile input.

const SVG = 'http://www.w3.org/2000/svg';
const shown = kid => kid != null && kid !== false && kid !== '';

function build(el, attrs, kids) {
  for (const [name, value] of Object.entries(attrs || {})) {
    if (value == null || value === false) continue;
    if (name === 'text') el.textContent = value;
    else if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else el.setAttribute(name, value === true ? '' : value);
  }
  el.append(...kids.flat(9).filter(shown));
  return el;
}

// h('button.small', {onclick}, 'Show'): the name with its classes, attributes, children. The attributes may be left out.
function make(create, name, kids) {
  const [tag, ...classes] = name.split('.');
  const el = create(tag);
  if (classes.length) el.setAttribute('class', classes.join(' '));
  const attrs = kids[0] && kids[0].constructor === Object ? kids.shift() : null;
  return build(el, attrs, kids);
}
export function h(name, ...kids) {
  const el = make(tag => document.createElement(tag), name, kids);
  if (el.localName === 'button' && !el.hasAttribute('type')) el.type = 'button';
  return el;
}
export const s = (name, ...kids) => make(tag => document.createElementNS(SVG, tag), name, kids);
export const $ = id => document.getElementById(id);

// Writes only what changed, so that selected text, focus and tooltips survive the next second.
export function text(el, value) {
  const v = String(value ?? '');
  if (el.textContent !== v) el.textContent = v;
  return el;
}
export function attr(el, name, value) {
  if (value == null || value === false) el.removeAttribute(name);
  else if (el.getAttribute(name) !== String(value)) el.setAttribute(name, value === true ? '' : value);
  return el;
}
export function fill(el, ...kids) {
  el.replaceChildren(...kids.flat(9).filter(shown));
  return el;
}
// Fills anew only when what it is made of has changed.
const made = new WeakMap();
export function refill(el, of, ...kids) {
  const key = String(of);
  if (made.get(el) === key) return;
  made.set(el, key);
  fill(el, ...kids.map(kid => (typeof kid === 'function' ? kid() : kid)));
}

// Rows are matched by key and updated in place. With `hold` (pointer or focus inside) nothing is added, removed or moved:
// a row never slips away under the pointer.
const listed = new WeakMap();
export const forget = parent => {
  listed.delete(parent);
  parent.replaceChildren();
};
export function keyed(parent, items, key, create, update, hold) {
  const rows = listed.get(parent) || listed.set(parent, new Map()).get(parent);
  const seen = new Set();
  let at = parent.firstElementChild;
  for (const item of items) {
    const k = key(item);
    seen.add(k);
    let row = rows.get(k);
    if (!row) {
      if (hold && rows.size) continue;
      row = create(item);
      rows.set(k, row);
    }
    update(row, item);
    if (hold && row.parentNode) continue;
    if (row === at) at = at.nextElementSibling;
    else parent.insertBefore(row, at);
  }
  if (hold) return;
  for (const [k, row] of rows) {
    if (seen.has(k)) continue;
    row.remove();
    rows.delete(k);
  }
}

const PATHS = {
  ok: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M5 8.2l2.1 2.1L11.2 6',
  warn: 'M8 1.8L15 14H1zM8 6.2v3.6M8 11.8v.4',
  bad: 'M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3zM8 4.6v4.2M8 11v.4',
  wait: 'M8 1.5a6.5 6.5 0 1 0 6.5 6.5M8 4.5V8l2.4 1.6',
  paused: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M6.3 5.6v4.8M9.7 5.6v4.8',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  play: 'M4.8 3.2v9.6L12.6 8z',
  reload: 'M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3',
  sun: 'M8 5a3 3 0 1 0 0 6a3 3 0 0 0 0-6M8 1v1.4M8 13.6V15M1 8h1.4M13.6 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  moon: 'M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z',
  auto: 'M8 1.8a6.2 6.2 0 1 0 0 12.4zM8 1.8a6.2 6.2 0 0 1 0 12.4',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9M10.4 10.4L14 14',
  copy: 'M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1',
  x: 'M4 4l8 8M12 4l-8 8',
  chevron: 'M6 4l4 4-4 4',
  up: 'M8 13V3.5M4 7.5l4-4l4 4',
  down: 'M8 3v9.5M4 8.5l4 4l4-4',
  replay: 'M3 8a5 5 0 1 0 1.5-3.6M3 2v3h3',
  arrow: 'M3 8h10M9.5 4.5L13 8l-3.5 3.5',
  dot: 'M8 6.5a1.5 1.5 0 1 0 0 3a1.5 1.5 0 0 0 0-3',
  minus: 'M4 8h8',
  check: 'M3.5 8.4l3 3l6-6.6',
  lock: 'M3.5 7h9v7h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2'
};
export const icon = name =>
  s('svg.icon', { viewBox: '0 0 16 16', 'aria-hidden': 'true', focusable: 'false' }, s('path', { d: PATHS[name] }));

export function copyButton(value, label = 'Copy') {
  const word = h('span', label);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value());
      text(word, 'Copied');
    } catch {
      // Without TLS browsers have no clipboard.
      text(word, 'Select and copy by hand');
    }
    setTimeout(() => text(word, label), 1600);
  };
  return h('button.button.quiet.small', { onclick: copy }, icon('copy'), word);
}
