// Elements, and values as people read them. What routes and callers are named goes in as text, never as markup.

// Characters that are not seen, or that turn what stands around them: shown as their code, as JSON has it.
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const SVG = 'http://www.w3.org/2000/svg';

export const byId = (id) => document.getElementById(id);

export function visible(text) {
  return text.replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export const el = (name, attributes, ...children) =>
  made(document.createElement(name), attributes, children);

export const svg = (name, attributes, ...children) =>
  made(document.createElementNS(SVG, name), attributes, children);

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined).map(asNode));
  return node;
}

const asNode = (child) => (child instanceof Node ? child : document.createTextNode(visible(String(child))));

export function setText(node, text) {
  const shown = visible(String(text));
  if (node.textContent !== shown) node.textContent = shown;
}

const shownIn = new WeakMap();

// Fills a node only if the value is another one: what is read or selected stays as it is.
export function fill(node, value, make) {
  const key = JSON.stringify(value);
  if (shownIn.get(node) === key) return;
  shownIn.set(node, key);
  node.replaceChildren(...[make(value)].flat());
}

// Says why there is nothing to show.
export const fault = (node, why) => fill(node, { why }, () => el('p', { class: 'bad' }, why));

// A table with a head. A column is { head, cell, number }.
export function table(caption, columns, rows, empty) {
  if (rows.length === 0) return el('p', { class: 'quiet' }, empty);
  const head = columns.map((column) =>
    el('th', { scope: 'col', class: column.number && 'number', 'aria-sort': column.sort }, column.head));
  const cell = (row) => (column, index) =>
    el(index === 0 ? 'th' : 'td', { scope: index === 0 && 'row', class: column.number && 'number' }, column.cell(row));
  return el('table', {},
    el('caption', { class: 'unseen' }, caption),
    el('thead', {}, el('tr', {}, head)),
    el('tbody', {}, rows.map((row) => el('tr', {}, columns.map(cell(row))))));
}

// Terms and what they stand for.
export const terms = (pairs) =>
  pairs.filter(([, value]) => value !== null).map(([term, value]) => el('div', {}, el('dt', {}, term), el('dd', {}, value)));

export function state(holds, yes, no) {
  return el('span', { class: holds ? 'state good' : 'state bad' }, holds ? `✓ ${yes}` : `✗ ${no}`);
}

const whole = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en-GB', { maximumSignificantDigits: 3 });

export const number = (value) => (Math.abs(value) < 100 ? short : whole).format(value);
export const count = (value) => whole.format(value);
export const counted = (value, one, many) => `${count(value)} ${value === 1 ? one : many}`;

export function nanoseconds(ns) {
  const [unit, by] = [['s', 1e9], ['ms', 1e6], ['µs', 1e3]].find(([, by]) => ns >= by) ?? ['ns', 1];
  return `${short.format(ns / by)} ${unit}`;
}

export function bytes(value) {
  const [unit, by] = [['GB', 1e9], ['MB', 1e6], ['kB', 1e3]].find(([, by]) => value >= by) ?? ['B', 1];
  return `${short.format(value / by)} ${unit}`;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

// The time of day, with the date where it is not today.
export function moment(unixS) {
  if (unixS === null || unixS === undefined) return 'never';
  const at = new Date(unixS * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  const text = isToday ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
  return el('time', { datetime: at.toISOString() }, text);
}

export function duration(s) {
  const [days, hours, minutes] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${s} s`;
}
