// One presentation, from its first frame to its answer: faces/observer.py, session/clip.py.

import { answerOf, resultOf } from "./device_answer.js";
import { cropBox, cutCrop, medianBox } from "./device_boxes.js";
import { BlazeFace, FaceMesh } from "./device_faces.js";
import { adviceOn, clipFaults, finding, findSlowness, frameFaults, lackOfFrames } from "./device_faults.js";
import { toRgb } from "./device_pixels.js";
import { LIMITS, SceneHistory, measure, motion } from "./device_quality.js";
import { Tracker } from "./device_tracker.js";
import { FrameKeeper, NearGrid, chooseWindows, possibleWindows } from "./device_windows.js";

const NUM_WINDOWS = 4;
const CONTEXT_SIDE = 160; // Of the wider crop: networks/config.py.

export class Capture {
  #models;
  #card;
  #limits;
  #numFrames;
  #interval_s;
  #grid;
  #tracker;
  #kept;
  #scene = new SceneHistory();
  #looks = [];
  #before = null;
  #size = null;
  #last_s = -Infinity;
  #faces_s = 0;
  #failure = null;
  #isLive;

  /**
   * @param models From `loadModels`.
   * @param {{isLive?: boolean}} options Whether the frames come from a camera, at the pace of this
   *   device; those of a file do not wait for anybody.
   */
  constructor(models, { isLive = false } = {}) {
    this.#isLive = isLive;
    this.#models = models;
    this.#card = models.card;
    this.#limits = { ...LIMITS, ...models.card.quality_limits };
    this.#numFrames = models.card.architecture.num_frames;
    this.#interval_s = models.card.preprocessing.frame_interval_s;
    this.#grid = new NearGrid(this.#interval_s);
    this.#tracker = new Tracker(new BlazeFace(models.blazeface), new FaceMesh(models.faceMesh));
    this.#kept = new FrameKeeper(this.#numFrames);
  }

  /**
   * Take the next frame. Of frames that come faster than the model's interval some are not looked
   * at; the answer is then about the last that was.
   * @param {ImageData} imageData Of one size.
   * @param {number} time_s Ascending.
   * @returns {Promise<{face: number[]|null, is_usable: boolean, hints: {code: string,
   *   advice: string}[], num_windows: number}>} `num_windows`: clips there are to score, 4 at most.
   */
  async look(imageData, time_s) {
    const started_ms = performance.now();
    try {
      this.#require(imageData, time_s);
      for (const frame of this.#grid.add({ picture: toRgb(imageData), time_s })) {
        await this.#look(frame);
      }
    } catch (error) {
      this.#failure = error; // A capture with a hole in it is not judged.
      throw error;
    }
    this.#faces_s += (performance.now() - started_ms) / 1000;
    return this.#said();
  }

  /** Score the clips and answer. */
  async end() {
    if (this.#failure !== null) throw this.#failure;
    const started_ms = performance.now();
    for (const frame of this.#grid.end()) await this.#look(frame);
    const clips = this.#clips();
    const reasons = clipFaults(this.#looks, this.#scene.change(), this.#limits);
    if (clips.length === 0 || clips[0].isShort) {
      reasons.push(...this.#explainLack());
    }
    this.#faces_s += (performance.now() - started_ms) / 1000;
    const scored_ms = performance.now();
    for (const clip of clips) {
      clip.result = await scoreClip(this.#models.lite, this.#card, clip.crops, clip.context);
    }
    return answerOf(this.#card, clips, reasons, {
      looks: this.#looks,
      size: this.#size ?? [0, 0],
      limits: this.#limits,
      faces_s: this.#faces_s,
      network_s: (performance.now() - scored_ms) / 1000,
    });
  }

  #explainLack() {
    const lacks = lackOfFrames(this.#looks, this.#numFrames);
    if (!this.#isLive || this.#looks.length === 0) return lacks;
    const filmed_s = this.#last_s - this.#looks[0].time_s;
    const slow = findSlowness(this.#looks.length, filmed_s, this.#numFrames, this.#interval_s);
    return slow.length > 0 ? [...lacks.filter(({ code }) => code !== "TOO_FEW_FRAMES"), ...slow] : lacks;
  }

  #require({ width, height }, time_s) {
    this.#size ??= [width, height];
    if (width !== this.#size[0] || height !== this.#size[1]) {
      throw new Error(`expected a frame of ${this.#size.join("x")}, got ${width}x${height}`);
    }
    if (!(time_s > this.#last_s && time_s < Infinity)) {
      throw new Error(`expected a time after ${this.#last_s} s, got ${time_s}`);
    }
    this.#last_s = time_s;
  }

  async #look(frame) {
    const { picture, time_s } = frame;
    const { face, others, isElsewhere } = await this.#tracker.look(picture);
    const look = { time_s, box: null, others, faults: [], isElsewhere, motion: null, isUsable: false };
    if (face !== null) {
      look.box = face.box;
      look.faults = frameFaults(measure(picture, face), this.#limits);
      look.isUsable = look.faults.length === 0;
      if (this.#before !== null) look.motion = motion(this.#before, picture, face);
      this.#scene.add(picture);
    }
    this.#before = picture;
    if (look.isUsable) this.#kept.add(this.#looks.length, frame);
    this.#looks.push(look);
  }

  #said() {
    const look = this.#looks.at(-1);
    const crowd = look.others?.length > 0 ? clipFaults([look], 0, this.#limits) : [];
    const found = look.box ? [...crowd, ...look.faults] : [finding("NO_FACE", "")];
    const possible = possibleWindows(...this.#places(), this.#numFrames, this.#interval_s);
    return {
      face: look.box,
      is_usable: look.isUsable,
      hints: adviceOn(found.filter(({ code }) => code !== "STATIC_FRAMES")),
      num_windows: Math.min(possible.length, NUM_WINDOWS),
    };
  }

  #places() {
    const times_s = this.#looks.map(({ time_s }) => time_s);
    return [times_s, times_s.map((_, position) => this.#kept.has(position))];
  }

  #clips() {
    const { crop_scale, crop_side_px: side, context_scale = null } = this.#card.preprocessing;
    const windows = chooseWindows(...this.#places(), this.#numFrames, this.#interval_s, NUM_WINDOWS);
    return windows.map(({ frames, isPadded, isShort }) => {
      const face = medianBox(frames.map((position) => this.#looks[position].box));
      const kept = frames.map((position) => this.#kept.get(position));
      const cutAll = (box, size) => kept.map(({ picture }) => cutCrop(picture, box, size).data);
      const crop = cropBox(face, ...this.#size, crop_scale);
      const crops = cutAll(crop, side);
      const contextCrop = context_scale === null ? null : cropBox(face, ...this.#size, context_scale);
      const context = contextCrop && cutAll(contextCrop, CONTEXT_SIDE);
      const times_s = kept.map(({ time_s }) => time_s);
      return { times_s, face, crop, side, crops, contextCrop, context, isPadded, isShort };
    });
  }
}

/**
 * The network's answer to one clip.
 * @param lite The graph.
 * @param {object} card The model's.
 * @param {Uint8Array[]} crops One a frame.
 * @param {Uint8Array[]|null} context The wider crops, where the model sees them.
 */
export async function scoreClip(lite, card, crops, context = null) {
  const inputs = [toInput(crops, card.preprocessing.crop_side_px)];
  if (context !== null) inputs.push(toInput(context, CONTEXT_SIDE));
  return resultOf(await lite.run(...inputs), card);
}

/** Black crops of one clip, and their wider ones where the model sees them. */
export function blankClip({ architecture, preprocessing }) {
  const frames = (side) => {
    const crop = new Uint8Array(side * side * 3);
    return Array.from({ length: architecture.num_frames }, () => crop);
  };
  const hasContext = (preprocessing.context_scale ?? null) !== null;
  return [frames(preprocessing.crop_side_px), hasContext ? frames(CONTEXT_SIDE) : null];
}

function toInput(crops, side) {
  const size = side * side * 3;
  const data = new Uint8Array(crops.length * size);
  crops.forEach((crop, at) => data.set(crop, at * size));
  return { data, shape: [1, crops.length, side, side, 3] };
}
