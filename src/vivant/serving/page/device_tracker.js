// Follows one face through a video: faces/track.py.

import { areaOf, centreOf, iou } from "./device_boxes.js";
import { regionOfBox, regionOfPoints } from "./device_faces.js";
import { moments } from "./device_pixels.js";

const DETECT_EVERY = 3;
const UNFOUND = 9;
const MAX_CANDIDATES = 4;
const MIN_PRESENCE = 0;
const SAME_FACE = 0.1;
const CENTRAL = 0.5;

/** Feed it the frames of one video in order. */
export class Tracker {
  #detector;
  #mesh;
  #found = null; // As last detected: the mesh moves its box.
  #last = null; // As last seen.
  #looksSinceFound = 0;
  #isLost = true;

  constructor(detector, mesh) {
    this.#detector = detector;
    this.#mesh = mesh;
  }

  /**
   * @returns {Promise<{face: {box: number[], mesh: object}|null, others: number[][]|null,
   *   isElsewhere: boolean}>} `others` is null where the frame was not searched for them.
   */
  async look(picture) {
    this.#looksSinceFound += 1;
    if (this.#isLost || this.#looksSinceFound >= DETECT_EVERY) {
      return this.#search(picture, !this.#isLost);
    }
    const face = await this.#follow(picture);
    if (face === null) return this.#search(picture, false);
    this.#last = face;
    return { face, others: null, isElsewhere: false };
  }

  async #follow(picture) {
    const mesh = await this.#mesh.fit(picture, regionOfPoints(this.#last.mesh.points));
    if (!(mesh.presence_logit >= MIN_PRESENCE)) return null;
    return { box: moved(this.#found, mesh), mesh };
  }

  async #search(picture, canFollow) {
    const candidates = [];
    for (const { box, eyes } of (await this.#detector.detect(picture)).slice(0, MAX_CANDIDATES)) {
      const mesh = await this.#mesh.fit(picture, regionOfBox(box, eyes));
      if (mesh.presence_logit >= MIN_PRESENCE) candidates.push({ box, mesh });
    }
    const before = this.#last;
    const rank = before
      ? (face) => iou(face.box, before.box)
      : (face) => weight(face.box, picture.width, picture.height);
    candidates.sort((one, other) => rank(other) - rank(one));
    const isThere = candidates.map((face) => !before || iou(face.box, before.box) >= SAME_FACE);
    if (canFollow && !isThere.includes(true) && this.#looksSinceFound < UNFOUND) {
      const missed = await this.#follow(picture);
      if (missed !== null) {
        this.#last = missed;
        return { face: missed, others: candidates.map(({ box }) => box), isElsewhere: false };
      }
    }
    if (candidates.length === 0) {
      this.#isLost = true;
      return { face: null, others: [], isElsewhere: false };
    }
    const [face, ...others] = candidates;
    this.#found = face;
    this.#last = face;
    this.#looksSinceFound = 0;
    this.#isLost = false;
    return { face, others: others.map(({ box }) => box), isElsewhere: !isThere[0] };
  }
}

/** Area, less for faces away from the middle. */
function weight(box, width, height) {
  const [x, y] = centreOf(box);
  const away = Math.hypot(x / width - 0.5, y / height - 0.5) / Math.hypot(0.5, 0.5);
  return areaOf(box) * (1 - CENTRAL * away);
}

/** The detected box, moved and scaled as the mesh has since. */
function moved(found, mesh) {
  const now = spreadOf(mesh.points);
  const then = spreadOf(found.mesh.points);
  const scale = now.spread / then.spread;
  return found.box.map((edge, at) => now.middle[at % 2] + scale * (edge - then.middle[at % 2]));
}

function spreadOf(points) {
  const axes = [0, 1, 2].map((axis) => moments(points.map((point) => point[axis])));
  return {
    middle: axes.map(({ mean }) => mean),
    spread: axes.reduce((sum, { deviation }) => sum + deviation, 0),
  };
}
