// Keeps what is seen up to date. One question at a time; none while the tab is hidden, for a section that is out of
// sight, or while updates are paused; fewer when an answer takes long, and ever fewer while none comes.

import { Away, Refused, read } from './api.js';

const AWAY_MS_FIRST = 1_000;
const AWAY_MS_MAX = 30_000;
const REFUSED_MS = 60_000;
// The server works for this page at most one part in so many of the time.
const SHARE = 20;

export class Poller {
  #jobs = [];
  #paused = false;
  #failures = 0;
  #notBefore = 0;
  #wake = () => {};
  #told;

  // `told` hears: away(why), back(), token(why), which promises an end.
  constructor(told) {
    this.#told = told;
    document.addEventListener('visibilitychange', () => this.#wake());
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        for (const job of this.#jobs.filter((job) => job.section === entry.target)) job.inSight = entry.isIntersecting;
      }
      this.#wake();
    }, { rootMargin: '200px' });
  }

  // Asks for `path()` every so often, while the section is in sight. The job that is given back can be asked for at
  // once.
  add({ section, path, everyMs, show, refuse }) {
    const job = { section, path, everyMs, show, refuse, due: 0, inSight: false };
    this.#jobs.push(job);
    this.seen.observe(section);
    return { now: () => { job.due = 0; this.#wake(); } };
  }

  // All of it, at once.
  refresh() {
    for (const job of this.#jobs) job.due = 0;
    this.#notBefore = 0;
    this.#wake();
  }

  pause(paused) {
    this.#paused = paused;
    this.#wake();
  }

  async run() {
    for (;;) {
      const job = this.#next();
      const waitMs = job === undefined ? Infinity : Math.max(job.due, this.#notBefore) - performance.now();
      if (waitMs > 0) await this.#sleep(waitMs);
      else await this.#ask(job);
    }
  }

  #next() {
    if (this.#paused || document.visibilityState === 'hidden') return undefined;
    const inSight = this.#jobs.filter((job) => job.inSight);
    return inSight.sort((one, other) => one.due - other.due)[0];
  }

  #sleep(ms) {
    return new Promise((resolve) => {
      const timer = ms === Infinity ? undefined : setTimeout(resolve, ms);
      this.#wake = () => { clearTimeout(timer); resolve(); };
    });
  }

  async #ask(job) {
    const began = performance.now();
    // Should it be wanted at once while it is under way, it is asked for again.
    job.due = Infinity;
    const due = (ms) => { job.due = Math.min(job.due, performance.now() + ms); };
    try {
      const value = await read(job.path());
      this.#failures = 0;
      this.#told.back();
      due(Math.max(job.everyMs, SHARE * (performance.now() - began)));
      job.show(value);
    } catch (error) {
      if (error instanceof Away) {
        this.#failures += 1;
        const ms = Math.min(AWAY_MS_FIRST * 2 ** (this.#failures - 1), AWAY_MS_MAX);
        this.#notBefore = performance.now() + ms;
        due(0);
        this.#told.away();
      } else if (error instanceof Refused && error.status === 401) {
        due(0);
        await this.#told.token(error.message);
      } else if (error instanceof Refused) {
        this.#told.back();
        due(REFUSED_MS);
        job.refuse(error.message);
      } else {
        due(REFUSED_MS);
        throw error;
      }
    }
  }
}
