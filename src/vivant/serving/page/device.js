// "On this device": the `lite` network in the browser. No picture leaves it.

const JPEG_QUALITY = 0.9;

/**
 * Load the networks, check them, and run each once.
 * @param {{onProgress?: (progress: {loaded: number, total: number}) => void}} options In bytes.
 * @returns {Promise<Device>}
 */
export async function openDevice({ onProgress = () => {} } = {}) {
  const desk = new Desk(onProgress);
  try {
    await desk.ask("open");
  } catch (error) {
    desk.close();
    throw error;
  }
  return new Device(desk);
}

class Device {
  #desk;

  constructor(desk) {
    this.#desk = desk;
  }

  /** Start another presentation; what was seen before is forgotten. Options: see `Capture`. */
  begin(options = {}) {
    return this.#desk.ask("begin", options);
  }

  /** Take the next frame: see `Capture.look`. */
  look(frame, time_s) {
    return this.#desk.ask("look", { frame, time_s });
  }

  /**
   * The answer, as the service would give it to a trusted caller. Where anything failed its status
   * is "refused"; it is a pass only where the status is "decided" and the decision "bona_fide".
   */
  async end() {
    const answer = await this.#desk.ask("end");
    if (answer.explanation) answer.explanation.crop = toDataUrl(answer.explanation);
    return answer;
  }

  /** Let go of the networks. */
  close() {
    this.#desk.close();
  }
}

/** Requests to the worker, and their answers. */
class Desk {
  #worker = new Worker(new URL("./device_worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #number = 0;
  #broken = null;

  constructor(onProgress) {
    this.#worker.onmessage = ({ data }) => {
      if (data.progress) onProgress(data.progress);
      else this.#settle(data);
    };
    this.#worker.onerror = (event) => this.#break(event.message || "the worker could not be started");
    this.#worker.onmessageerror = () => this.#break("the worker's answer could not be read");
  }

  ask(name, given) {
    if (this.#broken) return Promise.reject(this.#broken);
    this.#number += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(this.#number, { resolve, reject });
      this.#worker.postMessage({ number: this.#number, name, given });
    });
  }

  close() {
    this.#worker.terminate();
    this.#break("the device was closed");
  }

  #settle({ number, value, error }) {
    const { resolve, reject } = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  }

  #break(message) {
    this.#broken ??= new Error(message);
    for (const { reject } of this.#waiting.values()) reject(this.#broken);
    this.#waiting.clear();
  }
}

function toDataUrl({ crop, crop_side_px: side }) {
  const canvas = document.createElement("canvas");
  canvas.width = side;
  canvas.height = side;
  const pixels = new ImageData(side, side);
  for (let from = 0, to = 0; from < crop.length; from += 3, to += 4) {
    pixels.data.set([crop[from], crop[from + 1], crop[from + 2], 255], to);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/jpeg", JPEG_QUALITY);
}
