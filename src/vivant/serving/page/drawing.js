// What the network looked at, drawn as in the paper: crop, anchors, patches, depth, Grad-CAM.

const PIXELS = 3; // Of the canvas, for one of the crop.
const ANCHOR = "#ffffff";
const PATCH = "#ff9a1f";
const INFERNO = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];

/** The explanation of an answer with its crop decoded; null if there is nothing to draw. */
export async function readExplanation(explanation) {
  if (typeof explanation?.crop !== "string" || !explanation.crop.startsWith("data:image/")) return null;
  const crop = new Image();
  crop.src = explanation.crop;
  try {
    await crop.decode();
  } catch {
    return null;
  }
  const side = Number(explanation.crop_side_px) || crop.naturalWidth;
  const patch_boxes = boxes(explanation.patch_boxes);
  const depth = patch_boxes.map((_, number) => grid(explanation.depth?.[number]));
  return {
    crop,
    side,
    anchor_boxes: boxes(explanation.anchor_boxes),
    patch_boxes,
    depth: depth.every(Boolean) ? depth : [],
    cam: grid(explanation.cam),
    map_share: Number.isFinite(explanation.map_share) ? explanation.map_share : null,
  };
}

/** Draw the crop with its boxes; depth and Grad-CAM on top where asked for. */
export function drawFace(canvas, explanation, { depth, cam }) {
  const { crop, side, anchor_boxes, patch_boxes } = explanation;
  const beyond = reach([...anchor_boxes, ...patch_boxes], side);
  const full = side + 2 * beyond;
  canvas.width = canvas.height = Math.round(full * PIXELS);
  const context = canvas.getContext("2d");
  context.scale(PIXELS, PIXELS);
  context.translate(beyond, beyond);
  context.imageSmoothingQuality = "high";
  context.drawImage(crop, 0, 0, side, side);
  if (cam && explanation.cam) drawCam(context, explanation.cam, side);
  if (depth) patch_boxes.forEach((box, number) => drawDepth(context, explanation.depth[number], box));
  for (const box of anchor_boxes) outline(context, box, ANCHOR, 1.6);
  for (const box of patch_boxes) outline(context, box, PATCH, 2);
  label(context, patch_boxes);
}

/** The depth maps side by side, by number: where patches overlap, only here all of each is seen. */
export function drawDepthStrip(canvas, depth) {
  const side = 112;
  const gap = 12;
  canvas.width = depth.length * (side + gap) - gap;
  canvas.height = side;
  const context = canvas.getContext("2d");
  depth.forEach((map, number) => {
    const x = number * (side + gap);
    drawDepth(context, map, [x, 0, x + side, side]);
    mark(context, number + 1, x + 8, 6, 20);
  });
}

export function mean(map) {
  const values = map.flat();
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function boxes(given) {
  const isBox = (box) => Array.isArray(box) && box.length === 4 && box.every(Number.isFinite);
  return Array.isArray(given) ? given.filter(isBox) : [];
}

function grid(given) {
  const isGrid =
    Array.isArray(given) && given.length > 0 && given.every((row) => Array.isArray(row) && row.length === given[0].length);
  return isGrid ? given : null;
}

/** How far boxes reach beyond the crop, at most an eighth of it: the rest is cut. */
function reach(all, side) {
  const over = all.flatMap(([x0, y0, x1, y1]) => [-x0, -y0, x1 - side, y1 - side]);
  return Math.min(side / 8, Math.max(2, ...over.map((pixels) => pixels + 2)));
}

function outline(context, [x0, y0, x1, y1], colour, width) {
  // Dark below light: seen on any skin, in any light.
  for (const [style, thickness] of [["rgb(0 0 0 / 55%)", width + 1.2], [colour, width]]) {
    context.strokeStyle = style;
    context.lineWidth = thickness;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
}

/** Numbers in the upper left corners; one that would lie on another moves down its box. */
function label(context, patch_boxes) {
  const taken = [];
  patch_boxes.forEach(([x0, y0], number) => {
    const place = [x0 + 4, y0 + 3];
    while (taken.some(([x, y]) => Math.abs(x - place[0]) < 9 && Math.abs(y - place[1]) < 13)) place[1] += 13;
    taken.push(place);
    mark(context, number + 1, ...place, 12);
  });
}

function mark(context, number, x, y, size) {
  context.font = `700 ${size}px system-ui, sans-serif`;
  context.textBaseline = "top";
  context.lineJoin = "round";
  context.lineWidth = size / 4;
  context.strokeStyle = "rgb(0 0 0 / 85%)";
  context.fillStyle = PATCH;
  context.strokeText(String(number), x, y);
  context.fillText(String(number), x, y);
}

function drawDepth(context, map, [x0, y0, x1, y1]) {
  const grey = (value) => {
    const level = Math.round(255 * clamp(value));
    return [level, level, level, 255];
  };
  context.imageSmoothingEnabled = false; // Each of its values is seen.
  context.drawImage(painted(map, grey), x0, y0, x1 - x0, y1 - y0);
  context.imageSmoothingEnabled = true;
}

function drawCam(context, cam, side) {
  const most = Math.max(...cam.flat(), 1e-12);
  context.fillStyle = "rgb(0 0 0 / 45%)";
  context.fillRect(0, 0, side, side);
  const heat = painted(cam, (value) => {
    const share = clamp(value / most);
    return [...colourOf(share), Math.round(230 * Math.min(1, 1.5 * share))];
  });
  context.drawImage(heat, 0, 0, side, side);
}

/** One pixel for each value. */
function painted(map, colour) {
  const canvas = document.createElement("canvas");
  canvas.width = map[0].length;
  canvas.height = map.length;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  map.flat().forEach((value, place) => pixels.data.set(colour(value), 4 * place));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function colourOf(share) {
  const place = share * (INFERNO.length - 1);
  const below = Math.min(INFERNO.length - 2, Math.floor(place));
  return INFERNO[below].map((from, channel) => from + (place - below) * (INFERNO[below + 1][channel] - from));
}

function clamp(value) {
  return Math.min(1, Math.max(0, Number(value) || 0));
}
