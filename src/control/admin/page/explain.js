// Explain a call: the form, and the decision step by step.

import { Refused, change } from './api.js';
import { byId, counted, el, setText, state } from './dom.js';

const isUri = (text) => /[:@]/.test(text);

export function addExplain() {
  byId('explain-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const form = event.target;
    const [asked, fault] = request(new FormData(form));
    if (fault) return refuse(fault);
    form.setAttribute('aria-busy', 'true');
    setText(byId('explain-said'), 'asking…');
    try {
      show(await change('explain', asked));
    } catch (error) {
      refuse(error instanceof Refused ? error.message : `${error.message}; try again`);
    } finally {
      form.removeAttribute('aria-busy');
    }
  });
}

// What the form asks for; or what is wrong with it.
function request(form) {
  const text = (name) => form.get(name).trim();
  const [call, domain] = [text('call'), text('domain')];
  if (call === '') return [null, 'Type a number, as +442079460123, or a URI, as sip:alice@example.com.'];
  if (domain !== '' && isUri(call)) return [null, 'A URI has its own domain: leave Domain empty, or type a number.'];
  const asked = domain === '' ? { uri: call } : { number: call, domain };
  for (const name of ['source', 'from', 'transport', 'listener', 'method', 'pai', 'call_id', 'at']) {
    if (text(name) !== '') asked[name] = text(name);
  }
  const headers = text('headers').split('\n').map((line) => line.trim()).filter((line) => line !== '');
  if (headers.length > 0) asked.headers = headers;
  return [asked, null];
}

function refuse(why) {
  byId('explained').replaceChildren();
  setText(byId('explain-said'), why);
  byId('explain-said').classList.add('bad');
}

function show(told) {
  byId('explain-said').classList.remove('bad');
  setText(byId('explain-said'), summary(told.verdict));
  byId('explained').replaceChildren(...[
    way(told),
    ...told.notes.map((note) => el('p', { class: 'note' }, note)),
    contacts(told.steps),
    el('h3', {}, 'Rule by rule'),
    steps(told),
    asked(told),
    answer(told.verdict),
    more('The request that was decided', told.request, 'request'),
    more('As JSON', JSON.stringify(told, null, 2), 'explained-json'),
  ].filter((node) => node !== null));
}

const place = (route) => `${route.file}:${route.line}`;
const routeName = (route) => (route ? `${route.name} (${place(route)})` : 'no route');

function summary(verdict) {
  if (verdict.kind === 'silence') return `No answer: ${verdict.why}`;
  if (verdict.kind === 'waits') return `No answer: it waits for ${verdict.questions.join(', ')}`;
  const line = verdict.answer.split('\r\n', 1)[0].replace(/^SIP\/2\.0 /, '');
  return `${line}, by ${routeName(verdict.route)}${verdict.fault ? `: ${verdict.fault}` : ''}`;
}

function way(told) {
  const generation = told.live === null ? '' : `, generation ${told.live.generation}`;
  return el('p', { class: 'quiet' }, `From ${told.from} to ${told.to}, ${told.transport}, listener ${told.listener}${generation}.`);
}

function contacts(all) {
  const found = all.filter((step) => step.step === 'contact');
  if (found.length === 0) return null;
  const items = found.map((step) => el('li', {}, el('code', {}, step.uri), el('span', { class: 'quiet' }, ` q=${step.q}`)));
  return el('div', {}, el('h3', {}, counted(found.length, 'Contact', 'Contacts')), el('ol', { class: 'contacts' }, items));
}

// Lists hold routes, routes hold what was seen of them.
function steps(told) {
  const root = el('div', { class: 'steps' });
  let [within, route] = [root, null];
  for (const step of told.steps) {
    if (step.step === 'list') {
      route = null;
      within = el('ol', { class: 'list' });
      root.append(el('h4', {}, `List ${step.list}`), within);
    } else if (step.step === 'route') {
      route = opened(step.route);
      within.append(el('li', {}, route));
    } else {
      note(route, step);
      (route?.querySelector('ul') ?? loose(root)).append(line(step));
    }
  }
  if (told.steps.length === 0) root.append(el('p', { class: 'quiet' }, 'No rule was looked at.'));
  if (told.steps_left_out) root.append(el('p', { class: 'quiet' }, `and ${counted(told.steps_left_out, 'step', 'steps')} more`));
  return root;
}

// What belongs to no route.
function loose(root) {
  if (root.lastChild?.className !== 'loose') root.append(el('ul', { class: 'loose' }));
  return root.lastChild;
}

function opened(route) {
  return el('details', { class: 'route' },
    el('summary', {},
      el('span', { class: 'came' }, state(true, 'every condition holds')), ' ',
      el('b', {}, route?.name ?? ''), ' ', el('code', { class: 'quiet' }, route ? place(route) : ''), ' ',
      el('span', { class: 'why quiet' })),
    el('ul', {}));
}

// What the head of a route says: why it was passed over, or what it does.
function note(route, step) {
  const came = route?.querySelector('.came');
  if (step.step === 'condition' && !step.holds && came) {
    came.replaceChildren(state(false, '', 'no'));
    setText(route.querySelector('.why'), `not so: ${step.condition ?? 'a condition'}`);
  }
  if (step.step === 'acts' && came) {
    came.replaceChildren(state(true, step.does ?? 'acts'));
    route.open = true;
    route.classList.add('acts');
  }
}

const quoted = (text) => (text === '' ? 'nothing' : `“${text}”`);

function line(step) {
  const item = (name, ...children) => el('li', { class: `step ${name}` }, ...children);
  switch (step.step) {
    case 'condition':
      return item('condition', state(step.holds, 'yes', 'no'), ` ${step.condition ?? 'a condition'}: saw ${quoted(step.saw)}`);
    case 'table': {
      if (step.row === null) return item('table', `table ${step.table}: ${quoted(step.key)} is not in it`);
      const columns = Object.entries(step.row.columns).map(([name, value]) => `${name}=${value}`).join(', ');
      return item('table', `table ${step.table}: ${quoted(step.key)} hits ${step.row.matched}: ${columns}`);
    }
    case 'set': return item('set', `set ${step.name} = ${quoted(step.value)}`);
    case 'acts': return item('acts', el('b', {}, `⇒ ${step.does ?? 'acts'}`));
    case 'contact': return item('contact', `contact q=${step.q} `, el('code', {}, step.uri));
    case 'dropped': return item('dropped', 'left out ', el('code', {}, step.uri), `: ${step.why}`);
    default: return item('note', step.note ?? JSON.stringify(step));
  }
}

function asked(told) {
  const questions = told.live?.dns ?? [];
  if (questions.length === 0) return null;
  const says = (one) => (!one.found ? 'not in the cache: the server would ask' : one.stale ? 'stale: used when DNS does not answer' : 'fresh, in the cache');
  return el('div', {}, el('h3', {}, 'DNS'),
    el('ul', { class: 'asked' }, questions.map((one) => el('li', {}, el('code', {}, one.question), ` ${says(one)}`))));
}

function answer(verdict) {
  if (verdict.kind !== 'reply') return null;
  const lost = [
    [verdict.contacts_trimmed, 'Contacts left out: the answer is full'],
    [verdict.contacts_dropped, 'Contacts left out: no room to work with them'],
    [verdict.headers_trimmed, 'headers left out'],
  ].filter(([many]) => many > 0).map(([many, what]) => el('p', { class: 'note' }, `${many} ${what}`));
  return el('div', {}, el('h3', {}, `The exact answer, to ${verdict.to}`), lost,
    el('pre', { id: 'answer', tabindex: 0 }, verdict.answer.replaceAll('\r\n', '\n')));
}

function more(head, text, id) {
  const node = el('details', {}, el('summary', {}, head));
  // Filled when somebody looks: it may be long.
  const filled = () => node.append(el('pre', { id, tabindex: 0 }, text.replaceAll('\r\n', '\n')));
  node.addEventListener('toggle', filled, { once: true });
  return node;
}
