// SockJS clients, alone or under STOMP, remote-controlled: one JSON command a line comes in, one JSON event
// a line goes out. Arguments: the folder node_modules. Ends when its input ends.
//
// Two pairs: "new" is sockjs-client 1.6 with @stomp/stompjs, "old" sockjs-client 1.0 with stompjs 2.3.
"use strict";

const { createRequire } = require("node:module");
const readline = require("node:readline");

const load = createRequire(process.argv[2] + "/");
const say = (event, detail = {}) => process.stdout.write(JSON.stringify({ event, ...detail }) + "\n");

const openSocket = (pair, url, transport, options) => {
  const SockJS = load(pair === "old" ? "sockjs-client-1.0" : "sockjs-client");
  return new SockJS(url, null, { ...options, ...(transport ? { transports: [transport] } : {}) });
};

// One interface over both STOMP libraries.
const pairs = {
  new: ({ url, transport, heartbeat, headers, options }) => {
    const { Client } = load("@stomp/stompjs");
    let socket = null;
    const client = new Client({
      webSocketFactory: () => (socket = openSocket("new", url, transport, options)),
      connectHeaders: headers,
      heartbeatOutgoing: heartbeat[0],
      heartbeatIncoming: heartbeat[1],
      reconnectDelay: 0,
      onConnect: (frame) => say("connected", { headers: frame.headers, transport: socket.transport }),
      onStompError: (frame) => say("error", { headers: frame.headers, body: frame.body }),
      onWebSocketClose: (close) => say("closed", { code: close.code, reason: close.reason }),
    });
    client.activate();
    return {
      subscribe: (id, destination, receipt) => {
        client.watchForReceipt(receipt, () => say("receipt", { id: receipt }));
        client.subscribe(destination, (frame) => say("message", { headers: frame.headers, body: frame.body }), {
          id,
          receipt,
        });
      },
      publish: (destination, body) => client.publish({ destination, body }),
      close: () => client.deactivate(),
    };
  },
  old: ({ url, transport, heartbeat, headers, options }) => {
    const { Stomp } = load("stompjs/lib/stomp.js");
    global.window = global; // stompjs 2.3 takes its timers from there
    const socket = openSocket("old", url, transport, options);
    const client = Stomp.over(socket);
    client.debug = null;
    client.heartbeat = { outgoing: heartbeat[0], incoming: heartbeat[1] };
    client.onreceipt = (frame) => say("receipt", { id: frame.headers["receipt-id"] });
    const connected = (frame) => {
      const told = socket.onclose;
      socket.onclose = (close) => {
        say("closed", { code: close.code, reason: close.reason });
        told(close);
      };
      say("connected", { headers: frame.headers, transport: socket.transport });
    };
    client.connect(headers, connected, (problem) =>
      say("error", problem.headers ? { headers: problem.headers, body: problem.body } : { text: String(problem) }),
    );
    return {
      subscribe: (id, destination, receipt) =>
        client.subscribe(destination, (frame) => say("message", { headers: frame.headers, body: frame.body }), {
          id,
          receipt,
        }),
      publish: (destination, body) => client.send(destination, {}, body),
      close: () => client.disconnect(() => say("disconnected")),
    };
  },
};

let client = null;
let bare = null;

const commands = {
  connect({ pair, url, transport, heartbeat = [0, 0], headers = {}, options = {} }) {
    client = pairs[pair]({ url, transport, heartbeat, headers, options });
  },
  subscribe({ id, destination, receipt }) {
    client.subscribe(id, destination, receipt);
  },
  publish({ destination, body }) {
    client.publish(destination, body);
  },
  deactivate() {
    client.close();
  },
  // SockJS without STOMP
  open({ pair, url, transport, options = {} }) {
    bare = openSocket(pair, url, transport, options);
    bare.onopen = () => say("open", { transport: bare.transport });
    bare.onmessage = (message) => say("message", { body: message.data });
    bare.onheartbeat = () => say("heartbeat");
    bare.onclose = (close) => say("closed", { code: close.code, reason: close.reason });
  },
  send({ body }) {
    bare.send(body);
  },
  close() {
    bare.close();
  },
};

readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { command, ...rest } = JSON.parse(line);
    try {
      commands[command](rest);
    } catch (error) {
      say("failed", { command, message: String(error.stack) });
    }
  })
  .on("close", () => process.exit(0));
