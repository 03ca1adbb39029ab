// Finds faces and fits meshes: faces/detectors/blazeface.py, faces/mesh.py.

import { centreOf, heightOf, iou, widthOf } from "./device_boxes.js";
import { cutOut, invertAffine, round, shrink, warp } from "./device_pixels.js";

const SIDE = 192;
const STRIDE = 4;
const CELLS = SIDE / STRIDE;
const MIN_LOGIT = 0; // A score of 0.5.
const MAX_OVERLAP = 0.3;
const VALUES = 16; // Of an anchor: centre, size, and six points, of which the first two are the eyes.
const MARGIN = 1.5;
const LEFT_EYE = 33;
const RIGHT_EYE = 263;

/** BlazeFace full-range: everything that looks like a face, the best first. */
export class BlazeFace {
  #graph;

  constructor(graph) {
    this.#graph = graph;
  }

  /** @returns {Promise<{box: number[], score: number, eyes: number[][]}[]>} In pixels of the frame. */
  async detect(picture) {
    const found = await this.#find(picture, 0, 0);
    if (found.length > 0) return found;
    const side = Math.min(picture.width, picture.height);
    const closer = [];
    for (const [x, y] of squares(picture)) {
      closer.push(...(await this.#find(cutOut(picture, x, y, side, side), x, y)));
    }
    return suppress(closer);
  }

  /** The faces of a part of a frame whose upper left corner is (x, y). */
  async #find(picture, x, y) {
    const { square, scales } = letterbox(picture);
    const { boxes, logits } = await this.#graph.run({ data: square, shape: [1, SIDE, SIDE, 3] });
    const corner = [x, y];
    const found = [];
    logits.forEach((logit, anchor) => {
      if (!(logit > MIN_LOGIT)) return;
      const cell = [(anchor % CELLS) + 0.5, Math.floor(anchor / CELLS) + 0.5];
      const value = (index, axis) => boxes[anchor * VALUES + 2 * index + axis];
      const toFrame = (place, axis) => (place + cell[axis] * STRIDE) / scales[axis] + corner[axis];
      const edge = (axis, side) => toFrame(value(0, axis) + (side * value(1, axis)) / 2, axis);
      found.push({
        box: [edge(0, -1), edge(1, -1), edge(0, 1), edge(1, 1)],
        score: 1 / (1 + Math.exp(-logit)),
        eyes: [2, 3].map((index) => [toFrame(value(index, 0), 0), toFrame(value(index, 1), 1)]),
      });
    });
    return suppress(found);
  }
}

/** MediaPipe's FaceMesh. */
export class FaceMesh {
  #graph;

  constructor(graph) {
    this.#graph = graph;
  }

  /** @returns {Promise<{points: number[][], presence_logit: number}>} (x, y, z), pixels of the frame. */
  async fit(picture, region) {
    const toSquare = squareOf(region);
    const { data } = warp(picture, toSquare, SIDE);
    const { landmarks, presence_logit } = await this.#graph.run({ data, shape: [1, SIDE, SIDE, 3] });
    const [[a, b, tx], [c, d, ty]] = invertAffine(toSquare);
    const points = [];
    for (let at = 0; at < landmarks.length; at += 3) {
      const [x, y, z] = landmarks.subarray(at, at + 3);
      points.push([a * x + b * y + tx, c * x + d * y + ty, (z * region.side_px) / SIDE]);
    }
    return { points, presence_logit: presence_logit[0] };
  }
}

/** Where to look for the mesh of a detected face: a turned square of the frame. */
export function regionOfBox(box, eyes) {
  const [x, y] = centreOf(box);
  const side_px = MARGIN * Math.max(widthOf(box), heightOf(box));
  return { x, y, side_px, angle_rad: angleOf(eyes[0], eyes[1]) };
}

/** Where to look on the next frame: about the face, where it was on this one. */
export function regionOfPoints(points) {
  const angle_rad = angleOf(points[LEFT_EYE], points[RIGHT_EYE]);
  const [cos, sin] = [Math.cos(angle_rad), Math.sin(angle_rad)];
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const [x, y] of points) {
    [x * cos + y * sin, y * cos - x * sin].forEach((place, axis) => {
      low[axis] = Math.min(low[axis], place);
      high[axis] = Math.max(high[axis], place);
    });
  }
  const [middleX, middleY] = [0, 1].map((axis) => (low[axis] + high[axis]) / 2);
  return {
    x: cos * middleX - sin * middleY,
    y: sin * middleX + cos * middleY,
    side_px: MARGIN * Math.max(high[0] - low[0], high[1] - low[1]),
    angle_rad,
  };
}

/** The boxes that no better one overlaps, the best first. */
export function suppress(found) {
  const kept = [];
  for (const one of [...found].sort((a, b) => b.score - a.score)) {
    if (kept.every((better) => iou(better.box, one.box) <= MAX_OVERLAP)) kept.push(one);
  }
  return kept;
}

/** The frame in the upper left of a square; pixels of the square for one of it, in x and y. */
function letterbox(picture) {
  const { width, height } = picture;
  const largest = Math.max(width, height);
  const size = [width, height].map((side) => Math.max(1, round((side * SIDE) / largest)));
  const small = shrink(picture, ...size);
  const square = new Uint8Array(SIDE * SIDE * 3);
  for (let row = 0; row < size[1]; row += 1) {
    square.set(small.data.subarray(row * size[0] * 3, (row + 1) * size[0] * 3), row * SIDE * 3);
  }
  return { square, scales: [size[0] / width, size[1] / height] };
}

/** Corners of the squares at both ends and in the middle; none where the frame is one itself. */
function squares({ width, height }) {
  const longer = Math.abs(width - height);
  const places = longer ? [...new Set([0, longer >> 1, longer])] : [];
  return places.map((place) => (width > height ? [place, 0] : [0, place]));
}

/** The affine map from points of the frame to points of the upright square. */
function squareOf({ x, y, side_px, angle_rad }) {
  const scale = SIDE / side_px;
  const [cos, sin] = [scale * Math.cos(angle_rad), scale * Math.sin(angle_rad)];
  return [
    [cos, sin, SIDE / 2 - cos * x - sin * y],
    [-sin, cos, SIDE / 2 + sin * x - cos * y],
  ];
}

function angleOf(left, right) {
  return Math.atan2(right[1] - left[1], right[0] - left[0]);
}
