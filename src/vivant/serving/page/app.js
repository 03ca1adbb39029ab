// The page: buttons, states and who is told what. Nothing is stored, and nothing starts by itself.

import { openCamera } from "./camera.js";
import { capture } from "./capture.js";
import { Stage } from "./guidance.js";
import { judgeFile, openDeviceJudge } from "./local.js";
import { askService, checkFile } from "./service.js";
import { openServiceJudge } from "./stream.js";
import { asTrouble, Trouble } from "./trouble.js";
import { noteOf, VerdictView } from "./view.js";

const find = (id) => document.getElementById(id);

class Page {
  #stage = new Stage(find("stage"), find("oval"), find("guidance"), find("progress"));
  #verdict = new VerdictView(find);
  #service = null;
  #caller = { key: null, session: null };
  #isUsed = false; // A session has one check.
  #run = null; // The AbortController of the check under way.
  #isFilming = false;
  #retry = () => this.bootAgain();

  constructor() {
    find("start").addEventListener("click", () => this.checkCamera());
    find("stop").addEventListener("click", () => this.#stopForGood());
    find("again").addEventListener("click", () => this.#retry());
    find("file").addEventListener("change", (event) => this.#choose(event.target));
    find("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      find("start").focus();
    });
    for (const id of ["mode-service", "mode-device"]) find(id).addEventListener("change", () => this.#tellWhere());
    document.addEventListener("visibilitychange", () => this.#leaveIfHidden());
    window.addEventListener("pagehide", () => this.#run?.abort(stopped()));
    window.addEventListener("hashchange", () => this.#startAnew());
    this.#acceptDrops();
    this.#tellWhere();
  }

  /** Ask what the service is, and be ready; gives whether it is. */
  async boot() {
    this.#readAddress();
    this.#clear();
    find("start").disabled = true;
    find("file").disabled = true;
    this.#stage.say("Asking the service");
    try {
      this.#service = await askService({ signal: AbortSignal.timeout(10_000) });
    } catch (error) {
      const trouble = asTrouble(error);
      this.#showTrouble(trouble.code === "FAILED" ? serviceSilent() : trouble, () => this.bootAgain());
      return false;
    }
    this.#introduce();
    this.idle();
    return true;
  }

  async bootAgain() {
    if (await this.boot()) find("start").focus();
  }

  /** The address has another key or session. */
  async #startAnew() {
    if (!this.#readAddress()) return;
    this.#run?.abort(stopped());
    await new Promise((resolve) => setTimeout(resolve)); // The check under way ends first.
    await this.boot();
  }

  idle() {
    this.#clear();
    find("start").disabled = false;
    find("file").disabled = false;
    this.#stage.say("The camera is off.");
  }

  checkCamera() {
    return this.#check(() => this.checkCamera(), async (signal) => {
      this.#stage.say("Allow the camera, where the browser asks for it");
      this.#isFilming = true;
      const camera = await abortable(openCamera(find("video"), signal), signal);
      camera.onEnded = () => this.#run?.abort(cameraGone());
      let judge = null;
      try {
        this.#stage.fit(camera.width, camera.height, camera.isMirrored);
        this.#stage.say("Connecting");
        judge = await this.#openJudge(signal, { isLive: true });
        return await abortable(capture({ camera, judge, stage: this.#stage, signal }), signal);
      } finally {
        judge?.close();
        camera.close();
      }
    });
  }

  checkFile(file) {
    return this.#check(() => this.idle(), async (signal) => {
      this.#stage.state = "judging";
      this.#stage.say(`Checking ${shortName(file.name)}`);
      if (!this.#isOnDevice) {
        return abortable(checkFile(file, this.#callerNow(), this.#service, signal), signal);
      }
      const judge = await this.#openJudge(signal, { isLive: false });
      this.#stage.say(`Checking ${shortName(file.name)}`);
      try {
        const tell = (share) => {
          this.#stage.share = share;
        };
        return await abortable(judgeFile(file, judge, signal, tell), signal);
      } finally {
        judge.close();
      }
    });
  }

  /** Every check has this frame: one at a time, and it ends with a verdict, a trouble or a stop. */
  async #check(retry, work) {
    if (this.#run) return;
    const run = new AbortController();
    this.#clear();
    this.#run = run;
    this.#setRunning(true);
    try {
      const answer = await work(run.signal);
      run.signal.throwIfAborted();
      this.#setRunning(false);
      await this.#showAnswer(answer);
    } catch (error) {
      const trouble = asTrouble(run.signal.aborted ? run.signal.reason : error);
      this.#setRunning(false);
      this.#tellTrouble(trouble, retry);
    } finally {
      this.#isFilming = false;
      this.#run = null;
    }
  }

  #tellTrouble(trouble, retry) {
    if (trouble.code === "STOPPED") {
      this.idle();
      this.#stage.say(trouble.message);
      find("start").focus();
    } else if (trouble.code === "NO_ANSWER") {
      this.#showTrouble(trouble, () => this.bootAgain());
    } else {
      this.#showTrouble(trouble, retry);
    }
  }

  async #openJudge(signal, options) {
    if (this.#isOnDevice) return abortable(openDeviceJudge((text) => this.#stage.say(text), options), signal);
    return abortable(openServiceJudge(this.#callerNow(), signal), signal);
  }

  async #showAnswer(answer) {
    find("check").hidden = true;
    this.#isUsed = this.#caller.session !== null;
    this.#offerAgain("Check again", () => this.idleAgain(), "verdict-again-slot");
    await this.#verdict.show(answer, this.#service?.model);
  }

  /** A trouble before anything was judged stays at the camera; any other is a verdict of its kind. */
  #showTrouble(trouble, retry) {
    const isCard = this.#service !== null && (trouble.kind === "refused" || trouble.kind === "failed");
    find(isCard ? "verdict-trouble-slot" : "trouble-slot").append(find("trouble"));
    find("problem-code").textContent = trouble.code ? `Code: ${trouble.code}` : "";
    find("problem-code").hidden = !trouble.code;
    this.#stage.state = "idle";
    this.#stage.say("The camera is off.");
    find("start").hidden = true;
    find("trouble").hidden = false;
    find("problem").textContent = trouble.message;
    const isLast = trouble.status === 410 || trouble.status === 409;
    if (isLast) this.#isUsed = true;
    this.#offerAgain("Try again", retry, isCard ? "verdict-again-slot" : "again-slot");
    find("check").hidden = isCard;
    if (isCard) this.#verdict.showTrouble(trouble.kind, this.#service.model);
    else if (trouble.kind === "key" && this.#caller.session === null && !this.#isOnDevice) this.#askKeyAgain();
    else find("problem").focus();
  }

  #askKeyAgain() {
    this.#caller.key = null;
    find("key-form").dataset.isNeeded = "true";
    find("key-form").hidden = false;
    find("start").hidden = false;
    find("again").hidden = true;
    find("key").setAttribute("aria-invalid", "true");
    find("key").focus();
    find("key").select();
  }

  /** From a verdict back to the start, with the focus on it. */
  idleAgain() {
    this.idle();
    find("start").focus();
  }

  #offerAgain(label, retry, slot) {
    const isOver = this.#isUsed && slot === "verdict-again-slot";
    this.#retry = retry;
    find(slot).append(find("again"));
    find("again-label").textContent = label;
    find("again").hidden = isOver;
    find("used-line").hidden = !isOver;
  }

  #clear() {
    this.#verdict.clear();
    find("trouble").hidden = true;
    find("problem").textContent = "";
    find("again").hidden = true;
    find("again-slot").append(find("again"));
    find("check").hidden = false;
    find("start").hidden = false;
    find("key").removeAttribute("aria-invalid");
    this.#stage.fit(640, 480, true);
    this.#stage.state = "idle";
    this.#stage.share = 0;
  }

  #setRunning(isRunning) {
    const hadFocus = document.activeElement === find("start") || document.activeElement === document.body;
    document.body.classList.toggle("running", isRunning);
    find("start").hidden = isRunning;
    find("stop").hidden = !isRunning;
    find("file-label").hidden = isRunning;
    find("tips").hidden = isRunning;
    find("modes").disabled = isRunning;
    find("key").disabled = isRunning;
    this.#stage.state = isRunning ? "waiting" : "idle";
    if (isRunning && hadFocus) find("stop").focus();
  }

  #stopForGood() {
    this.#run?.abort(stopped());
  }

  #leaveIfHidden() {
    if (document.visibilityState !== "hidden" || !this.#isFilming) return;
    const text = "The page went out of sight, so the camera was switched off. Nothing was decided.";
    this.#run.abort(new Trouble(text, { kind: "interrupted", code: "PAGE_HIDDEN" }));
  }

  #choose(input) {
    const files = [...input.files];
    input.value = ""; // The same file can be chosen again.
    this.#takeFiles(files);
  }

  #takeFiles(files) {
    if (this.#run || this.#service === null || this.#isUsed || files.length === 0) return;
    if (files.length === 1) {
      this.checkFile(files[0]);
      return;
    }
    this.#clear();
    this.#showTrouble(new Trouble("One file at a time, please.", { kind: "interrupted" }), () => this.idleAgain());
  }

  #acceptDrops() {
    let depth = 0; // dragenter and dragleave come for every element on the way.
    const light = (isOver) => find("stage").classList.toggle("dropping", isOver && !this.#run);
    window.addEventListener("dragenter", () => light(++depth > 0));
    window.addEventListener("dragleave", () => light(--depth > 0));
    window.addEventListener("dragover", (event) => event.preventDefault());
    window.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      light(false);
      this.#takeFiles([...(event.dataTransfer?.files ?? [])]);
    });
  }

  /** A key or a session out of the address, which then forgets it. Gives whether there was one. */
  #readAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    const [id, token, key] = [words.get("session"), words.get("token"), words.get("key")];
    if (!key && !(id && token)) return false;
    this.#caller = id && token ? { key: null, session: { id, token } } : { key, session: null };
    this.#isUsed = false;
    history.replaceState(null, "", location.pathname + location.search);
    return true;
  }

  #callerNow() {
    const typed = find("key-form").hidden ? "" : find("key").value.trim();
    return { session: this.#caller.session, key: this.#caller.key ?? (typed || null) };
  }

  /** What the service said of itself, on the page. */
  #introduce() {
    const { model, needs_key, on_device, version } = this.#service;
    const { key, session } = this.#caller;
    find("modes").hidden = !on_device || session !== null;
    if (find("modes").hidden) find("mode-service").checked = true;
    find("key-form").dataset.isNeeded = String(Boolean(needs_key) && !key && !session);
    find("session-line").hidden = session === null;
    find("session-line").textContent = session ? "This check is for the session that brought you here." : "";
    const note = noteOf(model);
    find("model-line").hidden = !model?.name;
    find("model-line").textContent = [`Model ${model?.name ?? ""}`, note].filter(Boolean).join(": ");
    find("version-line").textContent = version ? `vivant ${version}.` : "";
    this.#tellWhere();
  }

  get #isOnDevice() {
    return !find("modes").hidden && find("mode-device").checked;
  }

  #tellWhere() {
    find("key-form").hidden = this.#isOnDevice || find("key-form").dataset.isNeeded !== "true";
    find("where").textContent = this.#isOnDevice
      ? "Nothing leaves this device."
      : `Frames go to this service (${location.host}) and are not stored.`;
  }
}

function stopped() {
  return new Trouble("Stopped. Nothing was decided.", { kind: "interrupted", code: "STOPPED" });
}

function cameraGone() {
  return new Trouble("The camera stopped. Connect it again, and try again.", { kind: "camera", code: "CAMERA_ENDED" });
}

function serviceSilent() {
  return new Trouble("The service does not answer. Try again.", { code: "NO_ANSWER" });
}

/** The promise, or the signal's reason as soon as it is aborted. */
function abortable(promise, signal) {
  const aborted = new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, aborted]);
}

function shortName(name) {
  return name.length > 40 ? `${name.slice(0, 28)}…${name.slice(-9)}` : name;
}

new Page().boot();
