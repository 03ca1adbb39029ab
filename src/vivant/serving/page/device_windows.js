// Which frames are looked at, kept and scored: video/sampling.py, video/keep.py.

import { round } from "./device_pixels.js";

const ROUNDING_S = 1e-6;
const BUDGET_BYTES = 128 * 2 ** 20; // Half of the service's: a phone has less.
const MIN_GROUPS = 4;

/** The frames nearest to 0, 1, 2 ... times the interval after the first, each once. */
export class NearGrid {
  #interval_s;
  #previous = null;
  #given = null;
  #start_s = 0;
  #step = 0;

  constructor(interval_s) {
    this.#interval_s = interval_s;
  }

  /** The frames that are known to be nearest, now that this one is there: at most two. */
  add(frame) {
    const found = [];
    const previous = this.#previous;
    if (previous === null) this.#start_s = frame.time_s;
    this.#previous = frame;
    for (;;) {
      const target_s = this.#start_s + this.#step * this.#interval_s;
      if (!(frame.time_s >= target_s)) return found;
      const isNearer = previous === null || frame.time_s - target_s < target_s - previous.time_s;
      this.#step += 1;
      this.#give(isNearer ? frame : previous, found);
    }
  }

  /** The last frame, if it is the nearest to a place behind the end. */
  end() {
    const last = this.#previous;
    if (last === null || last === this.#given) return [];
    const left_s = this.#start_s + this.#step * this.#interval_s - last.time_s;
    return left_s < this.#interval_s / 2 ? [last] : [];
  }

  #give(nearest, found) {
    if (nearest === this.#given) return;
    this.#given = nearest;
    found.push(nearest);
  }
}

/** Frames by their position, in bounded memory: groups of N in a row, evenly spread. */
export class FrameKeeper {
  #numFrames;
  #stride = 1;
  #frames = new Map();

  constructor(numFrames) {
    this.#numFrames = numFrames;
  }

  add(position, frame) {
    if (!this.#isWanted(position)) return;
    this.#frames.set(position, frame);
    const fit = Math.floor(BUDGET_BYTES / frame.picture.data.length);
    if (this.#frames.size <= Math.max(fit, 2 * MIN_GROUPS * this.#numFrames - 1)) return;
    this.#stride *= 2;
    for (const known of [...this.#frames.keys()]) {
      if (!this.#isWanted(known)) this.#frames.delete(known);
    }
  }

  has(position) {
    return this.#frames.has(position);
  }

  get(position) {
    return this.#frames.get(position);
  }

  #isWanted(position) {
    return Math.floor(position / this.#numFrames) % this.#stride === 0;
  }
}

/**
 * The clips to score, evenly spread over the places where N frames in a row can be used.
 * @returns {{frames: number[], isPadded: boolean, isShort: boolean}[]} By position; in order of time.
 */
export function chooseWindows(times_s, usable, numFrames, interval_s, numWindows) {
  if (!usable.includes(true)) return [];
  const possible = possibleWindows(times_s, usable, numFrames, interval_s);
  if (possible.length > 0) return spread(possible.length, numWindows).map((place) => possible[place]);
  const there = times_s.map((_, position) => position).filter((position) => usable[position]);
  const frames = there.slice(0, numFrames);
  while (frames.length < numFrames) frames.push(frames.at(-1));
  return [{ frames, isPadded: true, isShort: true }];
}

/** Every clip that the rule allows; padded ones only if there are no others. */
export function possibleWindows(times_s, usable, numFrames, interval_s) {
  const span = round((times_s.at(-1) - times_s[0]) / interval_s);
  const found = new Map();
  for (let start = 0; start < span + 2 - numFrames; start += 1) {
    const targets = Array.from({ length: numFrames }, (_, i) => times_s[0] + (start + i) * interval_s);
    const frames = targets.map((target_s) => nearest(times_s, target_s));
    const fits = frames.every((position, i) => {
      const isNear = Math.abs(times_s[position] - targets[i]) <= interval_s + ROUNDING_S;
      return isNear && usable[position];
    });
    if (fits) found.set(frames.join(), frames);
  }
  const windows = [...found.values()].map((frames) => {
    return { frames, isPadded: new Set(frames).size < numFrames, isShort: false };
  });
  const whole = windows.filter(({ isPadded }) => !isPadded);
  return whole.length > 0 ? whole : windows;
}

/** Some of so many places, from the first to the last, evenly. */
export function spread(number, numChosen) {
  if (numChosen === 1) return [(number - 1) >> 1];
  const step = (number - 1) / (numChosen - 1);
  return [...new Set(Array.from({ length: numChosen }, (_, i) => Math.floor(i * step + 0.5)))];
}

function nearest(times_s, target_s) {
  let [low, high] = [0, times_s.length]; // The first that is not before the target.
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times_s[middle] < target_s) low = middle + 1;
    else high = middle;
  }
  const after = Math.min(low, times_s.length - 1);
  const before = Math.max(after - 1, 0);
  const distance = (position) => Math.abs(times_s[position] - target_s);
  return distance(before) <= distance(after) ? before : after;
}
