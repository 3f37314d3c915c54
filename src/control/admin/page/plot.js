// A plot of some lines over the last minutes, drawn as SVG. Each line has a colour and a dash of its own, and its value
// stands beside its name.

import { byId, el, setText, svg } from './dom.js';

const HEIGHT = 170;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 8, 8, 22];
const SPAN_S = 600;
// Where a second is missing, so is the line.
const GAP_S = 5;

// From nought to the next of 1, 2, 5, 10, 20, …
export function linear(most) {
  const power = most > 0 ? 10 ** Math.floor(Math.log10(most)) : 1;
  const top = [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most);
  return { part: (value) => value / top, marks: [0, top / 2, top] };
}

// By tens: what differs by a thousand is still seen.
export function logarithmic(most, least) {
  const first = Number.isFinite(least) && least > 0 ? Math.floor(Math.log10(least)) : 2;
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(most, 1))));
  const marks = Array.from({ length: last - first + 1 }, (_, step) => 10 ** (first + step));
  return { part: (value) => (Math.log10(Math.max(value, marks[0])) - first) / (last - first), marks };
}

// `lines`: { name, of(second) }, the value or null. `say`: a value as text. `axis`: one of those above.
export class Plot {
  #seconds = [];
  #lines;
  #say;
  #axis;
  #drawing;
  #values;
  #pointed = null;

  constructor(id, lines, say, axis) {
    [this.#lines, this.#say, this.#axis] = [lines, say, axis];
    const figure = byId(id);
    const caption = figure.querySelector('figcaption');
    caption.id = `${id}-name`;
    this.#drawing = svg('svg', { role: 'img', 'aria-labelledby': caption.id, height: HEIGHT });
    this.#values = lines.map(() => el('b', {}, '–'));
    const key = lines.map((line, index) => el('li', {}, swatch(index), line.name, ' ', this.#values[index]));
    figure.append(this.#drawing, el('ul', { class: 'key' }, key));
    this.#drawing.addEventListener('pointermove', (event) => this.#point(event.offsetX));
    this.#drawing.addEventListener('pointerleave', () => this.#point(null));
    new ResizeObserver(() => this.#draw()).observe(figure);
  }

  show(seconds) {
    this.#seconds = seconds;
    this.#draw();
  }

  #draw() {
    const width = this.#drawing.clientWidth;
    const last = this.#seconds.at(-1);
    if (width === 0 || last === undefined) return;
    const scale = this.#scale(width, last.unix_s);
    const paths = this.#lines.map((line, index) =>
      svg('path', { class: `line line-${index}`, d: path(this.#seconds, line.of, scale) }));
    this.#drawing.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    const cursor = this.#pointed === null ? [] : [vertical('cursor', scale.x(this.#shown().unix_s))];
    this.#drawing.replaceChildren(...this.#rows(scale, width), ...clocks(scale, last.unix_s), ...paths, ...cursor);
    this.#lines.forEach((line, index) => {
      const value = line.of(this.#shown());
      setText(this.#values[index], value === null ? '–' : this.#say(value));
    });
  }

  #scale(width, end) {
    const values = this.#lines.flatMap((line) => this.#seconds.map(line.of)).filter((value) => value !== null);
    const axis = this.#axis(values.reduce((one, other) => Math.max(one, other), 0), values.reduce((one, other) => Math.min(one, other), Infinity));
    const perS = (width - LEFT - RIGHT) / SPAN_S;
    return {
      marks: axis.marks,
      x: (unixS) => LEFT + (unixS - (end - SPAN_S)) * perS,
      y: (value) => HEIGHT - BOTTOM - axis.part(value) * (HEIGHT - TOP - BOTTOM),
    };
  }

  #rows(scale, width) {
    return scale.marks.flatMap((value) => {
      const y = scale.y(value);
      return [
        svg('path', { class: 'rule', d: `M${LEFT} ${y}H${width - RIGHT}` }),
        svg('text', { class: 'tick', x: LEFT - 6, y: y + 4, 'text-anchor': 'end' }, this.#say(value)),
      ];
    });
  }

  // The second that is pointed at, or the last one.
  #shown() {
    if (this.#pointed === null) return this.#seconds.at(-1);
    const scale = this.#scale(this.#drawing.clientWidth, this.#seconds.at(-1).unix_s);
    const away = (second) => Math.abs(scale.x(second.unix_s) - this.#pointed);
    return this.#seconds.reduce((best, second) => (away(second) < away(best) ? second : best));
  }

  #point(x) {
    this.#pointed = x;
    this.#draw();
  }
}

function path(seconds, of, scale) {
  let [d, before] = ['', null];
  for (const second of seconds) {
    const value = of(second);
    const goesOn = before !== null && second.unix_s - before <= GAP_S;
    if (value !== null) d += `${goesOn ? 'L' : 'M'}${scale.x(second.unix_s).toFixed(1)} ${scale.y(value).toFixed(1)}`;
    if (value !== null) before = second.unix_s;
  }
  return d;
}

// Every second minute.
function clocks(scale, end) {
  const marks = [];
  for (let at = Math.ceil((end - SPAN_S) / 120) * 120; at <= end; at += 120) {
    const text = new Date(at * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
    const x = scale.x(at);
    if (x > LEFT + 12 && x < scale.x(end) - 12) {
      marks.push(vertical('rule', x), svg('text', { class: 'tick', x, y: HEIGHT - 6, 'text-anchor': 'middle' }, text));
    }
  }
  return marks;
}

const vertical = (name, x) => svg('path', { class: name, d: `M${x} ${TOP}V${HEIGHT - BOTTOM}` });

const swatch = (index) =>
  svg('svg', { class: 'swatch', viewBox: '0 0 24 8', 'aria-hidden': 'true' },
    svg('path', { class: `line line-${index}`, d: 'M0 4H24' }));
