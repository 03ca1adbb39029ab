// The numbers behind a verdict, for who asks: nothing that the answer does not have is shown.

import { mean } from "./drawing.js";
import { element } from "./element.js";

const SVG = "http://www.w3.org/2000/svg";

/** Whether an answer has numbers: a public caller's has none. */
export function hasNumbers(answer) {
  return isNumber(answer?.bona_fide_score) || (Array.isArray(answer?.windows) && answer.windows.length > 0) || Boolean(answer?.frames);
}

/** What stands under "The numbers". */
export function numbersOf(answer, explanation) {
  const columns = [
    [scale(answer), facts(answer)],
    [windows(answer), depths(explanation)],
  ];
  const filled = columns.map((parts) => parts.filter(Boolean)).filter((parts) => parts.length > 0);
  return filled.map((parts) => element("div", {}, ...parts));
}

function facts(answer) {
  const { operating_point: point, frames, model, timings } = answer;
  const rows = [
    ["Bona fide score", score(answer.bona_fide_score)],
    ["Threshold", score(point?.threshold ?? answer.threshold)],
    ["Spread of the windows", score(answer.score_spread)],
    ["Operating point", point?.rule],
    ["Set on", point?.data],
    ["Profile", answer.profile],
    ["Frames", frames && `${frames.looked_at} looked at, ${frames.with_face} with a face, ${frames.width}×${frames.height}`],
    ["Time", timings && timesOf(timings)],
    ["Model", model?.name],
    ["Trained on", model?.untrained ? "nothing: it is not trained" : model?.trained_on],
    ["Runtime", model?.runtime],
    ["SHA-256", model?.sha256],
  ];
  const list = element("dl", { class: "facts" });
  for (const [name, value] of rows) {
    if (value === null || value === undefined || value === "") continue;
    const isHash = name === "SHA-256";
    list.append(element("div", {}, element("dt", {}, name), element("dd", isHash ? { class: "hash" } : {}, String(value))));
  }
  return list;
}

function timesOf(timings) {
  const named = { decode_s: "decoding", faces_s: "faces", network_s: "network", total_s: "in all" };
  const parts = Object.entries(named).filter(([key]) => isNumber(timings[key]));
  return parts.map(([key, name]) => `${name} ${inTime(timings[key])}`).join(", ");
}

function inTime(seconds) {
  return seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(2)} s`;
}

/** Score and threshold on a line from 0, attack, to 1, bona fide. */
function scale(answer) {
  const threshold = answer.operating_point?.threshold ?? answer.threshold;
  if (!isNumber(answer.bona_fide_score)) return null;
  const at = (value) => 10 + 300 * value;
  const drawing = svg("svg", { class: "scale", viewBox: "0 0 320 56", "aria-hidden": "true", focusable: "false" });
  drawing.append(svg("path", { class: "rail", d: "M10 28H310" }));
  if (isNumber(threshold)) {
    drawing.append(svg("path", { class: "rail-pass", d: `M${at(threshold)} 28H310` }));
    drawing.append(svg("path", { class: "tick", d: `M${at(threshold)} 18V38` }));
    drawing.append(words(at(threshold), 52, `threshold ${score(threshold)}`));
  }
  drawing.append(svg("circle", { class: "dot", cx: at(answer.bona_fide_score), cy: 28, r: 6 }));
  drawing.append(words(at(answer.bona_fide_score), 14, `score ${score(answer.bona_fide_score)}`));
  return drawing;
}

function words(x, y, text) {
  const anchor = x < 60 ? "start" : x > 260 ? "end" : "middle";
  const node = svg("text", { x: Math.min(312, Math.max(8, x)), y, "text-anchor": anchor });
  node.textContent = text;
  return node;
}

function windows({ windows: given, model }) {
  if (!Array.isArray(given) || given.length === 0) return null;
  const hasShare = given.some((window) => isNumber(window.map_share));
  const rows = given.map((window) => [
    span(window.times_s) + (window.padded ? " (padded)" : ""),
    score(window.bona_fide_score) ?? "",
    score(window.advisor_score) ?? "",
    score(window.aam_score) ?? "none",
    ...(hasShare ? [isNumber(window.map_share) ? percent(window.map_share) : "none"] : []),
  ]);
  const patches = model?.patches_vote === false ? "Patches (no vote)" : "Patches";
  const names = ["From, to", "Score", "Advisor", patches, ...(hasShare ? ["Map's share"] : [])];
  return table("Windows", names, rows);
}

function span(times_s) {
  if (!Array.isArray(times_s) || times_s.length === 0) return "";
  return `${times_s[0].toFixed(1)} to ${times_s.at(-1).toFixed(1)} s`;
}

function depths(explanation) {
  if (!explanation?.depth?.length) return null;
  const rows = explanation.depth.map((map, number) => [String(number + 1), mean(map).toFixed(2), Math.max(...map.flat()).toFixed(2)]);
  return table("Depth of the patches (0 far or flat, 1 nearest)", ["Patch", "Mean", "Nearest"], rows);
}

function table(caption, names, rows) {
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
  const lines = rows.map(([first, ...others]) =>
    element("tr", {}, element("th", { scope: "row" }, first), ...others.map((text) => element("td", {}, text))),
  );
  const grid = element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...lines));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, grid);
}

function svg(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  return node;
}

/** A share, 0..1, as a whole number of per cent. */
export function percent(share) {
  return `${(100 * share).toFixed(0)}%`;
}

function score(value) {
  return isNumber(value) ? value.toFixed(3) : null;
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}
