// What runs and what it serves: the head of the page, figures, plots, and the reloads.

import { byId, count, counted, duration, el, fault, fill, moment, nanoseconds, number, setText, state, table, terms } from './dom.js';
import { Plot, linear, logarithmic } from './plot.js';

const RATES_KEPT_S = 600;
const FIGURES_S = 5;

const perS = (of) => (second) => (second.over_ms > 0 ? (of(second) * 1000) / second.over_ms : null);
const refused = ({ answers }) => answers['4xx'] + answers['5xx'] + answers['6xx'];
const took = (part) => (second) => second.decision_ns?.[part] ?? null;

export function addStatus(poller, heard) {
  const refuse = (why) => setText(byId('serves'), why);
  const show = (status) => { showStatus(status); heard(status); };
  poller.add({ section: document.body, path: () => 'status', everyMs: 2_000, show, refuse });
}

export function addRates(poller) {
  const rates = new Plot('plot-rates', [
    { name: 'requests', of: perS((second) => second.requests) },
    { name: 'redirected (3xx)', of: perS((second) => second.answers['3xx']) },
    { name: 'refused (4xx–6xx)', of: perS(refused) },
    { name: 'not answered', of: perS((second) => second.silences) },
  ], number, linear);
  const times = new Plot('plot-times', [
    { name: 'half', of: took('p50') },
    { name: '90 %', of: took('p90') },
    { name: '99 %', of: took('p99') },
  ], nanoseconds, logarithmic);
  // What moves by itself moves seldom for whoever wants no motion.
  const everyMs = matchMedia('(prefers-reduced-motion: reduce)').matches ? 10_000 : 1_000;
  let seconds = [];
  poller.add({
    section: byId('now'),
    // Only what is new.
    path: () => (seconds.length === 0 ? 'rates' : `rates?since=${seconds.at(-1).unix_s}`),
    everyMs,
    show: (said) => {
      seconds = [...seconds, ...said.seconds].slice(-RATES_KEPT_S);
      rates.show(seconds);
      times.show(seconds);
      fill(byId('figures'), seconds.slice(-FIGURES_S), figures);
    },
    refuse: (why) => fault(byId('figures'), why),
  });
}

function figures(last) {
  const mean = (of) => {
    const values = last.map(of).filter((value) => value !== null);
    return values.length === 0 ? null : values.reduce((one, other) => one + other) / values.length;
  };
  const shown = (value, say) => (value === null ? '–' : say(value));
  const rate = (of) => shown(mean(perS(of)), (value) => `${number(value)} /s`);
  return terms([
    ['Requests', rate((second) => second.requests)],
    ['Redirected', rate((second) => second.answers['3xx'])],
    ['Refused', rate(refused)],
    ['Not answered', rate((second) => second.silences)],
    ['Waited for DNS', rate((second) => second.dns_waits)],
    ['Decision, 99 %', shown(mean(took('p99')), nanoseconds)],
  ]);
}

function showStatus(status) {
  const { table: served, reloads } = status;
  fill(byId('ready'), [status.ready, status.missing], () => state(status.ready, 'ready', `not ready: ${status.missing.join(', ')}`));
  document.title = status.ready ? 'Waypost' : 'Waypost: not ready';
  setText(byId('serves'), `generation ${served.generation}, ${counted(served.routes, 'route', 'routes')}, up ${duration(status.uptime_s)}`);
  setText(byId('drain'), status.draining ? 'Undrain' : 'Drain');
  setText(byId('version'), `Waypost ${status.version}`);
  const listens = status.listeners.map((one) => `${one.transport}:${one.address}`).join(', ');
  const facts = { ...status, uptime_s: null, reloads: null };
  fill(byId('facts'), facts, () => terms([
    ['Listens', listens],
    ['Workers', count(status.workers)],
    ['Loaded', moment(served.loaded_unix_s)],
    ['Hash', el('code', { title: served.hash }, served.hash.slice(0, 12))],
    ['Gateways', `${count(served.gateways)} in ${counted(served.groups, 'group', 'groups')}`],
    ['Started', moment(status.started_unix_s)],
  ]));
  fill(byId('listener'), status.listeners.map((one) => one.name), (names) =>
    [el('option', { value: '' }, 'the first one'), ...names.map((name) => el('option', { value: name }, name))]);
  const since = `${count(reloads.loaded)} loaded, ${count(reloads.unchanged)} unchanged, ${count(reloads.failed)} failed since the start.`;
  setText(byId('reloads-said'), reloads.failing ? `The last one failed: the files are not what serves. ${since}` : since);
  byId('reloads-said').classList.toggle('bad', reloads.failing);
  fill(byId('reloads-list'), reloads.history, (history) => history.map(reload));
}

function reload(past) {
  const isFailed = past.result === 'failed';
  const times = past.times > 1 ? ` ${count(past.times)} times` : '';
  const head = el('p', {},
    state(!isFailed, past.result, past.result), times, ' ', moment(past.unix_s),
    el('span', { class: 'quiet' },
      ` for ${past.causes.join(' and ')}, generation ${past.generation}, ${counted(past.routes, 'route', 'routes')}, ${count(past.duration_ms)} ms`));
  return el('li', {}, head, changes(past.changes), faults(past));
}

function changes(of) {
  if (!of) return null;
  const changed = of.changed === null
    ? 'gateways, groups, tables, lists or number rules came, went or moved'
    : `${count(of.changed)} changed`;
  return el('p', { class: 'changes' },
    el('span', {}, `+ ${counted(of.added, 'route', 'routes')} added`),
    el('span', {}, `− ${counted(of.removed, 'route', 'routes')} removed`),
    el('span', {}, `~ ${changed}`));
}

function faults({ error, diagnostics }) {
  if (diagnostics.length === 0) return error ? el('pre', { class: 'fault' }, error) : null;
  const columns = [
    { head: 'Place', cell: (one) => el('code', {}, `${one.file}:${one.line}:${one.column}`) },
    { head: 'What', cell: (one) => `${one.severity}: ${one.message}` },
  ];
  return el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'What was found' }, table('What was found', columns, diagnostics, ''));
}
