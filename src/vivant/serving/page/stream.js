// The service as a judge of frames, over the WebSocket /v1/stream.
//
// A judge has: interval_s, max_s, max_in_flight, isFinished, look(canvas, time_s) -> what it saw,
// end() -> the answer, close(). `local.js` has the other one, which runs in this browser.

import { askService } from "./service.js";
import { Trouble, troubleOfProblem, troubleOfService } from "./trouble.js";

const READY_MS = 10_000;
const SILENCE_MS = 15_000; // A frame without an answer for longer: the service is gone.
const VERDICT_MS = 60_000;
const QUALITIES = [0.85, 0.7, 0.5, 0.3];

/**
 * Connect, say hello, and wait until the service is ready.
 * @param {{key: string|null, session: {id: string, token: string}|null}} caller
 * @param {AbortSignal} signal
 * @returns {Promise<ServiceJudge>}
 */
export async function openServiceJudge(caller, signal) {
  const judge = new ServiceJudge(caller);
  signal.addEventListener("abort", () => judge.close(), { once: true });
  try {
    await judge.ready;
  } catch (trouble) {
    judge.close();
    throw trouble.code === "NO_ANSWER" ? await explainSilence(trouble) : trouble;
  }
  return judge;
}

/** A handshake that fails tells a page nothing: ask whether the service is there at all. */
async function explainSilence(trouble) {
  try {
    await askService({ signal: AbortSignal.timeout(5000) });
  } catch {
    return trouble;
  }
  return new Trouble("The service is there but did not take the stream: it may be busy. Try again in a moment.", {
    code: "STREAM_REFUSED",
  });
}

class ServiceJudge {
  interval_s = 0.1;
  max_s = 60;
  max_in_flight = 2;
  isFinished = false;
  #max_frame_bytes = 524288;
  #socket;
  #waiting = []; // Frames without an answer, oldest first.
  #verdict = withResolvers();
  #ready = withResolvers();
  #encoding = Promise.resolve();
  #timer = 0;

  constructor(caller) {
    this.#verdict.promise.catch(() => {});
    this.#ready.promise.catch(() => {});
    const url = new URL("v1/stream", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    this.#expectWithin(READY_MS);
    this.#socket = new WebSocket(url);
    const hello = { type: "hello", key: caller.session ? null : caller.key, session: caller.session, explain: true };
    this.#socket.onopen = () => this.#send(JSON.stringify(hello));
    this.#socket.onmessage = (event) => this.#take(event.data);
    this.#socket.onclose = (event) => this.#fail(troubleOfClose(event));
  }

  get ready() {
    return this.#ready.promise;
  }

  /** Send the canvas as it is now, taken at time_s; gives what the service saw of it. */
  look(canvas, time_s) {
    const jpeg = encode(canvas, this.#max_frame_bytes);
    const turn = this.#encoding.then(async () => {
      const bytes = await jpeg;
      if (this.isFinished) return this.#verdict.promise.then(() => null);
      const waiting = withResolvers();
      this.#waiting.push(waiting);
      this.#send(frameMessage(bytes, time_s));
      this.#expectWithin(SILENCE_MS);
      return { answer: waiting.promise };
    });
    jpeg.catch(() => {});
    this.#encoding = turn.catch(() => {});
    return turn.then((sent) => sent?.answer ?? null);
  }

  end() {
    if (!this.isFinished) {
      this.#send(JSON.stringify({ type: "end" }));
      this.#expectWithin(VERDICT_MS);
    }
    return this.#verdict.promise;
  }

  close() {
    this.#fail(new Trouble("Stopped.", { kind: "interrupted" }));
  }

  /** A socket that is closing says so by its close event, which ends everything. */
  #send(data) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(data);
  }

  #take(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return this.#fail(new Trouble("The service said something unreadable. Nothing was decided.", { code: "BAD_ANSWER" }));
    }
    if (message.type === "ready") {
      this.interval_s = positive(message.interval_s) ?? this.interval_s;
      this.max_s = positive(message.max_s) ?? this.max_s;
      this.max_in_flight = positive(message.max_in_flight) ?? this.max_in_flight;
      this.#max_frame_bytes = positive(message.max_frame_bytes) ?? this.#max_frame_bytes;
      clearTimeout(this.#timer);
      this.#ready.resolve(this);
    } else if (message.type === "frame") {
      this.#waiting.shift()?.resolve(message);
      if (this.#waiting.length === 0) clearTimeout(this.#timer);
      else this.#expectWithin(SILENCE_MS);
    } else if (message.type === "verdict") {
      this.#finish();
      this.#verdict.resolve(message.answer);
      for (const waiting of this.#waiting.splice(0)) waiting.resolve(null);
    } else if (message.type === "problem") {
      this.#fail(troubleOfProblem(message, Number(message.status) || 500));
    }
  }

  #expectWithin(milliseconds) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fail(troubleOfService()), milliseconds);
  }

  #fail(trouble) {
    if (this.isFinished) return;
    this.#finish();
    this.#ready.reject(trouble);
    this.#verdict.reject(trouble);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(trouble);
  }

  #finish() {
    this.isFinished = true;
    clearTimeout(this.#timer);
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close();
  }
}

function troubleOfClose(event) {
  if (event.code === 1012) return new Trouble("The service is going down. Try again later.", { code: "1012" });
  if (event.code === 1013) return new Trouble("The service is busy. Try again in a moment.", { code: "1013" });
  if (event.code === 1008) {
    return new Trouble("The service refused the stream.", { code: "1008", kind: "refused" });
  }
  return troubleOfService();
}

/** 8 bytes little-endian float64, the time in seconds, then the JPEG. */
function frameMessage(jpeg, time_s) {
  const message = new Uint8Array(8 + jpeg.byteLength);
  new DataView(message.buffer).setFloat64(0, time_s, true);
  message.set(new Uint8Array(jpeg), 8);
  return message;
}

async function encode(canvas, max_bytes) {
  // The first call takes the picture at once; only a frame too large is drawn again, from a copy.
  let blob = await toJpeg(canvas, QUALITIES[0]);
  if (blob.size <= max_bytes) return blob.arrayBuffer();
  const bitmap = await createImageBitmap(blob);
  const copy = document.createElement("canvas");
  copy.width = bitmap.width;
  copy.height = bitmap.height;
  copy.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  for (const quality of QUALITIES.slice(1)) {
    blob = await toJpeg(copy, quality);
    if (blob.size <= max_bytes) return blob.arrayBuffer();
  }
  throw new Trouble("The camera's frames are larger than the service takes.", { code: "TOO_LARGE", kind: "refused" });
}

function toJpeg(canvas, quality) {
  return new Promise((resolve, reject) => {
    const take = (blob) => (blob ? resolve(blob) : reject(new Trouble("The browser could not encode a frame.")));
    canvas.toBlob(take, "image/jpeg", quality);
  });
}

function positive(value) {
  return Number.isFinite(value) && value > 0 ? value : null;
}

function withResolvers() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}
