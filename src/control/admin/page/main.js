// Brings the parts of the page together.

import { byId, el, fill, moment, state } from './dom.js';
import { addExplain } from './explain.js';
import { addDns, addGateways, addTables, addTop } from './lists.js';
import { addOrders, askForToken, markGateway } from './orders.js';
import { Poller } from './poll.js';
import { addRoutes } from './routes.js';
import { addRates, addStatus } from './status.js';

let seenUnixS = null;

const poller = new Poller({
  away() {
    const away = byId('away');
    if (!away.hidden) return;
    const last = seenUnixS === null ? [] : [' What is shown is of ', moment(seenUnixS), '.'];
    const again = el('button', { type: 'button' }, 'Ask now');
    again.addEventListener('click', () => poller.refresh());
    away.replaceChildren('The server does not answer; it is asked again at ever longer intervals.', ...last, ' ', again);
    away.hidden = false;
    document.body.classList.add('stale');
    fill(byId('ready'), 'away', () => state(false, '', 'away'));
  },
  back() {
    seenUnixS = Date.now() / 1000;
    if (byId('away').hidden) return;
    byId('away').hidden = true;
    document.body.classList.remove('stale');
  },
  token: askForToken,
});

let version = null;

addStatus(poller, (status) => {
  // Another version may say other things than this page knows.
  if (version !== null && version !== status.version) location.reload();
  version = status.version;
});
addRates(poller);
addRoutes(poller);
addGateways(poller, markGateway(poller));
addDns(poller);
addTop(poller);
addTables(poller);
addExplain();
addOrders(poller);
poller.run();
