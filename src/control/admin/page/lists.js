// Gateways, DNS, number tables, and who calls most.

import { Refused, read } from './api.js';
import { byId, bytes, count, counted, el, fault, fill, nanoseconds, setText, state, table, terms } from './dom.js';

// More rows than these nobody reads.
const SHOWN = 200;

const refuseIn = (id) => (why) => fault(byId(id), why);

// `order` marks a gateway, when it is confirmed.
export function addGateways(poller, order) {
  let said = { gateways: [] };
  const show = (value) => { said = value; draw(); };
  poller.add({ section: byId('gateways'), path: () => 'gateways', everyMs: 5_000, show, refuse: refuseIn('gateways-list') });
  byId('gateways-name').addEventListener('input', draw);
  byId('gateways-form').addEventListener('submit', (event) => event.preventDefault());
  byId('gateways-list').addEventListener('click', async (event) => {
    const { gateway, mark } = event.target.dataset;
    if (mark === undefined) return;
    await order(gateway, mark);
    // The button may be another one now: the list is made anew when it has changed.
    focusOn({ gateway, mark });
  });

  function draw() {
    const focused = byId('gateways-list').contains(document.activeElement) ? { ...document.activeElement.dataset } : {};
    const wanted = byId('gateways-name').value;
    const found = said.gateways.filter((one) => one.name.includes(wanted) || one.uri.includes(wanted));
    fill(byId('gateways-list'), [wanted, found.slice(0, SHOWN), found.length], () => [
      table('Gateways', gatewayColumns(found), found.slice(0, SHOWN), 'No gateway.'),
      left(found),
    ]);
    focusOn(focused);
  }
}

function focusOn({ gateway, mark }) {
  const buttons = [...byId('gateways-list').querySelectorAll('button')];
  buttons.find((one) => one.dataset.gateway === gateway && one.dataset.mark === mark)?.focus();
}

function gatewayColumns(gateways) {
  const groups = (one) => one.groups.map((it) => `${it.group} (tier ${it.tier}, weight ${it.weight})`).join(', ') || '–';
  const columns = [
    { head: 'Gateway', cell: (one) => one.name },
    { head: 'URI', cell: (one) => el('code', {}, one.uri) },
    { head: 'Groups', cell: groups },
    { head: 'Place', cell: (one) => el('code', {}, `${one.file}:${one.line}`) },
  ];
  // A server that knows of their health says so.
  if (gateways.some((one) => 'up' in one)) columns.splice(1, 0, { head: 'State', cell: health }, { head: 'Mark', cell: marks });
  return columns;
}

function health(one) {
  const marked = one.mark && one.mark !== 'auto' ? ` marked ${one.mark}` : '';
  const last = one.last_probe ? `: ${one.last_probe}` : '';
  const how = marked || (one.probed ? ` probed${last}` : ' not probed');
  return [state(one.up, 'up', 'down'), el('span', { class: 'quiet' }, how)];
}

// What an operator says of it; the pressed one holds.
function marks(one) {
  const button = (mark) => el('button', {
    type: 'button',
    'data-gateway': one.name,
    'data-mark': mark,
    'aria-label': `Mark ${one.name} ${mark}`,
    'aria-pressed': String((one.mark ?? 'auto') === mark),
  }, mark);
  return el('div', { class: 'marks', role: 'group' }, ['down', 'up', 'auto'].map(button));
}

const left = (found) =>
  (found.length > SHOWN ? el('p', { class: 'quiet' }, `and ${count(found.length - SHOWN)} more: filter by name`) : '');

export function addDns(poller) {
  poller.add({ section: byId('dns'), path: () => 'dns', everyMs: 3_000, show: showDns, refuse: refuseIn('dns-list') });
  byId('look-form').addEventListener('submit', look);
}

function showDns(dns) {
  const facts = terms([
    ['Cache', `${counted(dns.cache.entries, 'answer', 'answers')}, ${bytes(dns.cache.bytes)}`],
    ['Waiting', `${counted(dns.waiting, 'message', 'messages')} for ${counted(dns.questions_under_way, 'question', 'questions')}`],
    ['Asked twice', count(dns.hedges)],
  ]);
  fill(byId('dns-facts'), [dns.cache, dns.waiting, dns.questions_under_way, dns.hedges], () => facts);
  const columns = [
    { head: 'Server', cell: (one) => el('code', {}, one.address) },
    { head: 'State', cell: (one) => state(one.up, 'answers', 'does not answer') },
    { head: 'Time', cell: (one) => (one.rtt_us === null ? 'not asked' : nanoseconds(one.rtt_us * 1000)), number: true },
  ];
  fill(byId('dns-list'), dns.servers, (servers) => table('DNS servers', columns, servers, 'No DNS server.'));
}

async function look(event) {
  event.preventDefault();
  const [name, type] = [byId('look-name').value.trim(), byId('look-type').value];
  if (name === '') return byId('look-name').focus();
  const into = byId('looked');
  try {
    const said = await read(`dns/cache?name=${encodeURIComponent(name)}&type=${type}`);
    fill(into, said, looked);
  } catch (error) {
    fault(into, error instanceof Refused ? error.message : `${error.message}; try again`);
  }
}

function looked(said) {
  const question = `${said.type} ${said.name}`;
  if (!said.found) return [el('p', {}, `${question} is not in the cache.`)];
  const age = said.stale ? 'stale' : `fresh for ${count(said.fresh_for_ms / 1000)} s`;
  const fields = (record) => Object.entries(record).map(([key, value]) => `${key}=${value}`).join(' ');
  const records = (said.answer.records ?? []).map((record) => el('li', {}, el('code', {}, fields(record))));
  return [el('p', {}, `${question}: ${said.answer.result}, ${age}`), el('ul', {}, records)];
}

export function addTables(poller) {
  const columns = [
    { head: 'Table', cell: (one) => one.name },
    { head: 'Kind', cell: (one) => one.kind },
    { head: 'Rows', cell: (one) => count(one.entries), number: true },
    { head: 'Memory', cell: (one) => bytes(one.bytes), number: true },
    { head: 'Columns', cell: (one) => one.columns.join(', ') },
    { head: 'File', cell: (one) => el('code', {}, one.file) },
  ];
  const show = ({ tables }) => fill(byId('tables-list'), tables, () =>
    [table('Number tables', columns, tables.slice(0, SHOWN), 'No table.'), left(tables)]);
  poller.add({ section: byId('tables'), path: () => 'tables', everyMs: 10_000, show, refuse: refuseIn('tables-list') });
}

export function addTop(poller) {
  const refuse = (why) => { setText(byId('top-said'), ''); fault(byId('top-lists'), why); };
  poller.add({ section: byId('top'), path: () => 'top', everyMs: 5_000, show: showTop, refuse });
}

// A count that may have some of another one's in it is told by both ends.
const between = (least, most) => (least === most ? count(most) : `${count(least)}–${count(most)}`);

const TOP = [['sources', 'Source'], ['numbers', 'Number'], ['prefixes', 'Prefix'], ['domains', 'Domain']];

function showTop(top) {
  const minutes = Math.max(1, Math.round(top.window_s / 60));
  setText(byId('top-said'), `About ${counted(top.messages, 'message', 'messages')} in ${counted(minutes, 'minute', 'minutes')}, reckoned from one in ${count(top.one_in)}.`);
  const columns = (head) => [
    { head, cell: (one) => one.key },
    { head: 'Messages', cell: (one) => between(one.at_least, one.messages), number: true },
  ];
  fill(byId('top-lists'), TOP.map(([list]) => top[list]), () => TOP.map(([list, head]) =>
    el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Top ${list}` }, table(`Top ${list}`, columns(head), top[list], `No ${list} yet.`))));
}
