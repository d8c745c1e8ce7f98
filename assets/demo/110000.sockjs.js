// The same connection by the libraries of the article: sockjs-client below, stompjs above.

const VENDOR = "110000.vendor/";
const TRANSPORTS = ["websocket", "xhr-streaming", "eventsource", "xhr-polling"];
const GOODBYE_MS = 2000;

let loading = null;

/** Versions of the libraries by name, or null when the page was not built with them. */
export async function fetchedLibraries() {
  try {
    const answer = await fetch(`${VENDOR}libraries.json`);
    const versions = await answer.json();
    return "sockjs-client" in versions ? versions : null;
  } catch {
    return null; // the gateway is away; connecting will say so
  }
}

/** Load the libraries once; rejects with the name of a file that does not come. */
export function loadLibraries() {
  loading ??= Promise.all(["sockjs.min.js", "stomp.umd.min.js"].map(load)).catch((file) => {
    loading = null;
    throw file;
  });
  return loading;
}

function load(file) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = VENDOR + file;
    script.onload = done;
    script.onerror = () => failed(file);
    document.head.append(script);
  });
}

/** As `StompConnection`; `transport` is a name of SockJS's, or "automatic". */
export class SockJsConnection {
  #client; #socket = null; #error = null; #on; #over = false;

  constructor(url, transport, on) {
    this.#on = on;
    const transports = transport === "automatic" ? TRANSPORTS : [transport];
    this.#client = new StompJs.Client({
      webSocketFactory: () => (this.#socket = new SockJS(url.href, null, { transports })),
      connectHeaders: { host: location.hostname },
      heartbeatOutgoing: 10000,
      heartbeatIncoming: 10000,
      reconnectDelay: 0, // the page does that
      onConnect: (frame) => on.connected(frame.headers, this.#socket.transport),
      onStompError: (frame) => {
        this.#error = [frame.headers.message, frame.body].filter(Boolean).join(": ");
      },
      onWebSocketClose: ({ code, reason }) => this.end({ code, reason }),
    });
    this.#client.activate();
  }

  subscribe(id, destination, receipt) {
    this.#watch(receipt);
    this.#client.subscribe(destination, (frame) => this.#on.message(frame), { id, receipt });
  }

  send(destination, body, receipt) {
    this.#watch(receipt);
    const headers = { receipt, "content-type": "text/plain;charset=UTF-8" };
    this.#client.publish({ destination, body, headers });
  }

  disconnect() {
    if (this.#client.connected) this.#client.deactivate();
    else this.#socket?.close();
    setTimeout(() => this.end({ code: 1000, reason: "" }), GOODBYE_MS);
  }

  /** Over, whether or not the other side knows it; said once. */
  end(how) {
    if (this.#over) return;
    this.#over = true;
    if (!this.#client.connected) this.#socket?.close();
    this.#client.deactivate();
    this.#on.closed({ error: this.#error, ...how });
  }

  #watch(receipt) { this.#client.watchForReceipt(receipt, () => this.#on.receipt(receipt)); }
}
