// The routes, with hits: filtered, sorted and cut by the server, for there may be a hundred thousand.

import { byId, count, el, fault, fill, moment, setText, table } from './dom.js';

const SHOWN = 50;
const QUIET_MS = 250;

export function addRoutes(poller) {
  const view = { from: 0, name: '', order: 'table', total: 0 };
  const path = () => `routes?limit=${SHOWN}&from=${view.from}&order=${view.order}&name=${encodeURIComponent(view.name)}`;
  const job = poller.add({ section: byId('routes'), path, everyMs: 3_000, show, refuse: (why) => fault(byId('routes-list'), why) });
  const turn = (changed) => { Object.assign(view, changed); job.now(); };

  function show(said) {
    view.total = said.total;
    const last = view.from + said.routes.length;
    // The table may have become shorter.
    if (said.routes.length === 0 && view.from > 0) return turn({ from: 0 });
    setText(byId('routes-which'), said.total === 0 ? 'none' : `${count(view.from + 1)}–${count(last)} of ${count(said.total)}`);
    byId('routes-before').disabled = view.from === 0;
    byId('routes-after').disabled = last >= said.total;
    const focused = document.activeElement?.dataset.order;
    fill(byId('routes-list'), [said, view.order], () => table('Routes', columns(), said.routes, 'No route has this in its name.'));
    if (focused && document.activeElement === document.body) byId('routes-list').querySelector(`[data-order=${focused}]`)?.focus();
  }

  function columns() {
    const sorted = (order, direction) => ({ head: sorter(order), sort: view.order === order ? direction : 'none' });
    return [
      { ...sorted('name', 'ascending'), cell: (route) => route.name },
      { ...sorted('hits', 'descending'), cell: (route) => count(route.hits), number: true },
      { ...sorted('last', 'descending'), cell: (route) => moment(route.last_hit_unix_s) },
      { head: 'List', cell: (route) => route.list ?? '–' },
      { ...sorted('table', 'ascending'), cell: (route) => el('code', {}, `${route.file}:${route.line}`) },
    ];
  }

  function sorter(order) {
    const words = { name: 'Route', hits: 'Hits', last: 'Last hit', table: 'Place' };
    const button = el('button', { type: 'button', class: 'sort', 'data-order': order }, words[order]);
    button.addEventListener('click', () => turn({ order, from: 0 }));
    return button;
  }

  let quiet;
  byId('routes-name').addEventListener('input', (event) => {
    clearTimeout(quiet);
    quiet = setTimeout(() => turn({ name: event.target.value, from: 0 }), QUIET_MS);
  });
  byId('routes-form').addEventListener('submit', (event) => event.preventDefault());
  byId('routes-before').addEventListener('click', () => turn({ from: Math.max(0, view.from - SHOWN) }));
  byId('routes-after').addEventListener('click', () => turn({ from: view.from + SHOWN }));
}
