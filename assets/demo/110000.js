// The article's page: connect, see what is pushed, send something. No library.

import { StompConnection } from "./110000.stomp.js";

const DESTINATION = "/user/topic/greetings";
const TARGET = "/app/hello";
const BASE = "/web-socket";
const KEPT_ROWS = 500;

const TEXTS = {
  en: {
    connection: "Connection", instance: "Instance", session: "Session", address: "Address", user: "User",
    connect: "Connect", disconnect: "Disconnect", sendTitle: "Send to the server", message: "Message",
    send: "Send", greetings: "Greetings", clear: "Clear", time: "Time",
    off: "Not connected", connecting: "Connecting …", failed: "Connection lost", refused: "Could not connect",
    on: (user) => `Connected as ${user}`,
    sent: (text, time) => `Sent at ${time}: ${text || "(empty)"}`,
    emptyOff: "Connect to receive what is pushed to you.",
    emptyOn: ["Nothing has come yet. Push something, through any instance, for example with ", "."],
    closed: (code, reason) => `The connection ended with code ${code}${reason ? `: ${reason}` : ""}.`,
    answered: (status, message) => `The gateway answers ${status}: ${message}.`,
    unreachable: "The gateway does not answer. Is it running?",
    latest: (text) => `Greeting: ${text}`,
  },
  zh: {
    connection: "连接", instance: "实例", session: "会话", address: "地址", user: "用户",
    connect: "连接", disconnect: "断开", sendTitle: "发送到服务端", message: "消息",
    send: "发送", greetings: "问候消息", clear: "清空", time: "时间",
    off: "未连接", connecting: "正在连接…", failed: "连接已断开", refused: "无法连接",
    on: (user) => `已连接，用户 ${user}`,
    sent: (text, time) => `${time} 已发送：${text || "（空）"}`,
    emptyOff: "连接后可接收推送给您的消息。",
    emptyOn: ["尚未收到消息。可通过任一实例推送，例如访问 ", "。"],
    closed: (code, reason) => `连接已关闭，代码 ${code}${reason ? `：${reason}` : ""}。`,
    answered: (status, message) => `网关返回 ${status}：${message}。`,
    unreachable: "网关没有响应，它在运行吗？",
    latest: (text) => `问候消息：${text}`,
  },
};

const parameters = new URLSearchParams(location.search);
const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));
let language = parameters.get("lang") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
if (!(language in TEXTS)) language = "en";
let state = "off";
let connection = null;
let leaving = false;
let ready = false;
let who = "";
let count = 0;
let describeError = null; // a function of the texts, so that an error changes its language too
let describeSent = null;

const clock = () => new Date().toLocaleTimeString(language === "zh" ? "zh-CN" : "en-GB", { hour12: false });

function show() {
  const texts = TEXTS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.body.dataset.state = state;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = texts[node.dataset.text];
  page.language.textContent = language === "zh" ? "English" : "中文";
  page.language.lang = language === "zh" ? "en" : "zh-CN";
  page.state.textContent = state === "on" ? texts.on(who) : texts[state];
  document.title = `${state === "on" ? "● " : ""}${page.user.value} – Pushscope`;
  const open = state === "on" || state === "connecting";
  page.user.disabled = page.connect.disabled = open;
  page.disconnect.disabled = !open;
  page.send.disabled = page.text.disabled = state !== "on";
  page.connect.classList.toggle("primary", !open);
  page.send.classList.toggle("primary", state === "on");
  page.error.hidden = describeError === null;
  page.error.textContent = describeError?.(texts) ?? "";
  page.sent.textContent = describeSent?.(texts) ?? "";
  page.table.hidden = page.count.hidden = page.clear.hidden = count === 0;
  page.empty.hidden = count > 0;
  page.count.textContent = count.toLocaleString();
  showEmpty(texts);
}

function showEmpty(texts) {
  if (state !== "on") {
    page.empty.textContent = texts.emptyOff;
    return;
  }
  const link = document.createElement("a");
  link.href = `${BASE}/test?username=${encodeURIComponent(who)}`;
  link.target = "_blank";
  link.rel = "noreferrer";
  link.textContent = decodeURI(link.href);
  page.empty.replaceChildren(texts.emptyOn[0], link, texts.emptyOn[1]);
}

function address() {
  const url = new URL(`${BASE}/ws`, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("user", page.user.value);
  const token = parameters.get("access_token");
  if (token) url.searchParams.set("access_token", token);
  return url;
}

function connect() {
  const url = address();
  state = "connecting";
  leaving = ready = false;
  describeError = describeSent = null;
  page.address.textContent = `${url.origin}${url.pathname}`;
  connection = new StompConnection(url, {
    connected(headers) {
      page.instance.textContent = headers.instance ?? "–";
      page.session.textContent = headers.session ?? "–";
      who = headers["user-name"] ?? page.user.value; // the server decides who we are
      connection.subscribe("sub-0", DESTINATION, "subscribed");
    },
    receipt(id) {
      if (id !== "subscribed") return;
      ready = true;
      state = "on";
      show();
      page.text.focus({ preventScroll: true });
    },
    message: (frame) => add(frame.body),
    closed,
  });
  show();
}

async function closed({ code, reason, error }) {
  connection = null;
  page.instance.textContent = page.session.textContent = "–";
  state = leaving ? "off" : ready ? "failed" : "refused";
  if (error) describeError = () => error;
  else if (!leaving) describeError = (texts) => texts.closed(code, reason);
  show();
  if (!leaving && !ready && !error) await explain();
  if (document.activeElement === document.body) page.connect.focus({ preventScroll: true });
}

/** A WebSocket never says why it was refused; the same address by HTTP does. */
async function explain() {
  try {
    const answer = await fetch(`${BASE}/ws`, { cache: "no-store" });
    if (answer.status < 500) return;
    const details = await answer.json();
    describeError = (texts) => texts.answered(answer.status, details.message);
  } catch {
    describeError = (texts) => texts.unreachable;
  }
  show();
}

function add(text) {
  count += 1;
  const row = page.rows.insertRow(0);
  const cells = [["number", count.toLocaleString()], ["time", clock()], ["text", text]];
  for (const [name, value] of cells) {
    const cell = row.insertCell();
    cell.className = name;
    cell.textContent = value;
  }
  while (page.rows.rows.length > KEPT_ROWS) page.rows.deleteRow(-1);
  page.latest.textContent = TEXTS[language].latest(text);
  show();
}

page.connection.addEventListener("submit", (event) => {
  event.preventDefault();
  if (connection === null) connect();
});
page.disconnect.addEventListener("click", () => {
  leaving = true;
  connection?.disconnect();
});
page.message.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = page.text.value;
  const time = clock();
  connection?.send(TARGET, text, `sent-${Date.now()}`);
  describeSent = (texts) => texts.sent(text, time);
  page.text.select();
  show();
});
page.clear.addEventListener("click", () => {
  count = 0;
  page.rows.replaceChildren();
  show();
});
page.language.addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  show();
});

page.user.value = parameters.get("user") ?? "lijian";
page.address.textContent = `${address().origin}${BASE}/ws`;
show();
