// The article's page: connect, see what is pushed, send something; come back when the connection is lost.

import { Greetings, beginning, oneClock } from "./110000.greetings.js";
import { Retry } from "./110000.retry.js";
import { SockJsConnection, fetchedLibraries, loadLibraries } from "./110000.sockjs.js";
import { StompConnection } from "./110000.stomp.js";
import { TEXTS } from "./110000.texts.js";

const DESTINATION = "/user/topic/greetings";
const TARGET = "/app/hello";
const BASE = "/web-socket";
const CONNECT_S = 15;
const EXPLAIN_MS = 5000;
const PATIENCE_MS = 40;
const BUSY = ["connecting", "on", "waiting", "trying"];
const THEMES = ["auto", "light", "dark"];

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));
const parameters = new URLSearchParams(location.search);
let language = choose("lang", Object.keys(TEXTS), navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
let theme = choose("theme", THEMES, "auto");

let state = "off"; // off, connecting, on; waiting and trying: for the next attempt; refused: there is none
let connection = null;
let attempt = 0; // counts up, so that what belongs to an earlier one is known
let deadline;
let who = "";
let carrier = null; // the transport's name, and whether the libraries brought it
let lost = null; // since when, and on which instance we were
let libraries; // undefined until it is known
const sends = new Map();
// Functions of the texts, so that they change their language too.
let describeError = null, describeEvent = null, describeSent = null;

const texts = () => TEXTS[language];
const clock = () => new Date().toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB", { hour12: false });
const retry = new Retry(countDown, open);
const greetings = new Greetings(page, texts, show);

/** A preference: from the address, else as it was left here, else the default. */
function choose(name, known, otherwise) {
  return [parameters.get(name), kept(name)].find((value) => known.includes(value)) ?? otherwise;
}

function kept(name) {
  try {
    return localStorage.getItem(`pushscope.${name}`);
  } catch {
    return null; // the browser keeps nothing for us
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(`pushscope.${name}`, value);
  } catch { /* then it holds for this visit */ }
}

// ---- what is seen -------------------------------------------------------------------------------

function show() {
  const say = texts();
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.theme = theme;
  document.body.dataset.state = state;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = say[node.dataset.text];
  page.language.textContent = language === "zh" ? "English" : "中文";
  page.language.lang = language === "zh" ? "en" : "zh-CN";
  page.theme.textContent = say.colours(say[theme]);
  page.state.textContent = state === "on" ? say.on(who) : say[state];
  document.title = `${state === "on" ? "● " : ""}${page.user.value} – Pushscope`;
  showConnection(say);
  page.send.disabled = state !== "on"; // the field stays open, so that nobody types into nothing
  page.send.classList.toggle("primary", state === "on");
  for (const [node, describe] of [[page.error, describeError], [page.event, describeEvent], [page.sent, describeSent]]) {
    node.textContent = describe?.(say) ?? "";
    node.hidden = describe === null;
  }
  showGreetings(say);
}

function showConnection(say) {
  const busy = BUSY.includes(state);
  const resting = retry.waiting;
  page.setup.hidden = page.setup.disabled = busy;
  page.facts.hidden = !busy;
  page.transport.textContent = carrier ? (carrier.library ? say.onSockJs(carrier.transport) : say.onPlain) : "–";
  page.choice.hidden = page.client.value === "plain";
  page.countdown.hidden = !resting;
  page.connect.disabled = busy && !resting;
  page.connect.classList.toggle("primary", !page.connect.disabled);
  page.connect.textContent = resting ? say.connectNow : say.connect;
  page.disconnect.disabled = !busy;
  page.disconnect.textContent = state === "waiting" || state === "trying" ? say.stop : say.disconnect;
  page.unbuilt.hidden = libraries !== null;
  const command = document.createElement("code");
  command.textContent = "python3 dev.py page";
  page.unbuilt.replaceChildren(say.unbuilt[0], command, say.unbuilt[1]);
}

function showGreetings(say) {
  const { count, kept } = greetings;
  page.table.hidden = page.count.hidden = page.clear.hidden = page.footnote.hidden = count === 0;
  page.count.textContent = count > kept && kept ? say.shown(count.toLocaleString(), kept) : count.toLocaleString();
  page.footnote.textContent = oneClock ? say.measured : say.unmeasured;
  page.empty.hidden = count > 0;
  if (state !== "on") {
    page.empty.textContent = say.emptyOff;
    return;
  }
  const link = document.createElement("a");
  link.href = `${BASE}/test?username=${encodeURIComponent(who)}`;
  link.target = "_blank";
  link.rel = "noreferrer";
  link.textContent = decodeURI(link.href);
  page.empty.replaceChildren(say.emptyOn[0], link, say.emptyOn[1]);
}

function countDown(seconds) {
  page.countdown.textContent = texts().countdown(seconds);
}

// ---- the connection -----------------------------------------------------------------------------

function address(path) {
  const url = new URL(`${BASE}${path}`, location.href);
  url.searchParams.set("user", page.user.value);
  const token = page.token.value.trim();
  if (token) url.searchParams.set("access_token", token);
  return url;
}

function connect() {
  if (retry.waiting) {
    retry.now();
    return;
  }
  retry.reset();
  lost = describeError = describeEvent = describeSent = null;
  open();
}

async function open() {
  const mine = ++attempt;
  const url = address("/ws");
  const library = page.client.value === "sockjs";
  if (!library) url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  state = "connecting";
  page.address.textContent = `${url.origin}${url.pathname}`;
  show();
  try {
    if (library) await loadLibraries();
  } catch (file) {
    if (mine === attempt) refuse((say) => say.unloaded(file));
    return;
  }
  if (mine !== attempt) return;
  const on = handlers(mine, library);
  connection = library ? new SockJsConnection(url, page.wanted.value, on) : new StompConnection(url, on);
  deadline = setTimeout(() => connection?.end({ code: 4000, reason: "", late: CONNECT_S }), CONNECT_S * 1000);
}

function handlers(mine, library) {
  const current = (act) => (...args) => mine === attempt && act(...args);
  return {
    connected: current((headers, transport) => {
      page.instance.textContent = headers.instance ?? "–";
      page.session.textContent = headers.session ?? "–";
      carrier = { transport, library };
      who = headers["user-name"] ?? page.user.value; // the server decides who we are
      connection.subscribe("sub-0", DESTINATION, "subscribed");
    }),
    receipt: current((id) => (id === "subscribed" ? ready() : confirmed(id))),
    message: current((frame) => greetings.add(frame, clock())),
    closed: current(closed),
  };
}

function ready() {
  clearTimeout(deadline);
  retry.succeeded();
  state = "on";
  if (lost) {
    const { at, from, why } = lost;
    const [time, seconds, to] = [clock(), ((performance.now() - at) / 1000).toFixed(1), page.instance.textContent];
    describeEvent = (say) => `${why(say)} ${say.reconnected(time, seconds, from, to)}`;
  }
  const byHand = !lost;
  lost = describeError = null;
  show();
  if (byHand) page.text.focus({ preventScroll: true });
}

function closed(how) {
  clearTimeout(deadline);
  const [was, from] = [state, page.instance.textContent];
  connection = null;
  sends.clear();
  carrier = null;
  page.instance.textContent = page.session.textContent = "–";
  if (was === "on") {
    const why = reason(how);
    lost = { at: performance.now(), from, why };
    describeEvent = describeSent = null;
    tryAgain(why);
  } else if (how.error) refuse(reason(how)); // it would only be said again
  else explain(how);
}

function reason({ code, reason, error, silent, late }) {
  if (error) return (say) => say.serverSays(error);
  if (silent) return (say) => say.silent(silent);
  if (late) return (say) => say.late(late);
  if (code === 1006 && !reason) return (say) => say.broken;
  return (say) => say.closed(code, reason);
}

/** A WebSocket never says why it was refused; SockJS's first request of a session does. */
async function explain(how) {
  const mine = attempt;
  state = lost ? "waiting" : "trying";
  show();
  const [why, final] = await askGateway(reason(how));
  if (mine !== attempt) return;
  if (final) refuse(why);
  else tryAgain(why);
}

async function askGateway(otherwise) {
  if (!navigator.onLine && !oneClock) return [(say) => say.offline, false];
  try {
    const signal = AbortSignal.timeout(EXPLAIN_MS);
    const session = `why${Math.random().toString(36).slice(2)}`; // ends by itself when nobody comes again
    const answer = await fetch(address(`/ws/0/${session}/xhr`), { method: "POST", signal });
    if (answer.ok) return [otherwise, false];
    const text = beginning(told(await answer.text()), 300);
    if (answer.status === 401) return [(say) => say.unauthorized(text), true];
    return [(say) => say.answered(answer.status, text), answer.status < 500];
  } catch {
    return [(say) => say.unreachable, false];
  }
}

/** The sentence in an answer, which may be JSON. */
function told(text) {
  try {
    const { message, error } = JSON.parse(text);
    return String(message ?? error ?? text);
  } catch {
    return text.trim().replace(/\.$/, "");
  }
}

function refuse(why) {
  retry.cancel();
  lost = null;
  state = "refused";
  describeError = why;
  leave();
}

function tryAgain(why) {
  state = lost ? "waiting" : "trying";
  describeError = why;
  retry.schedule();
  leave();
}

/** Show, and keep the keyboard somewhere when what had it has gone. */
function leave() {
  show();
  if (document.activeElement === document.body) page.connect.focus({ preventScroll: true });
}

function disconnect() {
  attempt += 1;
  clearTimeout(deadline);
  retry.reset();
  connection?.disconnect();
  connection = lost = describeError = describeEvent = null;
  sends.clear();
  state = "off";
  leave();
}

// ---- sending ------------------------------------------------------------------------------------

function send() {
  const text = page.text.value;
  const sent = { shown: beginning(text, 80) + (text.length > 80 ? " …" : ""), time: clock(), at: performance.now() };
  const receipt = `sent-${attempt}-${sent.at}`;
  connection.send(TARGET, text, receipt);
  sends.set(receipt, sent);
  page.text.select();
  // Painting more now would hold up the receipt, and be measured as if it were the server's time.
  setTimeout(() => {
    if (!sends.has(receipt)) return;
    describeSent = (say) => say.sent(sent.shown, sent.time);
    show();
  }, PATIENCE_MS);
}

function confirmed(receipt) {
  const sent = sends.get(receipt);
  sends.delete(receipt);
  if (!sent) return;
  const [ms, instance] = [(performance.now() - sent.at).toFixed(1), page.instance.textContent];
  describeSent = (say) => say.confirmed(sent.shown, sent.time, instance, ms);
  show();
}

// ---- start --------------------------------------------------------------------------------------

page.connection.addEventListener("submit", (event) => {
  event.preventDefault();
  if (connection === null) connect();
});
page.disconnect.addEventListener("click", disconnect);
page.message.addEventListener("submit", (event) => {
  event.preventDefault();
  if (state === "on") send();
});
page.clear.addEventListener("click", () => greetings.clear());
page.client.addEventListener("change", show);
page.language.addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  keep("lang", language);
  greetings.translate();
  show();
});
page.theme.addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  keep("theme", theme);
  show();
});

/** A token in the address goes into its field: the address bar and the history are no place for it. */
function hideToken() {
  page.token.value = parameters.get("access_token") ?? "";
  parameters.delete("access_token");
  const query = parameters.toString();
  history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
}

page.user.value = parameters.get("user") ?? "lijian";
if (parameters.has("access_token")) hideToken();
show();
libraries = await fetchedLibraries();
if (libraries) {
  const option = page.client.options[1];
  option.disabled = false;
  option.textContent = `SockJS ${libraries["sockjs-client"]} + stompjs ${libraries["@stomp/stompjs"]}`;
  if (parameters.get("client") === "sockjs") page.client.value = "sockjs";
  const wanted = parameters.get("transport");
  if ([...page.wanted.options].some((option) => option.value === wanted)) page.wanted.value = wanted;
}
show();
document.body.dataset.loaded = "";
