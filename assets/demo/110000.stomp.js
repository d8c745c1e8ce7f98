// STOMP 1.2 over a plain WebSocket: what the page needs of it, and no more.

const BEAT_MS = 10000;
const GOODBYE_MS = 2000;
/** Bytes of one frame. The server's own links take no more either. */
const LARGEST_FRAME = 16 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const ESCAPES = { "\\": "\\\\", "\r": "\\r", "\n": "\\n", ":": "\\c" };
const UNESCAPES = { "\\\\": "\\", "\\r": "\r", "\\n": "\n", "\\c": ":" };

const escape = (text) => String(text).replace(/[\\\r\n:]/g, (sign) => ESCAPES[sign]);
const unescape = (text) => text.replace(/\\[\\rnc]/g, (pair) => UNESCAPES[pair]);

/** One frame as text. CONNECT is never escaped, so that a 1.0 server understands it. */
export function encode(command, headers = {}, body = "") {
  const plain = command === "CONNECT" || command === "CONNECTED";
  const lines = Object.entries(headers).map(([name, value]) =>
    plain ? `${name}:${value}` : `${escape(name)}:${escape(value)}`);
  if (body) lines.push(`content-length:${encoder.encode(body).length}`);
  return [command, ...lines, "", body].join("\n") + "\0";
}

/** Collects bytes and gives back whole frames; heart-beats are skipped. */
export class Parser {
  #bytes = new Uint8Array();

  feed(data) {
    const more = typeof data === "string" ? encoder.encode(data) : new Uint8Array(data);
    const joined = new Uint8Array(this.#bytes.length + more.length);
    joined.set(this.#bytes);
    joined.set(more, this.#bytes.length);
    this.#bytes = joined;
    const frames = [];
    for (let frame = this.#next(); frame; frame = this.#next()) frames.push(frame);
    if (this.#bytes.length > LARGEST_FRAME) throw new RangeError("a frame of more than 16 MiB");
    return frames;
  }

  #next() {
    let start = 0;
    while (this.#bytes[start] === 10 || this.#bytes[start] === 13) start += 1;
    this.#bytes = this.#bytes.subarray(start);
    const head = this.#headEnd();
    if (head === null) return null;
    const [command, ...lines] = decoder.decode(this.#bytes.subarray(0, head.end)).split(/\r?\n/);
    const headers = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = unescape(line.slice(0, colon));
      if (!(name in headers)) headers[name] = unescape(line.slice(colon + 1)); // the first one counts
    }
    const length = headers["content-length"];
    const end = length === undefined ? this.#bytes.indexOf(0, head.body) : head.body + Number(length);
    if (end < 0 || end >= this.#bytes.length) return null;
    const body = decoder.decode(this.#bytes.subarray(head.body, end));
    this.#bytes = this.#bytes.subarray(end + 1);
    return { command, headers, body };
  }

  #headEnd() {
    for (let at = this.#bytes.indexOf(10); at >= 0; at = this.#bytes.indexOf(10, at + 1)) {
      if (this.#bytes[at + 1] === 10) return { end: at, body: at + 2 };
      if (this.#bytes[at + 1] === 13 && this.#bytes[at + 2] === 10) return { end: at - 1, body: at + 3 };
    }
    return null;
  }
}

/**
 * One connection. `on` has: connected(headers, transport), message(frame), receipt(id), and
 * closed({ code, reason, error, silent }) exactly once, whatever happened: `error` is what the server
 * said, `silent` for how many seconds it said nothing.
 */
export class StompConnection {
  #socket; #on; #parser = new Parser(); #error = null; #beat; #watch; #heard = performance.now(); #over = false;

  constructor(url, on) {
    this.#on = on;
    this.#socket = new WebSocket(url, ["v12.stomp", "v11.stomp", "v10.stomp"]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#send("CONNECT", {
      "accept-version": "1.2,1.1,1.0", host: location.hostname, "heart-beat": `${BEAT_MS},${BEAT_MS}`,
    });
    this.#socket.onmessage = (event) => {
      this.#heard = performance.now();
      try {
        for (const frame of this.#parser.feed(event.data)) this.#take(frame);
      } catch (error) {
        this.end({ code: 4000, reason: String(error.message ?? error) });
      }
    };
    this.#socket.onclose = ({ code, reason }) => this.end({ code, reason });
  }

  subscribe(id, destination, receipt) { this.#send("SUBSCRIBE", { id, destination, receipt }); }

  send(destination, body, receipt) {
    this.#send("SEND", { destination, receipt, "content-type": "text/plain;charset=UTF-8" }, body);
  }

  /** Say goodbye; the server closes after its receipt, and so do we. */
  disconnect() {
    if (this.#socket.readyState === WebSocket.OPEN) this.#send("DISCONNECT", { receipt: "bye" });
    this.#socket.close(1000);
    setTimeout(() => this.end({ code: 1000, reason: "" }), GOODBYE_MS);
  }

  /** Over, whether or not the other side knows it; said once. */
  end(how) {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#beat);
    clearInterval(this.#watch);
    this.#socket.onmessage = null;
    this.#socket.close();
    this.#on.closed({ error: this.#error, ...how });
  }

  #send(command, headers, body) { this.#socket.send(encode(command, headers, body)); }

  #take(frame) {
    if (frame.command === "CONNECTED") {
      this.#startHeartbeats(frame.headers["heart-beat"] ?? "0,0");
      this.#on.connected(frame.headers, "websocket");
    } else if (frame.command === "MESSAGE") this.#on.message(frame);
    else if (frame.command === "RECEIPT") this.#on.receipt(frame.headers["receipt-id"]);
    else if (frame.command === "ERROR") this.#error = [frame.headers.message, frame.body].filter(Boolean).join(": ");
  }

  #startHeartbeats(header) {
    const [theirs, wanted] = header.split(",").map(Number);
    if (wanted) this.#beat = setInterval(() => this.#socket.send("\n"), Math.max(wanted, BEAT_MS));
    if (theirs) {
      const limit = 2 * Math.max(theirs, BEAT_MS);
      this.#watch = setInterval(() => {
        if (performance.now() - this.#heard > limit) this.end({ code: 4000, reason: "", silent: limit / 1000 });
      }, 1000);
    }
  }
}
