// The verdict on the page. Whatever is not, in so many words, bona fide is shown as no pass.

import { drawDepthStrip, drawFace, mean, readExplanation } from "./drawing.js";
import { element } from "./element.js";
import { hasNumbers, numbersOf, percent } from "./numbers.js";
import { sentence } from "./trouble.js";

const OUTCOMES = {
  bona_fide: {
    title: "Bona fide",
    lead: "As far as this model can tell, the person is before the camera.",
  },
  attack: {
    title: "Attack",
    lead: "This looks like a print, a screen or another instrument, not like the person.",
  },
  undecided: { title: "No decision", lead: "There was not enough to judge by. This is not a pass." },
  refused: { title: "Refused", lead: "The check was not made. This is not a pass." },
  failed: { title: "Not checked", lead: "Something went wrong on the way. This is not a pass." },
};

/**
 * What an answer says, read strictly: status and decision must agree, or there is no decision.
 * @returns {{status: string, decision: ""|"bona_fide"|"attack", kind: keyof OUTCOMES}}
 */
export function outcomeOf(answer) {
  const { status, decision } = answer ?? {};
  if (status === "decided" && decision === "bona_fide") return { status, decision, kind: "bona_fide" };
  if (status === "decided" && decision === "attack") return { status, decision, kind: "attack" };
  if (status === "refused") return { status, decision: "", kind: "refused" };
  return { status: "undecided", decision: "", kind: "undecided" };
}

/** One line on what the model is, for it stands at every verdict. */
export function noteOf(model) {
  if (!model) return null;
  if (typeof model.note === "string" && model.note.trim()) return model.note;
  if (model.untrained) return "This model is not trained: no decision may rest on it.";
  if (model.synthetic) return `SYNTHETIC: trained on simulated attacks (${model.trained_on ?? "made up"}).`;
  return null;
}

export class VerdictView {
  #find;
  #explanation = null;

  /** @param {(id: string) => HTMLElement} find */
  constructor(find) {
    this.#find = find;
    find("show-depth").addEventListener("change", () => this.#draw());
    find("show-cam").addEventListener("change", () => this.#draw());
  }

  /** Show an answer; the focus goes to its title. */
  async show(answer, serviceModel) {
    const outcome = outcomeOf(answer);
    this.clear();
    const isRefused = outcome.kind === "refused";
    const reasons = isRefused ? [{ code: answer.code ?? "", message: answer.message ?? "" }] : answer?.reasons;
    this.#list("reasons", findings(reasons));
    this.#list("advice", texts(answer?.advice).map((text) => element("li", {}, sentence(text))));
    this.#list("cautions", cautions(answer, serviceModel));
    this.#explanation = await readExplanation(answer?.explanation);
    this.#find("patch-words").textContent = patchWords(answer?.model);
    this.#find("cam-words").textContent = camWords(this.#explanation);
    if (hasNumbers(answer)) {
      this.#find("numbers").hidden = false;
      this.#find("numbers-body").replaceChildren(...numbersOf(answer, this.#explanation));
    }
    this.#find("figure").hidden = this.#explanation === null;
    this.#draw();
    this.#reveal(outcome);
  }

  /** Show that there is no answer, and why: the text is the caller's. */
  showTrouble(kind, serviceModel) {
    this.clear();
    this.#list("cautions", cautions(null, serviceModel));
    this.#reveal({ status: kind, decision: "", kind });
  }

  /** Back to no decision, and out of sight. */
  clear() {
    const verdict = this.#find("verdict");
    verdict.hidden = true;
    verdict.dataset.status = "undecided";
    verdict.dataset.decision = "";
    this.#find("announcement").textContent = "";
    for (const name of ["reasons", "advice", "cautions"]) this.#list(name, []);
    this.#find("numbers").hidden = true;
    this.#find("numbers").open = false;
    this.#find("numbers-body").replaceChildren();
    this.#find("figure").hidden = true;
    this.#explanation = null;
  }

  #reveal({ status, decision, kind }) {
    const { title, lead } = OUTCOMES[kind];
    const verdict = this.#find("verdict");
    verdict.dataset.status = status;
    verdict.dataset.decision = decision;
    verdict.classList.toggle("has-figure", this.#explanation !== null);
    this.#find("verdict-icon").setAttribute("href", `#icon-${kind}`);
    this.#find("verdict-title").textContent = title;
    this.#find("verdict-lead").textContent = lead;
    verdict.hidden = false;
    this.#find("announcement").textContent = `${title}. ${lead}`;
    this.#find("verdict-title").focus();
  }

  #list(name, items) {
    this.#find(name).replaceChildren(...items);
    this.#find(`${name}-part`).hidden = items.length === 0;
  }

  #draw() {
    const explanation = this.#explanation;
    if (!explanation) return;
    const hasDepth = explanation.depth.length > 0;
    const hasCam = explanation.cam !== null;
    toggleOf(this.#find("show-depth")).hidden = !hasDepth;
    toggleOf(this.#find("show-cam")).hidden = !hasCam;
    const depth = hasDepth && this.#find("show-depth").checked;
    const cam = hasCam && this.#find("show-cam").checked;
    const face = this.#find("face-canvas");
    drawFace(face, explanation, { depth, cam });
    face.setAttribute("aria-label", describe(explanation, depth, cam));
    const strip = this.#find("depth-canvas");
    strip.hidden = !depth;
    if (depth) {
      drawDepthStrip(strip, explanation.depth);
      const means = explanation.depth.map((map, number) => `patch ${number + 1}: ${mean(map).toFixed(2)}`);
      strip.setAttribute("aria-label", `The depth maps by number. Mean depth, 1 is nearest: ${means.join(", ")}.`);
    }
    this.#find("depth-key").hidden = !depth;
    this.#find("cam-key").hidden = !cam;
  }
}

function toggleOf(box) {
  return box.closest("label");
}

/** What the patches are: in some models they explain, and their score is no part of the result. */
function patchWords(model) {
  const judged = "Orange: the patches that were judged.";
  if (model?.patches_vote !== false) return judged;
  return `${judged} They and their depth do not vote in this model: the score is the Advisor's alone.`;
}

function camWords(explanation) {
  const drew = "Grad-CAM: bright is what drew the Advisor.";
  const share = explanation?.map_share ?? null;
  return share === null ? drew : `${drew} It covers ${percent(share)} of what moves the logit: the last map of the first crop.`;
}

function describe({ anchor_boxes, patch_boxes }, depth, cam) {
  const parts = [`The face crop with ${anchor_boxes.length} cells that the Advisor named, in white, and ${patch_boxes.length} patches that were judged, in orange.`];
  if (depth) parts.push("The depth of each patch is drawn inside it.");
  if (cam) parts.push("The Advisor's Grad-CAM is drawn over the face.");
  return parts.join(" ");
}

function cautions(answer, serviceModel) {
  const given = findings(answer?.cautions);
  const note = noteOf(answer?.model) ?? noteOf(serviceModel);
  const isSaid = (answer?.cautions ?? []).some((caution) => caution?.code === "NO_RECORDED_ATTACKS");
  if (note && !isSaid) given.unshift(element("li", { class: "note" }, sentence(note)));
  return given;
}

function findings(given) {
  if (!Array.isArray(given)) return [];
  return given
    .filter((finding) => finding && (finding.message || finding.code))
    .map(({ code, message }) => {
      const item = element("li", {}, sentence(message || code));
      if (code) item.append(" ", element("code", {}, String(code)));
      return item;
    });
}

function texts(given) {
  return Array.isArray(given) ? given.filter((text) => typeof text === "string" && text.trim()) : [];
}
