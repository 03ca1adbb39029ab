// From scores and findings to the answer. Doubt is no decision, and no decision is never a pass.

import { centreOf, heightOf, widthOf } from "./device_boxes.js";
import { adviceOn, finding } from "./device_faults.js";
import { RUNTIME } from "./device_models.js";

const TOLERANCE = 0.1; // How far a crop may be from what training cut: share of its side.
const ROUNDING = 1e-5; // What float32 may add to a score of exactly 0 or 1.
const CELL = 1 / 4; // Side of a cell, and of a patch, of the crop's side: geometry/grid.py.

const ON_DEVICE = finding(
  "ON_DEVICE",
  "this was judged in the browser: whoever owns the device can change the answer, so it is advice " +
    "and no proof. Not checked here: whether the face stays like itself in detail and colour (cuts " +
    "and jumps are), a deployment profile with its doubts, and whether the same media came before",
);

/**
 * @param {object} card The model's.
 * @param {object[]} clips With their results.
 * @param {object[]} reasons What speaks against deciding.
 * @param {object} seen {looks, size, limits, faces_s, network_s}
 */
export function answerOf(card, clips, reasons, { looks, size, limits, faces_s, network_s }) {
  const scores = clips.map(({ result }) => result.bona_fide_score);
  const score = clips.length > 0 ? presentationScore(scores) : null;
  const every = [...reasons, ...doubtsAboutModel(card)];
  const cautions = [...clipCautions(clips, card, limits), ...modelCautions(card), ON_DEVICE];
  return {
    ...blank(card),
    ...decide(score, card, every),
    bona_fide_score: score,
    score_spread: score === null ? null : Math.max(...scores) - Math.min(...scores),
    threshold: card.operating_point?.threshold ?? null,
    operating_point: card.operating_point ?? null,
    reasons: every,
    cautions,
    frames: {
      looked_at: looks.length,
      with_face: looks.filter(({ box }) => box).length,
      width: size[0],
      height: size[1],
    },
    windows: clips.map((clip) => windowRecord(clip, card)),
    timings: { decode_s: 0, faces_s, network_s, total_s: faces_s + network_s },
    advice: adviceOn(every).map(({ advice }) => advice),
    explanation: explanationOf(clips, card),
  };
}

/** The answer where judging failed: refused, never a decision. */
export function refusalOf(card, error) {
  return {
    ...blank(card),
    status: "refused",
    code: "FAILED",
    message: String(error?.message ?? error),
    cautions: [ON_DEVICE],
    advice: ["Judging failed on this device. Try again, or check on the service."],
  };
}

/** Accept iff score >= threshold, and nothing speaks against it. */
export function decide(score, card, reasons) {
  if (reasons.length > 0) return { status: "undecided", decision: null };
  const threshold = card.operating_point?.threshold;
  if (!isShare(score)) throw new Error(`expected a score in 0..1, got ${score}`);
  if (!isShare(threshold)) throw new Error(`expected a threshold in 0..1, got ${threshold}`);
  return { status: "decided", decision: score >= threshold ? "bona_fide" : "attack" };
}

/** The network's answer to one clip, checked. */
export function resultOf(outputs, { architecture }) {
  const result = { aam_score: null };
  const hasPatches = architecture.aam !== null;
  const names = ["bona_fide_score", "advisor_score", ...(hasPatches ? ["aam_score"] : [])];
  for (const name of names) {
    const [value] = outputs[name];
    if (!(Math.abs(value - 0.5) <= 0.5 + ROUNDING)) {
      throw new Error(`expected ${name} in 0..1, got ${value}`);
    }
    result[name] = value;
  }
  const { cam, boxes = [], depth = [], anchors = [] } = outputs;
  const map_share = mapShare(outputs.advisor_embedding, architecture.advisor);
  return { ...result, map_share, cam, anchors: Array.from(anchors, Number), boxes, depth };
}

/** The share of the Advisor's logit that its Grad-CAM covers: session/voting.py. */
export function mapShare(embedding, { head = "lstm", levels = [] }) {
  if (head !== "frames") return null;
  const total = embedding.reduce((sum, part) => sum + Math.abs(part), 0);
  return total > 0 ? Math.abs(embedding[2 * levels.length]) / total : null;
}

function isShare(value) {
  return typeof value === "number" && value >= 0 && value <= 1;
}

/** Mean over the windows, within 0..1. */
function presentationScore(scores) {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  if (!Number.isFinite(mean)) throw new Error(`expected finite scores of windows, got ${scores}`);
  return Math.min(Math.max(mean, 0), 1);
}

function doubtsAboutModel(card) {
  if (!card.training) {
    const message = `the model ${card.model} is UNTRAINED: its scores mean nothing`;
    return [finding("UNTRAINED_MODEL", message)];
  }
  if (!card.operating_point) {
    const message = `the model ${card.model} has no operating point: no threshold was ever set for it`;
    return [finding("NO_OPERATING_POINT", message)];
  }
  return [];
}

/** Where the crops differ from what the card says the model was trained on. */
function clipCautions(clips, card, limits) {
  const found = new Map();
  const add = (code, measured, limit, message) => {
    if (!found.has(code)) found.set(code, finding(code, message, measured, limit));
  };
  const { crop_scale: expected, context_scale: wider } = card.preprocessing;
  for (const { face, crop, contextCrop, isPadded } of clips) {
    const [shorter, longer] = [widthOf(face), heightOf(face)].sort((one, other) => one - other);
    const scale = crop.side_px / longer;
    const [x, y] = centreOf(face);
    const middle = crop.side_px / 2;
    const away = Math.max(Math.abs(crop.x + middle - x), Math.abs(crop.y + middle - y)) / crop.side_px;
    const { warn_face_px: filled } = limits;
    if (shorter < filled) {
      add("FACE_SMALLER_THAN_CROP", shorter, filled,
        `the face is ${shorter.toFixed(0)} pixels wide: from ${filled.toFixed(0)} on the crop is not enlarged and shows all that a camera can`);
    }
    if (Math.abs(scale / expected - 1) > TOLERANCE) {
      add("CROP_SCALE_DIFFERS", scale, expected,
        `the crop is ${scale.toFixed(2)} times the face, training had ${expected.toFixed(2)}: the face fills the picture, move back`);
    }
    const wide = contextCrop ? contextCrop.side_px / longer : null;
    if (wide !== null && Math.abs(wide / wider - 1) > TOLERANCE) {
      add("CROP_SCALE_DIFFERS", wide, wider,
        `the wider crop is ${wide.toFixed(2)} times the face, training had ${wider.toFixed(2)}: the face fills the picture, move back`);
    }
    if (away > TOLERANCE) {
      add("CROP_OFF_CENTRE", away, TOLERANCE,
        `the face is ${(100 * away).toFixed(0)}% of the crop away from its middle, where training had it: move to the middle`);
    }
    if (isPadded) {
      add("PADDED_WINDOW", null, null,
        "frames stand in twice: the video has too few in a second");
    }
  }
  return [...found.values()];
}

function modelCautions({ model, training, operating_point: point }) {
  const found = [];
  if (training?.is_synthetic) {
    found.push(finding("NO_RECORDED_ATTACKS",
      `no recorded attack was in the training of ${model} (${training.data}): its attacks were ` +
      "simulated, and what it makes of yours has to be measured"));
  }
  if (point?.cameras) {
    const { num_cameras: sets, lowest_bpcer: lowest, highest_bpcer: highest } = point.cameras;
    found.push(finding("UNCALIBRATED_CAMERA",
      `the threshold is not this camera's own: on ${sets} sets of recordings that the model had ` +
      `not seen it rejected ${(100 * lowest).toFixed(0)}% to ${(100 * highest).toFixed(0)}% of ` +
      "bona fide", highest));
  }
  return found;
}

function blank(card) {
  return {
    schema_version: 1,
    path: "camera",
    status: "undecided",
    decision: null,
    bona_fide_score: null,
    score_spread: null,
    threshold: null,
    operating_point: null,
    profile: null,
    reasons: [],
    cautions: [],
    code: null,
    message: null,
    model: modelRecord(card),
    frames: null,
    windows: [],
    timings: null,
    advice: [],
    explanation: null,
  };
}

function modelRecord({ model, weights, training, architecture }) {
  let note = "UNTRAINED: its scores mean nothing, and it never decides";
  if (training?.is_synthetic) note = `trained on simulated attacks (${training.data})`;
  else if (training) note = `trained on ${training.data}`;
  return {
    name: model,
    sha256: weights.sha256,
    untrained: !training,
    trained_on: training?.data ?? null,
    synthetic: training?.is_synthetic ?? null,
    patches_vote: architecture.aam ? architecture.fusion !== "am" : null,
    runtime: RUNTIME,
    note,
  };
}

function windowRecord({ times_s, isPadded, face, crop, side, result }, { architecture }) {
  const toFrame = (box) => {
    const scale = crop.side_px / side;
    return rounded(box.map((edge, at) => (at % 2 ? crop.y : crop.x) + edge * scale));
  };
  const seen = framesSeen(architecture);
  const patches = result.anchors.map((cell, k) => ({
    time_s: times_s[seen[Math.floor((k * seen.length) / result.anchors.length)]],
    cell,
    anchor_box: toFrame(cellBox(cell, side, architecture)),
    patch_box: toFrame(patchBox(result, k)),
  }));
  return {
    times_s,
    padded: isPadded,
    bona_fide_score: Math.min(Math.max(result.bona_fide_score, 0), 1),
    advisor_score: result.advisor_score,
    aam_score: result.aam_score,
    map_share: result.map_share,
    face_box: rounded(face),
    crop_box: rounded([crop.x, crop.y, crop.x + crop.side_px, crop.y + crop.side_px]),
    patches,
  };
}

/** Of the window with the lowest score the newest frame that the second module saw; `crop` as bytes. */
function explanationOf(clips, { architecture }) {
  if (clips.length === 0) return null;
  const { times_s, side, crops, result } = clips.reduce((lowest, clip) =>
    clip.result.bona_fide_score < lowest.result.bona_fide_score ? clip : lowest,
  );
  const seen = framesSeen(architecture);
  const frame = seen.at(-1) ?? crops.length - 1;
  const map = result.cam.length / crops.length;
  const { anchors, depth } = result;
  const first = anchors.length - anchors.length / Math.max(seen.length, 1);
  const newest = anchors.map((_, k) => k).slice(first);
  const values = depth.length / Math.max(anchors.length, 1); // Of a patch; 0 without a depth head.
  return {
    time_s: times_s[frame],
    bona_fide_score: result.bona_fide_score,
    advisor_score: result.advisor_score,
    aam_score: result.aam_score,
    map_share: result.map_share,
    crop: crops[frame],
    crop_side_px: side,
    anchor_boxes: newest.map((k) => cellBox(anchors[k], side, architecture)),
    patch_boxes: newest.map((k) => patchBox(result, k)),
    depth: values > 0
      ? newest.map((k) => rows(depth.slice(k * values, (k + 1) * values), Math.sqrt(values)))
      : [],
    cam: rows(result.cam.slice(frame * map, (frame + 1) * map), Math.sqrt(map)),
  };
}

/** Which of a clip's frames the second module sees: `AamConfig.frames_seen`. */
function framesSeen({ aam, num_frames: numFrames }) {
  if (!aam) return [];
  if (aam.frames === "last") return [numFrames - 1];
  if (aam.frames === "middle") return [numFrames >> 1];
  return Array.from({ length: numFrames }, (_, at) => at);
}

function cellBox(cell, side, { aam: { grid_side: cells } }) {
  const step = ((1 - CELL) * side) / (cells - 1);
  const [x, y] = [(cell % cells) * step, Math.floor(cell / cells) * step];
  return [x, y, x + CELL * side, y + CELL * side];
}

function patchBox({ boxes }, k) {
  return [...boxes.slice(4 * k, 4 * k + 4)];
}

function rows(values, length) {
  return Array.from({ length: values.length / length }, (_, row) => [
    ...values.slice(row * length, (row + 1) * length),
  ]);
}

function rounded(edges) {
  return edges.map((edge) => Math.round(100 * edge) / 100);
}
