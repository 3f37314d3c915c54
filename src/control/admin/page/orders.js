// Orders to the server, each confirmed; and the token, when the server wants it.

import { Away, Refused, change, forgetToken, hasToken, keepToken } from './api.js';
import { byId, counted, setText } from './dom.js';

export function addOrders(poller) {
  byId('reload').addEventListener('click', async () => {
    const text = 'The route files are read again. If they have a fault, the routes in service stay.';
    if (await confirmed('Reload the routes?', text, 'Reload')) await order('reload', poller);
  });
  byId('drain').addEventListener('click', async (event) => {
    const isBack = event.target.textContent === 'Undrain';
    const [head, text] = isBack
      ? ['End draining?', '/readyz and OPTIONS say 200 again: calls are welcome.']
      : ['Drain this server?', '/readyz and OPTIONS say 503, so that peers send their calls elsewhere. Calls that come are answered.'];
    if (await confirmed(head, text, isBack ? 'Undrain' : 'Drain')) await order(isBack ? 'undrain' : 'drain', poller);
  });
  byId('pause').addEventListener('click', (event) => {
    const isPaused = event.target.getAttribute('aria-pressed') !== 'true';
    event.target.setAttribute('aria-pressed', isPaused);
    poller.pause(isPaused);
  });
  byId('forget').addEventListener('click', () => { forgetToken(); location.reload(); });
  byId('forget').hidden = !hasToken();
}

const MARKS = {
  down: 'It is left out of every Contact list at once, whatever its probes say.',
  up: 'It is offered to callers again, whatever its probes say.',
  auto: 'Its probes say whether it is up; without probes it is.',
};

// Marks a gateway, when that is confirmed.
export const markGateway = (poller) => async (name, mark) => {
  const text = `${MARKS[mark]} This server alone, until it is marked otherwise or started again.`;
  if (await confirmed(`Mark ${name} ${mark}?`, text, `Mark ${mark}`)) await order(`gateways/${encodeURIComponent(name)}/${mark}`, poller);
};

async function order(what, poller) {
  say(`${what}: asked…`, false);
  try {
    say(done(what, await change(what)), false);
  } catch (error) {
    say(`${what}: ${error.message}`, true);
    if (!(error instanceof Refused || error instanceof Away)) throw error;
  }
  poller.refresh();
}

function done(what, said) {
  if (what === 'reload') return `Reload: ${said.result}, generation ${said.generation}, ${counted(said.routes, 'route', 'routes')}, ${said.duration_ms} ms`;
  if (what.startsWith('gateways/')) return `Gateway ${said.name}: ${said.up ? 'up' : 'down'}, ${said.mark === 'auto' ? 'as its probes say' : `marked ${said.mark}`}.`;
  return said.draining ? 'The server drains: /readyz and OPTIONS say 503.' : 'The server does not drain.';
}

function say(text, isBad) {
  const said = byId('said');
  said.hidden = false;
  said.classList.toggle('bad', isBad);
  setText(said, text);
}

// Whether it is wanted. Escape says no.
function confirmed(head, text, yes) {
  const [dialog, form] = [byId('confirm'), byId('confirm-form')];
  setText(byId('confirm-head'), head);
  setText(byId('confirm-text'), text);
  setText(byId('confirm-yes'), yes);
  dialog.showModal();
  byId('confirm-no').focus();
  return new Promise((resolve) => {
    const ended = new AbortController();
    const listen = (node, name, act) => node.addEventListener(name, act, { signal: ended.signal });
    const end = (isWanted) => { ended.abort(); dialog.close(); resolve(isWanted); };
    listen(form, 'submit', (event) => { event.preventDefault(); end(true); });
    listen(byId('confirm-no'), 'click', () => end(false));
    // Comes late: it may be that of the question before, and this one is open.
    listen(dialog, 'close', () => { if (!dialog.open) end(false); });
  });
}

// Asks until something is typed: without it there is nothing to see.
export function askForToken(why) {
  const [dialog, form, field] = [byId('token-dialog'), byId('token-form'), byId('token')];
  setText(byId('token-why'), hasToken() ? why : '');
  if (!dialog.open) dialog.showModal();
  field.value = '';
  field.focus();
  return new Promise((resolve) => {
    const ended = new AbortController();
    // Escape may close it, whatever we say; then it opens again.
    dialog.addEventListener('close', () => { if (!dialog.open) dialog.showModal(); }, { signal: ended.signal });
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (field.value.trim() === '') return;
      ended.abort();
      keepToken(field.value.trim());
      field.value = '';
      byId('forget').hidden = false;
      dialog.close();
      resolve();
    }, { signal: ended.signal });
  });
}
