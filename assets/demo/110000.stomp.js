// STOMP 1.2 over a plain WebSocket: what the page needs of it, and no more.

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
 * One connection. `on` has: connected(headers), message(frame), receipt(id), and
 * closed({ code, reason, error }) exactly once, whatever happened.
 */
export class StompConnection {
  #socket; #on; #parser = new Parser(); #error = ""; #beat; #watch; #heard = Date.now();

  constructor(url, on) {
    this.#on = on;
    this.#socket = new WebSocket(url, ["v12.stomp", "v11.stomp", "v10.stomp"]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#send("CONNECT", {
      "accept-version": "1.2,1.1,1.0", host: location.hostname, "heart-beat": "10000,10000",
    });
    this.#socket.onmessage = (event) => {
      this.#heard = Date.now();
      for (const frame of this.#parser.feed(event.data)) this.#take(frame);
    };
    this.#socket.onclose = (event) => {
      clearInterval(this.#beat);
      clearInterval(this.#watch);
      on.closed({ code: event.code, reason: event.reason, error: this.#error });
    };
  }

  subscribe(id, destination, receipt) { this.#send("SUBSCRIBE", { id, destination, receipt }); }

  send(destination, body, receipt) {
    this.#send("SEND", { destination, receipt, "content-type": "text/plain;charset=UTF-8" }, body);
  }

  /** Say goodbye; the server closes after its receipt, and so do we. */
  disconnect() {
    if (this.#socket.readyState === WebSocket.OPEN) this.#send("DISCONNECT", { receipt: "bye" });
    this.#socket.close(1000);
  }

  #send(command, headers, body) { this.#socket.send(encode(command, headers, body)); }

  #take(frame) {
    if (frame.command === "CONNECTED") {
      this.#startHeartbeats(frame.headers["heart-beat"] ?? "0,0");
      this.#on.connected(frame.headers);
    } else if (frame.command === "MESSAGE") this.#on.message(frame);
    else if (frame.command === "RECEIPT") this.#on.receipt(frame.headers["receipt-id"]);
    else if (frame.command === "ERROR") this.#error = [frame.headers.message, frame.body].filter(Boolean).join(": ");
  }

  #startHeartbeats(header) {
    const [theirs, wanted] = header.split(",").map(Number);
    if (wanted) this.#beat = setInterval(() => this.#socket.send("\n"), Math.max(wanted, 10000));
    if (theirs) {
      const limit = 2 * Math.max(theirs, 10000);
      this.#watch = setInterval(() => {
        if (Date.now() - this.#heard <= limit) return;
        this.#error = `no heart-beat for ${limit / 1000} s`;
        this.#socket.close(4000);
      }, 1000);
    }
  }
}
