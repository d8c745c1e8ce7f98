// @stomp/stompjs, remote-controlled: one JSON command a line comes in, one JSON event a line goes out.
// Arguments: the folder node_modules. Ends when its input ends.
"use strict";

const { createRequire } = require("node:module");
const readline = require("node:readline");

const load = createRequire(process.argv[2] + "/");
const { Client, Versions } = load("@stomp/stompjs");
const WebSocket = load("ws");

const say = (event, detail = {}) => process.stdout.write(JSON.stringify({ event, ...detail }) + "\n");
const frameOf = (frame) => ({
  headers: frame.headers,
  body: Buffer.from(frame.binaryBody).toString("utf-8"),
  hex: Buffer.from(frame.binaryBody).toString("hex"),
});
const subscriptions = new Map();
const received = [];
let client = null;

const commands = {
  connect({ url, heartbeat = [0, 0], versions = ["1.2", "1.1", "1.0"], headers = {}, subprotocols = true }) {
    client = new Client({
      webSocketFactory: () => {
        const names = new Versions(versions).protocolVersions();
        const socket = subprotocols ? new WebSocket(url, names) : new WebSocket(url);
        socket.addEventListener("open", () => say("open", { protocol: socket.protocol }));
        return socket;
      },
      stompVersions: new Versions(versions),
      connectHeaders: headers,
      heartbeatOutgoing: heartbeat[0],
      heartbeatIncoming: heartbeat[1],
      reconnectDelay: 0,
      debug: (text) => {
        if (text === ">>> PING") say("beat-sent");
        if (text === "<<< PONG") say("beat-received");
      },
      onConnect: (frame) => say("connected", { ...frameOf(frame), version: client.connectedVersion }),
      onDisconnect: (frame) => say("disconnected", frameOf(frame)),
      onStompError: (frame) => say("error", frameOf(frame)),
      onWebSocketClose: (close) => say("closed", { code: close.code, reason: close.reason, clean: close.wasClean }),
      onWebSocketError: (error) => say("socket-error", { message: String(error.message) }),
      onUnhandledMessage: (frame) => say("unhandled-message", frameOf(frame)),
      onUnhandledReceipt: (frame) => say("unhandled-receipt", frameOf(frame)),
      onUnhandledFrame: (frame) => say("unhandled-frame", { command: frame.command, ...frameOf(frame) }),
    });
    client.activate();
  },
  subscribe({ id, destination, headers = {}, receipt }) {
    if (receipt) client.watchForReceipt(receipt, () => say("receipt", { id: receipt }));
    const all = { id, ...headers, ...(receipt ? { receipt } : {}) };
    subscriptions.set(
      id,
      client.subscribe(
        destination,
        (frame) => {
          received.push(frame);
          say("message", { subscription: id, number: received.length - 1, ...frameOf(frame) });
        },
        all,
      ),
    );
  },
  ack({ number, headers = {}, receipt }) {
    if (receipt) client.watchForReceipt(receipt, () => say("receipt", { id: receipt }));
    received[number].ack({ ...headers, ...(receipt ? { receipt } : {}) });
  },
  nack({ number, headers = {}, receipt }) {
    if (receipt) client.watchForReceipt(receipt, () => say("receipt", { id: receipt }));
    received[number].nack({ ...headers, ...(receipt ? { receipt } : {}) });
  },
  unsubscribe({ id, receipt }) {
    if (receipt) client.watchForReceipt(receipt, () => say("receipt", { id: receipt }));
    subscriptions.get(id).unsubscribe(receipt ? { receipt } : {});
  },
  publish({ destination, body, hex, headers = {}, receipt }) {
    if (receipt) client.watchForReceipt(receipt, () => say("receipt", { id: receipt }));
    const content = hex === undefined ? { body } : { binaryBody: Buffer.from(hex, "hex") };
    client.publish({ destination, headers: { ...headers, ...(receipt ? { receipt } : {}) }, ...content });
  },
  begin({ id }) {
    client.begin(id);
  },
  commit({ id }) {
    client.commit(id);
  },
  abort({ id }) {
    client.abort(id);
  },
  async deactivate() {
    await client.deactivate();
    say("deactivated");
  },
};

readline
  .createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { command, ...rest } = JSON.parse(line);
    try {
      await commands[command](rest);
    } catch (error) {
      say("failed", { command, message: String(error.stack) });
    }
  })
  .on("close", () => process.exit(0));
