// Runs the networks beside the page, so that its picture does not stall. One request after another.

import { refusalOf } from "./device_answer.js";
import { Capture, blankClip, scoreClip } from "./device_capture.js";
import { loadModels } from "./device_models.js";

const SIDE = 192; // Of what the face models see.

let models = null;
let capture = null;
let last = Promise.resolve();

const requests = {
  async open() {
    models = await loadModels((progress) => postMessage({ progress }));
    await warmUp(models);
  },
  begin(options) {
    capture = new Capture(models, options);
  },
  look({ frame, time_s }) {
    return capture.look(frame, time_s);
  },
  async end() {
    try {
      return await capture.end();
    } catch (error) {
      return refusalOf(models.card, error);
    } finally {
      capture = null;
    }
  },
};

onmessage = ({ data: { number, name, given } }) => {
  last = last.then(async () => {
    try {
      postMessage({ number, value: await requests[name](given) });
    } catch (error) {
      postMessage({ number, error: String(error?.message ?? error) });
    }
  });
};

/** The first run of a network is the slowest: not while somebody waits. */
async function warmUp({ card, lite, blazeface, faceMesh }) {
  const black = { data: new Uint8Array(SIDE * SIDE * 3), shape: [1, SIDE, SIDE, 3] };
  await blazeface.run(black);
  await faceMesh.run(black);
  await scoreClip(lite, card, ...blankClip(card));
}
