// When to try again: soon at first, then ever more rarely, and never all pages at the same moment.

const DELAYS_S = [0.5, 1, 2, 4, 8, 15, 30];
const SETTLED_MS = 5000;

/** Counts down to the next attempt: `tick(seconds)` for the eyes, then `go()`. */
export class Retry {
  #tick; #go; #attempt = 0; #at = 0; #timer; #ready = 0;

  constructor(tick, go) {
    this.#tick = tick;
    this.#go = go;
    addEventListener("online", () => this.now());
  }

  get waiting() { return this.#timer !== undefined; }

  /** A connection works. It counts as good only when it lasts. */
  succeeded() { this.#ready = performance.now(); }

  schedule() {
    this.cancel();
    if (this.#ready && performance.now() - this.#ready > SETTLED_MS) this.#attempt = 0;
    this.#ready = 0;
    const delay = DELAYS_S[Math.min(this.#attempt, DELAYS_S.length - 1)] * 1000 * (0.8 + 0.4 * Math.random());
    this.#attempt += 1;
    this.#at = performance.now() + delay;
    this.#look();
  }

  /** Do not wait any longer, if something is waited for. */
  now() {
    if (!this.waiting) return;
    this.cancel();
    this.#go();
  }

  cancel() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** As if nothing had ever failed. */
  reset() {
    this.cancel();
    this.#attempt = 0;
  }

  #look() {
    const left = this.#at - performance.now();
    if (left <= 0) {
      this.cancel();
      this.#go();
      return;
    }
    this.#tick(Math.ceil(left / 1000));
    this.#timer = setTimeout(() => this.#look(), left % 1000 || 1000);
  }
}
