// The oval, where the face is against it, and the words that lead it in.

const CALM_MS = 1100; // A line of guidance stands at least so long.

/** The oval in a frame: centre and radii in its pixels. */
export function ovalIn(width, height) {
  const rx = Math.min(0.4 * width, 0.3 * height);
  return { cx: width / 2, cy: height / 2, rx, ry: rx / 0.76 };
}

/**
 * How a face must move to be in the oval; null when it is.
 * @param {number[]} face x0 y0 x1 y1: ear to ear, from the middle of the forehead to the chin.
 */
export function placement([x0, y0, x1, y1], oval) {
  const share = (x1 - x0) / (2 * oval.rx);
  const right = ((x0 + x1) / 2 - oval.cx) / oval.rx;
  const below = ((y0 + y1) / 2 - oval.cy) / oval.ry; // The face box sits a little below the head's middle.
  if (share > 1.35) return "Move back a little.";
  if (Math.abs(right) > 0.5 || below < -0.4 || below > 0.55) return "Move to the middle.";
  if (share < 0.45) return "Come closer.";
  return null;
}

/**
 * One line for one look of the judge.
 * @returns {{text: string, isGood: boolean}}
 */
export function guide(look, oval) {
  if (look.is_usable) {
    const move = look.face ? placement(look.face, oval) : null;
    return move ? { text: move, isGood: false } : { text: "Good. Stay like this.", isGood: true };
  }
  const said = look.hints?.find((hint) => hint?.advice)?.advice;
  const move = look.face ? placement(look.face, oval) : null;
  return { text: said ?? move ?? "Bring your face into the oval.", isGood: false };
}

/** The stage: video, oval, ring of progress, and the live line. */
export class Stage {
  #line;
  #stage;
  #svg;
  #progress;
  #saidAt = 0;
  #timer = 0;

  constructor(stage, svg, line, progress) {
    this.#stage = stage;
    this.#svg = svg;
    this.#line = line;
    this.#progress = progress;
    this.fit(640, 480, true);
  }

  /** Take the shape of the frames; gives the oval in their pixels. */
  fit(width, height, isMirrored) {
    const oval = ovalIn(width, height);
    const { cx, cy, rx, ry } = oval;
    const line = `M${cx} ${cy - ry}A${rx} ${ry} 0 1 1 ${cx} ${cy + ry}A${rx} ${ry} 0 1 1 ${cx} ${cy - ry}Z`;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.querySelector(".veil").setAttribute("d", `M0 0H${width}V${height}H0Z${line}`);
    this.#svg.querySelector(".track").setAttribute("d", line);
    this.#svg.querySelector(".ring").setAttribute("d", line);
    this.#stage.parentElement.style.setProperty("--aspect", String(width / height));
    this.#stage.classList.toggle("mirrored", isMirrored);
    return oval;
  }

  /** @param {"idle"|"waiting"|"adjust"|"good"|"judging"} state */
  set state(state) {
    this.#stage.dataset.state = state;
    this.#progress.hidden = state === "idle";
  }

  /** How many frames the judge has not answered yet, as `data-pending`; tests wait for it. */
  set pending(number) {
    this.#stage.dataset.pending = String(number);
  }

  set share(share) {
    const percent = Math.round(100 * Math.min(1, Math.max(0, share)));
    this.#svg.querySelector(".ring").setAttribute("stroke-dasharray", `${percent} ${101 - percent}`);
    this.#progress.value = percent;
  }

  /** At once. */
  say(text) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#line.textContent === text) return;
    this.#line.textContent = text;
    this.#saidAt = performance.now();
  }

  /** Soon: a line is left standing long enough to be read and spoken. */
  suggest(text) {
    clearTimeout(this.#timer);
    const wait = this.#saidAt + CALM_MS - performance.now();
    if (wait <= 0) this.say(text);
    else this.#timer = setTimeout(() => this.say(text), wait);
  }
}
