// The networks and what runs them: fetched from the service, checked, opened once.

import * as ort from "./vendor/ort.wasm.bundle.min.mjs";

export const RUNTIME = `onnxruntime-web ${ort.env.versions.web} wasm`;

const WASM = "./vendor/ort-wasm-simd-threaded.wasm";
const WASM_BYTES = 14_239_897; // It comes compressed, and no header says how large it becomes.
const LITE = "./models/lite.onnx";
const FACE_MODELS = ["./models/blazeface_full_range.onnx", "./models/face_mesh.onnx"];

/**
 * @param {(progress: {loaded: number, total: number}) => void} onProgress In bytes.
 * @returns {Promise<{card: object, lite: Graph, blazeface: Graph, faceMesh: Graph}>}
 */
export async function loadModels(onProgress) {
  const card = JSON.parse(new TextDecoder().decode((await fetchAll([`${LITE}.json`]))[0]));
  const names = [WASM, LITE, ...FACE_MODELS];
  const [wasm, ...graphs] = await fetchAll(names, onProgress);
  await requireDigest(graphs[0], card.weights.sha256);
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const opened = [];
  for (const bytes of graphs) opened.push(await Graph.open(bytes));
  const [lite, blazeface, faceMesh] = opened;
  return { card, lite, blazeface, faceMesh };
}

/** An ONNX graph whose inputs are bytes. */
export class Graph {
  #session;

  constructor(session) {
    this.#session = session;
  }

  static async open(bytes) {
    const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
    return new Graph(await ort.InferenceSession.create(bytes, options));
  }

  /**
   * @param {{data: Uint8Array, shape: number[]}[]} inputs In the graph's order.
   * @returns {Promise<Object<string, Float32Array|BigInt64Array>>} Its outputs by name, all finite.
   */
  async run(...inputs) {
    const names = this.#session.inputNames;
    if (inputs.length !== names.length) {
      throw new Error(`expected ${names.length} inputs (${names}), got ${inputs.length}`);
    }
    const given = Object.fromEntries(
      inputs.map(({ data, shape }, at) => [names[at], new ort.Tensor("uint8", data, shape)]),
    );
    const answers = await this.#session.run(given);
    const read = {};
    for (const name of this.#session.outputNames) {
      const values = answers[name].data;
      if (values instanceof Float32Array && !values.every(Number.isFinite)) {
        throw new Error(`the network's ${name} is not finite`);
      }
      read[name] = values;
    }
    return read;
  }
}

/** Files as bytes, all at once, with one progress for all. */
async function fetchAll(names, onProgress = () => {}) {
  const answers = await Promise.all(names.map((name) => fetch(new URL(name, import.meta.url))));
  for (const answer of answers) {
    if (!answer.ok) throw new Error(`${new URL(answer.url).pathname}: ${answer.status}`);
  }
  let loaded = 0;
  const expected = answers.reduce((sum, answer, at) => sum + lengthOf(answer, names[at]), 0);
  const count = (bytes) => {
    loaded += bytes;
    onProgress({ loaded, total: Math.max(expected, loaded) });
  };
  return Promise.all(answers.map((answer) => readAll(answer, count)));
}

function lengthOf(answer, name) {
  if (name === WASM) return WASM_BYTES;
  return answer.headers.has("Content-Encoding") ? 0 : Number(answer.headers.get("Content-Length"));
}

async function readAll(answer, count) {
  const parts = [];
  let size = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
    count(value.length);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function requireDigest(bytes, expected) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== expected) {
    throw new Error(`the network has SHA-256 ${found}, its card says ${expected}: it came damaged`);
  }
}
