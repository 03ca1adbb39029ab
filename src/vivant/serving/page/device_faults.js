// From numbers to named reasons: faces/faults.py. A finding is {code, message, measured, limit}.

import { areaOf } from "./device_boxes.js";

const COMMON = 0.2; // Share of the frames with a fault from which it is named.

const ADVICE = {
  NO_FACE: "Show your face to the camera.",
  MULTIPLE_FACES: "Only one face, please.",
  FACE_TOO_SMALL: "Come closer.",
  FACE_CUT_OFF: "Move to the middle.",
  FACE_LOST: "Stay in the picture.",
  FACE_CHANGED: "One person, please, without a cut.",
  TOO_DARK: "More light, please.",
  TOO_BRIGHT: "Less light, please.",
  LOW_CONTRAST: "Clean the lens, and avoid light from behind.",
  TOO_BLURRED: "Hold still.",
  POSE: "Look into the camera.",
  OCCLUDED: "Keep hands and things away from the face.",
  TOO_FEW_FRAMES: "Stay before the camera for two seconds.",
  TOO_SLOW: "This device is too slow for a live check: choose a video file, or check on the service.",
  STATIC_FRAMES: "Film a person, not a picture.",
  UNTRAINED_MODEL: "This model cannot decide.",
  NO_OPERATING_POINT: "This model cannot decide.",
};

/** Plain words, one for each kind of finding. */
export function adviceOn(findings) {
  const codes = new Set(findings.map(({ code }) => code));
  return [...codes].map((code) => ({ code, advice: ADVICE[code] ?? code }));
}

/** What is wrong with a face on one frame. */
export function frameFaults(q, limits) {
  const turned = (deg, how, most) =>
    `the face is ${how} by ${deg.toFixed(0)} degrees${most}`;
  return named([
    least("FACE_TOO_SMALL", q.face_px, limits.min_face_px, (found, limit) =>
      `the face is ${found.toFixed(0)} pixels wide, needs ${limit.toFixed(0)}: come closer`),
    least("FACE_CUT_OFF", q.inside, limits.min_inside, (found, limit) =>
      `${percent(found)} of the face is in the picture, needs ${percent(limit)}: move to the middle`),
    least("TOO_DARK", q.brightness, limits.min_brightness, (found, limit) =>
      `the face has a brightness of ${found.toFixed(0)} of 255, needs ${limit.toFixed(0)}: add light`),
    most("TOO_BRIGHT", q.brightness, limits.max_brightness, (found, limit) =>
      `the face has a brightness of ${found.toFixed(0)} of 255, at most ${limit.toFixed(0)} is read: less light`),
    most("TOO_BRIGHT", q.saturated, limits.max_saturated, (found, limit) =>
      `${percent(found)} of the face is plain white, at most ${percent(limit)} is read: less light`),
    least("LOW_CONTRAST", q.contrast, limits.min_contrast, (found, limit) =>
      `the face has a contrast of ${found.toFixed(1)}, needs ${limit.toFixed(1)}: clean the lens, avoid light from behind`),
    least("TOO_BLURRED", q.sharpness, limits.min_sharpness, (found, limit) =>
      `the face has a sharpness of ${found.toFixed(2)}, needs ${limit.toFixed(2)}: hold still, clean the lens`),
    most("POSE", Math.abs(q.yaw_deg), limits.max_yaw_deg, (found, limit) =>
      turned(found, "turned", ` to the side, at most ${limit.toFixed(0)} is read: look into the camera`)),
    most("POSE", Math.abs(q.pitch_deg), limits.max_pitch_deg, (found, limit) =>
      turned(found, "turned", ` up or down, at most ${limit.toFixed(0)} is read: look into the camera`)),
    most("POSE", Math.abs(q.roll_deg), limits.max_roll_deg, (found, limit) =>
      turned(found, "tilted", `, at most ${limit.toFixed(0)} is read: hold the head upright`)),
    least("OCCLUDED", q.presence_logit, limits.min_presence_logit, (found, limit) =>
      `the mesh fits the face with ${found.toFixed(1)}, needs ${limit.toFixed(1)}: keep hands and things away from the face`),
  ]);
}

/** The faults of a video's frames that are worth naming: the worst of each kind. */
export function commonFaults(looks) {
  const withFace = looks.filter(({ box }) => box);
  const count = new Map();
  const worst = new Map();
  for (const { faults } of withFace) {
    for (const code of new Set(faults.map((fault) => fault.code))) {
      count.set(code, (count.get(code) ?? 0) + 1);
    }
    for (const fault of faults) {
      const known = worst.get(fault.code);
      if (!known || excess(fault) > excess(known)) worst.set(fault.code, fault);
    }
  }
  const enough = Math.min(COMMON * withFace.length, Math.max(0, ...count.values()));
  return [...count]
    .sort(([, one], [, other]) => other - one)
    .filter(([, number]) => number >= enough)
    .map(([code, number]) => ({
      ...worst.get(code),
      message: `on ${number} of ${withFace.length} frames with a face; at worst ${worst.get(code).message}`,
    }));
}

/** What is wrong with a video as a whole. */
export function clipFaults(looks, sceneChange, limits) {
  const withFace = looks.filter(({ box }) => box);
  if (withFace.length === 0) {
    const message = `no face on ${looks.length} frames: show one to the camera, and come closer`;
    return [finding("NO_FACE", message, null, null)];
  }
  const jumps = looks.filter(({ isElsewhere }) => isElsewhere).length;
  const found = [
    most("MULTIPLE_FACES", othersShare(withFace, limits), limits.max_other_share, (share, limit) =>
      `another face is on ${percent(share)} of the frames, at most ${percent(limit)} is read: only one person before the camera`),
    most("FACE_LOST", lostShare(looks), limits.max_lost_share, (share, limit) =>
      `the face is missing on ${percent(share)} of the frames after it was first seen, at most ${percent(limit)} is read: stay in the picture`),
    most("FACE_CHANGED", sceneChange, limits.max_scene_change, (change, limit) =>
      `the whole picture changes by ${change.toFixed(0)} grey levels at once, at most ${limit.toFixed(0)} is read: send a video that was not cut`),
    most("FACE_CHANGED", jumps, limits.max_jumps, (number, limit) =>
      `a face appears where the one before was not (${number} of at most ${limit} times): one person a video`),
  ];
  const motions = looks.map((look) => look.motion).filter((value) => value !== null);
  if (motions.length > 0) {
    const still = motions.filter((value) => !(value >= limits.min_motion)).length;
    found.push(most("STATIC_FRAMES", still / motions.length, limits.max_static_share, (share, limit) =>
      `nothing moves on ${percent(share)} of the frames, at most ${percent(limit)} is read: film a person, not a picture`));
  }
  return named(found);
}

/** Why there are no N usable frames in a row; nothing where NO_FACE says it all. */
export function lackOfFrames(looks, numFrames) {
  if (!looks.some(({ box }) => box)) return [];
  const reasons = commonFaults(looks);
  const usable = looks.filter(({ isUsable }) => isUsable).length;
  if (usable > 0 || reasons.length === 0) {
    const message = `no ${numFrames} usable frames in a row, ${usable} in all: film at least 2 seconds`;
    reasons.push(finding("TOO_FEW_FRAMES", message, usable, numFrames));
  }
  return reasons;
}

/** The reason that a live check got too few frames a second: session/clip.py, find_slowness. */
export function findSlowness(numLooks, filmed_s, numFrames, interval_s) {
  if (filmed_s < (numFrames - 1) * interval_s) return [];
  const rate = numLooks / (filmed_s + interval_s);
  const needed = numFrames / (numFrames + 1) / interval_s;
  if (rate > needed) return [];
  const message =
    `Only ${rate.toFixed(1)} frames a second could be looked at; a live check needs ${needed.toFixed(1)}. ` +
    "This device is too slow: close other programs, choose a video file, or check on the service.";
  return [finding("TOO_SLOW", message, rate, needed)];
}

export function finding(code, message, measured = null, limit = null) {
  return { code, message, measured, limit };
}

/** The finding that a number is below its limit; a NaN is too. */
function least(code, measured, limit, say) {
  return measured >= limit ? null : finding(code, say(measured, limit), measured, limit);
}

/** The finding that a number is above its limit; a NaN is too. */
function most(code, measured, limit, say) {
  return measured <= limit ? null : finding(code, say(measured, limit), measured, limit);
}

function named(found) {
  return found.filter((one) => one !== null);
}

/** How far beyond its limit, in parts of it. */
function excess({ measured, limit }) {
  return Number.isNaN(measured) ? Infinity : Math.abs(measured - limit) / (Math.abs(limit) || 1);
}

/** Of the frames searched that hold the face, the share with another one that counts. */
function othersShare(withFace, limits) {
  const searched = withFace.filter(({ others }) => others);
  const crowded = searched.filter(({ box, others }) =>
    others.some((other) => areaOf(other) >= limits.min_other_area * areaOf(box)),
  );
  return searched.length > 0 ? crowded.length / searched.length : 0;
}

/** Of the frames from the first with the face on, the share without it. */
function lostShare(looks) {
  const since = looks.slice(looks.findIndex(({ box }) => box));
  return since.filter(({ box }) => !box).length / since.length;
}

function percent(share) {
  return `${(100 * share).toFixed(0)}%`;
}
