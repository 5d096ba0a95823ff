// Bytes of events for people: as text with the culprit marked, or as hex. Nothing in them is obeyed: characters that
// would move, hide or turn the text around become visible.
import { h } from './dom.js';
import { bytes as size } from './format.js';

// More than this is not put on the page.
const MOST = 64e3;
const HIDING = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const visible = c => {
  const code = c.charCodeAt(0);
  return code < 32
    ? String.fromCharCode(0x2400 + code)
    : code === 127
      ? '\u2421'
      : `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
};
export const clean = text => text.replace(HIDING, visible);

// The bytes of a document's member, which is text, or base64 where it is no UTF-8. Null: it has none.
export function bytesOf(doc, name) {
  const encoded = doc[`${name}_base64`];
  if (encoded) return Uint8Array.from(atob(encoded), c => c.charCodeAt(0));
  const value = doc[name];
  return value == null ? null : new TextEncoder().encode(value);
}
export const textOf = data => new TextDecoder().decode(data);

// What is put on the page, and a note when that is not everything.
const head = data => (data.length > MOST ? data.subarray(0, MOST) : data);
export const cutNote = data => (data.length > MOST ? `The first ${size(MOST)} of ${size(data.length)}.` : '');

// Text with the bytes from `at` until `until` marked; nothing is marked when they are not known.
export function marked(data, from, until) {
  const shown = head(data);
  const part = (a, b) => clean(textOf(shown.subarray(a, b)));
  if (!Number.isInteger(from) || from < 0 || from > shown.length) return [part(0)];
  const end = Math.max(from, until ?? from + 1);
  return [part(0, from), h('mark', part(from, end) || '∅'), part(end)];
}

// Where bytes are shown; it can be scrolled with the keyboard.
export const view = (label, ...content) => h('pre.bytes', { tabindex: '0', role: 'group', 'aria-label': label }, content);

export function hex(data) {
  const shown = head(data);
  const lines = [];
  for (let i = 0; i < shown.length; i += 16) {
    const row = [...shown.subarray(i, i + 16)];
    const digits = row
      .map(b => b.toString(16).padStart(2, '0'))
      .join(' ')
      .padEnd(47);
    lines.push(
      `${i.toString(16).padStart(4, '0')}  ${digits}  ${row.map(b => (b > 31 && b < 127 ? String.fromCharCode(b) : '.')).join('')}`
    );
  }
  return lines.join('\n');
}
