// Face boxes, x0 y0 x1 y1 in pixels of the frame, and the square that is cut: geometry/.

import { cutOut, resizeArea, resizeBilinear, round } from "./device_pixels.js";

export const widthOf = ([x0, , x1]) => x1 - x0;
export const heightOf = ([, y0, , y1]) => y1 - y0;
export const areaOf = (box) => widthOf(box) * heightOf(box);
export const centreOf = ([x0, y0, x1, y1]) => [(x0 + x1) / 2, (y0 + y1) / 2];

/** Intersection over union, 0..1. */
export function iou(one, other) {
  const shared = overlap(one, other);
  const area = areaOf(one) + areaOf(other) - shared;
  return area > 0 ? shared / area : 0;
}

/** The share of a box's area that lies inside the frame, 0..1. */
export function shareInside(box, width, height) {
  const area = areaOf(box);
  return area > 0 ? overlap(box, [0, 0, width, height]) / area : 0;
}

export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of each edge: one box for all frames of a clip. */
export function medianBox(boxes) {
  return [0, 1, 2, 3].map((edge) => median(boxes.map((box) => box[edge])));
}

/** The square to cut for a face, moved inside the frame: {x, y, side_px}. */
export function cropBox(face, width, height, scale) {
  const sides = [widthOf(face), heightOf(face)];
  if (![...face, ...sides].every(Number.isFinite) || Math.min(...sides) <= 0) {
    throw new Error(`expected a face box with x0 < x1 and y0 < y1, got ${face}`);
  }
  if (face[2] <= 0 || face[3] <= 0 || face[0] >= width || face[1] >= height) {
    throw new Error(`the face box ${face} is outside the frame of ${width}x${height}`);
  }
  const side = round(Math.min(Math.max(1, Math.max(...sides) * scale), width, height));
  const corner = (centre, size) =>
    Math.min(Math.max(Math.floor(centre - side / 2 + 0.5), 0), size - side);
  const [x, y] = centreOf(face);
  return { x: corner(x, width), y: corner(y, height), side_px: side };
}

/** Cut a square out of a frame and bring it to the network's size. */
export function cutCrop(picture, { x, y, side_px }, side) {
  const square = cutOut(picture, x, y, side_px, side_px);
  return side_px > side ? resizeArea(square, side, side) : resizeBilinear(square, side, side);
}

function overlap(one, other) {
  const width = Math.min(one[2], other[2]) - Math.max(one[0], other[0]);
  const height = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}
