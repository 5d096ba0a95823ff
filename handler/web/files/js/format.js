// One number, one way to write it; one clock, which is the service's.
import { h } from './dom.js';

// ---- time: the service's, since the browser's clock may be off --------------------------------------------------------
let skew = 0;
export const now = () => Date.now() + skew;
// A difference below two seconds is the way of the message, not of the clock.
export function heardAt(serverTime) {
  const off = serverTime - Date.now();
  if (Math.abs(off - skew) > 2000) skew = Math.abs(off) > 2000 ? off : 0;
}
// RFC 3339 as milliseconds; null stays null.
export const at = value => (value ? Date.parse(value) : null);

const iso = t => new Date(t).toISOString();
export const clock = t => (t === null ? NONE : iso(t).slice(11, 19));
export const clockMs = t => (t === null ? NONE : iso(t).slice(11, 23));
export const minute = t => iso(t).slice(11, 16);
export const stamp = t => (t === null ? NONE : `${iso(t).slice(0, 10)} ${clockMs(t)}`);
// From and to of a window: the date only when it is not today's, seconds only when there are some.
export function span(from, to) {
  const show = from % 60e3 || to % 60e3 ? clock : minute;
  const day = iso(from).slice(0, 10);
  return `${day === iso(now()).slice(0, 10) ? '' : `${day} `}${show(from)}–${show(to)}`;
}
// Every time on the page is UTC, like the logs and the insight records; the title has local time.
export const time = (t, show = clock) =>
  t === null
    ? h('span', NONE)
    : h('time', { datetime: iso(t), title: `${stamp(t)} UTC\n${new Date(t).toLocaleString()} on this computer`, text: show(t) });

export function dur(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return NONE;
  const v = Math.max(0, seconds);
  const two = n => String(Math.floor(n)).padStart(2, '0');
  if (v < 0.9995) return `${Math.round(v * 1000)} ms`;
  if (v < 9.95) return `${v.toFixed(1)} s`;
  if (v < 60) return `${Math.floor(v)} s`;
  if (v < 3600) return `${Math.floor(v / 60)} min ${two(v % 60)} s`;
  if (v < 86400) return `${Math.floor(v / 3600)} h ${two((v % 3600) / 60)} min`;
  return `${Math.floor(v / 86400)} d ${Math.floor((v % 86400) / 3600)} h`;
}
// A duration of the pipeline file: 1 min, not 1 min 00 s.
export const length = seconds => (seconds % 1 === 0 && seconds < 60 ? `${seconds} s` : dur(seconds).replace(/ 00? (s|min|h)$/, ''));
export const since = t => dur((now() - t) / 1000);
export function ago(t) {
  const v = Math.max(0, (now() - t) / 1000);
  if (v < 1) return 'now';
  if (v < 60) return `${Math.floor(v)} s ago`;
  if (v < 3600) return `${Math.floor(v / 60)} min ago`;
  if (v < 172800) return `${Math.floor(v / 3600)} h ago`;
  return `${Math.floor(v / 86400)} d ago`;
}

// ---- numbers ------------------------------------------------------------------------------------------------------------
const grouped = new Intl.NumberFormat('en');
const precise = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });
export const NONE = '–';
const none = n => n == null || Number.isNaN(n);
export const num = n => (none(n) ? NONE : Math.abs(n) >= 1e7 ? `${(n / 1e6).toFixed(1)} M` : grouped.format(Math.round(n)));
// Offsets and positions are identities: never shortened.
export const exact = n => (none(n) ? NONE : grouped.format(n));
// A measure may be an average or a sum of fractions.
export const measure = n => (none(n) ? NONE : Number.isInteger(n) || Math.abs(n) >= 1e4 ? num(n) : precise.format(n));
export const rate = n => (none(n) ? NONE : n < 0.05 ? '0' : n < 9.95 ? n.toFixed(1) : num(n));
export const bytes = n =>
  none(n) ? NONE : n < 1000 ? plural(n, 'byte') : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`;
export const plural = (n, one, many = `${one}s`) => `${num(n)} ${n === 1 ? one : many}`;
export function share(part, whole) {
  if (!whole || none(part)) return '';
  const f = part / whole;
  return f > 0 && f < 0.001 ? `${(1e6 * f).toFixed(0)} per million` : `${(100 * f).toFixed(1)} %`;
}
