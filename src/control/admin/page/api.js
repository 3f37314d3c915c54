// The admin API: asks, and says why there is no answer. The token is kept for this tab only, in sessionStorage.

const KEPT = 'waypost-token';
const GET_MS_MAX = 10_000;
// A reload of the largest tables fits.
const POST_MS_MAX = 120_000;

// No answer came.
export class Away extends Error {}

// The server has said no.
export class Refused extends Error {
  constructor(status, said, message) {
    super(message);
    this.status = status;
    this.said = said;
  }
}

export const hasToken = () => sessionStorage.getItem(KEPT) !== null;
export const keepToken = (token) => sessionStorage.setItem(KEPT, token);
export const forgetToken = () => sessionStorage.removeItem(KEPT);

export const read = (path) => ask('GET', path, undefined, GET_MS_MAX);
export const change = (path, body = {}) => ask('POST', path, body, POST_MS_MAX);

async function ask(method, path, body, msMax) {
  const headers = {};
  const token = sessionStorage.getItem(KEPT);
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const request = {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
    signal: AbortSignal.timeout(msMax),
  };
  let response, text;
  try {
    response = await fetch(`/api/v1/${path}`, request);
    text = await response.text();
  } catch (error) {
    throw new Away(error.name === 'TimeoutError' ? 'no answer in time' : 'no answer');
  }
  const said = parsed(text);
  if (response.ok && said !== undefined) return said;
  throw new Refused(response.status, said, said?.error ?? `the server says ${response.status}`);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
