// How well a face was filmed, in numbers, and the limits on them: faces/quality.py, faces/limits.py.

import { heightOf, median, shareInside, widthOf } from "./device_boxes.js";
import { lumaOf, moments, resizeArea, round, shrink } from "./device_pixels.js";

/** As `QualityLimits`: a test holds the two against each other. Null: not checked here. */
export const LIMITS = {
  min_face_px: 48,
  warn_face_px: 112,
  min_inside: 0.9,
  min_brightness: 40,
  max_brightness: 225,
  max_saturated: 0.3,
  min_contrast: 12,
  min_sharpness: 0.1,
  max_yaw_deg: 40,
  max_pitch_deg: 40,
  max_roll_deg: 45,
  min_presence_logit: 12,
  min_other_area: 0.25,
  max_other_share: 0.2,
  max_lost_share: 0.25,
  min_likeness: null,
  max_colour_change: null,
  max_scene_change: 11,
  max_jumps: 0,
  min_motion: 0.15,
  max_static_share: 0.5,
};

const LARGEST = 112; // Pixels of the face at which sharpness is measured, at most.
const [LEFT_EYE, RIGHT_EYE, FOREHEAD, CHIN] = [33, 263, 10, 152];
const SCENE = [32, 18];
const MOVING = 5; // A cut changes this many times as much as the video usually does.

/** What is measured of a face on its frame. */
export function measure(picture, face) {
  const luma = faceLuma(picture, face);
  const { mean, deviation } = moments(luma.data);
  return {
    face_px: Math.min(widthOf(face.box), heightOf(face.box)),
    inside: shareInside(face.box, picture.width, picture.height),
    brightness: mean,
    saturated: luma.data.filter((value) => value >= 250).length / luma.data.length,
    contrast: deviation,
    sharpness: sharpnessOf(luma, deviation),
    ...poseOf(face.mesh.points),
    presence_logit: face.mesh.presence_logit,
  };
}

/** Mean change of luma within a face box from one frame to another, in grey levels. */
export function motion(before, after, face) {
  return meanDifference(faceLuma(before, face).data, faceLuma(after, face).data);
}

/** How the whole frame changes from look to look: a cut stands out. */
export class SceneHistory {
  #before = null;
  #steps = [];

  add(picture) {
    const scene = shrink(picture, ...SCENE);
    const grey = lumaOf(scene, 0, 0, scene.width, scene.height).data;
    if (this.#before) this.#steps.push(meanDifference(this.#before, grey));
    this.#before = grey;
  }

  /** Largest change between two looks that stands out, in grey levels. */
  change() {
    const usual = this.#steps.length > 0 ? median(this.#steps) : 0;
    return Math.max(0, ...this.#steps.filter((step) => step > MOVING * usual));
  }
}

/** The part of the face box inside the frame, grey. */
function faceLuma(picture, { box }) {
  const within = (edge, size) => Math.min(Math.max(round(edge), 0), size);
  const [x0, x1] = [within(box[0], picture.width), within(box[2], picture.width)];
  const [y0, y1] = [within(box[1], picture.height), within(box[3], picture.height)];
  if (!(x1 > x0 && y1 > y0)) return { width: 1, height: 1, channels: 1, data: new Uint8Array(1) };
  return lumaOf(picture, x0, y0, x1 - x0, y1 - y0);
}

/** Where a face looks, in degrees: 0 0 0 straight into the camera. */
function poseOf(points) {
  const minus = (one, other) => one.map((value, axis) => value - other[axis]);
  const across = minus(points[RIGHT_EYE], points[LEFT_EYE]);
  const down = minus(points[CHIN], points[FOREHEAD]);
  const ahead = [
    down[1] * across[2] - down[2] * across[1],
    down[2] * across[0] - down[0] * across[2],
    down[0] * across[1] - down[1] * across[0],
  ];
  const degrees = (y, x) => (Math.atan2(y, x) * 180) / Math.PI;
  return {
    yaw_deg: degrees(ahead[0], -ahead[2]),
    pitch_deg: degrees(-ahead[1], Math.hypot(ahead[0], ahead[2])),
    roll_deg: degrees(across[1], across[0]),
  };
}

/** Standard deviation of the Laplacian over that of the luma. */
function sharpnessOf(luma, contrast) {
  const largest = Math.max(luma.width, luma.height);
  let small = luma;
  if (largest > LARGEST) {
    const sides = [luma.width, luma.height];
    const size = sides.map((side) => Math.max(1, round((side * LARGEST) / largest)));
    small = resizeArea(luma, ...size);
  }
  return contrast > 0 ? moments(laplacian(small)).deviation / contrast : 0;
}

function laplacian({ width, height, data }) {
  const mirrored = (place, size) => {
    if (size === 1) return 0;
    return place < 0 ? 1 : place >= size ? size - 2 : place;
  };
  const values = new Float32Array(data.length);
  for (let y = 0; y < height; y += 1) {
    const above = mirrored(y - 1, height) * width;
    const below = mirrored(y + 1, height) * width;
    for (let x = 0; x < width; x += 1) {
      const beside = data[y * width + mirrored(x - 1, width)] + data[y * width + mirrored(x + 1, width)];
      values[y * width + x] = data[above + x] + data[below + x] + beside - 4 * data[y * width + x];
    }
  }
  return values;
}

function meanDifference(one, other) {
  let sum = 0;
  for (let at = 0; at < one.length; at += 1) sum += Math.abs(one[at] - other[at]);
  return sum / one.length;
}
