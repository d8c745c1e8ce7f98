// The list of greetings: newest first, bounded, long ones folded.

import { size } from "./110000.texts.js";

const KEPT = 500;
const KEPT_CHARACTERS = 16_000_000;
const FOLD_BEYOND = 600;
const FOLDED = 240;
const PART = 2000;
const ANNOUNCE_MS = 1000;

/** Whether the cluster's clock is this machine's: it is when its gateway is on this machine. */
export const oneClock = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname);

/** Unix time in ms with its fractions: the wall clock's ms, refined by the precise one. */
export function wallClock() {
  const coarse = Date.now();
  return Math.min(Math.max(performance.timeOrigin + performance.now(), coarse), coarse + 1);
}

/** Who pushed a message and how long ago, as far as its headers say so. */
function origin(headers, arrived) {
  const sent = headers["ps-sent"] ?? "";
  const space = sent.lastIndexOf(" ");
  const at = space < 0 ? NaN : Number(sent.slice(space + 1));
  return { via: space < 0 ? null : sent.slice(0, space), latency: oneClock && at > 0 ? arrived - at : null };
}

/** A beginning that does not end inside a character. */
export const beginning = (text, length) => text.slice(0, length).replace(/[\ud800-\udbff]$/, "");

/**
 * `nodes`: rows (a tbody) and latest (a live region). `changed()` is called when something is to be
 * shown; `texts()` are those of the language.
 */
export class Greetings {
  count = 0;
  #nodes; #texts; #changed; #waiting = []; #scheduled = false; #entries = []; #characters = 0;
  #announced = -Infinity; #unsaid = 0; #saying;

  constructor(nodes, texts, changed) {
    this.#nodes = nodes;
    this.#texts = texts;
    this.#changed = changed;
  }

  get kept() { return this.#entries.length; }

  add({ headers, body }, time) {
    this.count += 1;
    this.#waiting.push({ number: this.count, time, ...origin(headers, wallClock()), text: body });
    if (this.#waiting.length > KEPT) this.#waiting.shift();
    if (this.#scheduled) return;
    this.#scheduled = true;
    const flush = () => this.#flush();
    if (document.hidden) setTimeout(flush, 200);
    else requestAnimationFrame(flush);
  }

  clear() {
    this.count = this.#characters = 0;
    this.#waiting = [];
    this.#entries = [];
    this.#nodes.rows.replaceChildren();
    this.#changed();
  }

  /** Say everything again, in another language. */
  translate() {
    for (const entry of this.#entries) entry.translate?.(this.#texts());
  }

  #flush() {
    this.#scheduled = false;
    if (!this.#waiting.length) return;
    const made = this.#waiting.map((greeting) => this.#makeRow(greeting)).reverse();
    this.#nodes.rows.prepend(...made.map((entry) => entry.row));
    this.#entries.unshift(...made);
    this.#unsaid += made.length;
    this.#characters += made.reduce((sum, entry) => sum + entry.length, 0);
    this.#waiting = [];
    while (this.#entries.length > 1 && (this.#entries.length > KEPT || this.#characters > KEPT_CHARACTERS)) {
      const oldest = this.#entries.pop();
      this.#characters -= oldest.length;
      oldest.row.remove();
    }
    this.#announce(made[0].beginning);
    this.#changed();
  }

  #makeRow({ number, time, via, latency, text }) {
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    const ms = latency === null ? null : latency.toFixed(Math.abs(latency) < 100 ? 1 : 0);
    const cells = [["number", number.toLocaleString()], ["time", time], ["via", via], ["latency", ms]];
    for (const [name, value] of cells) {
      const cell = row.insertCell();
      cell.setAttribute("role", "cell");
      cell.className = value === null ? `${name} unknown` : name;
      cell.textContent = value ?? "–";
    }
    const cell = row.insertCell();
    cell.setAttribute("role", "cell");
    cell.className = "text";
    const body = document.createElement("span");
    body.className = "body";
    body.textContent = text;
    cell.append(body);
    const entry = { row, length: text.length, beginning: beginning(text, 120) };
    if (text.length > FOLD_BEYOND) entry.translate = fold(cell, body, text, this.#texts());
    return entry;
  }

  /** A screen reader hears of news at most once a second. */
  #announce(text) {
    clearTimeout(this.#saying);
    const wait = this.#announced + ANNOUNCE_MS - performance.now();
    if (wait > 0) {
      this.#saying = setTimeout(() => this.#announce(text), wait);
      return;
    }
    this.#announced = performance.now();
    const texts = this.#texts();
    this.#nodes.latest.textContent = this.#unsaid > 1 ? texts.several(this.#unsaid, text) : texts.latest(text);
    this.#unsaid = 0;
  }
}

/** A long text as blocks of which only the visible ones are laid out: as one it can take seconds. */
function* parts(text) {
  for (let from = 0, to; from < text.length; from = to) {
    to = from + PART;
    if (to < text.length) {
      const space = text.lastIndexOf(" ", to) + 1;
      to = space > from + PART / 2 ? space : from + beginning(text.slice(from, to), PART).length;
    }
    const part = document.createElement("span");
    part.className = "part";
    part.textContent = text.slice(from, to);
    yield part;
  }
}

/** Show the beginning and a button for the rest; returns what puts the button into another language. */
function fold(cell, body, text, texts) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet fold";
  let open = false;
  const bytes = size(new Blob([text]).size);
  const show = () => {
    if (open) body.replaceChildren(...parts(text));
    else body.textContent = `${beginning(text, FOLDED)} …`;
    body.classList.toggle("open", open);
    if (open) body.tabIndex = 0; // it scrolls, also by keyboard
    else body.removeAttribute("tabindex");
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? texts.showLess : texts.showAll(bytes);
  };
  button.addEventListener("click", () => {
    open = !open;
    show();
  });
  show();
  cell.append(button);
  return (others) => {
    texts = others;
    show();
  };
}
