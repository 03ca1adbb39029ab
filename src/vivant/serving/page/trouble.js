// What can go wrong, in plain words. Everything that stops a check is a Trouble; nothing else is shown.

export class Trouble extends Error {
  /**
   * @param {string} text What happened and what to do.
   * @param {object} [more]
   * @param {string} [more.code] For programs and support.
   * @param {"camera"|"key"|"refused"|"failed"|"interrupted"} [more.kind] Where it is shown, and how.
   * @param {number} [more.status] The HTTP status, if the service answered.
   */
  constructor(text, { code = "", kind = "failed", status = 0 } = {}) {
    super(text);
    this.name = "Trouble";
    this.code = code;
    this.kind = kind;
    this.status = status;
  }
}

export function troubleOfService() {
  return new Trouble("The service does not answer. Try again.", { code: "NO_ANSWER" });
}

/** Anything thrown, as a Trouble: the unforeseen gets plain words as well. */
export function asTrouble(error) {
  if (error instanceof Trouble) return error;
  const detail = error instanceof Error && error.message ? ` (${error.message})` : "";
  return new Trouble(`The check failed in this browser. Try again.${detail}`, { code: "FAILED" });
}

const CAMERA_WORDS = {
  NotAllowedError:
    "The camera is blocked for this page. Allow it at the camera symbol in the address bar or in the browser's settings, then try again. Or choose a file.",
  NotFoundError: "No camera was found. Connect one and try again, or choose a file.",
  NotReadableError:
    "The camera is in use by another program, or the system does not hand it out. Close the other program and try again.",
};
const CAMERA_ALIASES = {
  SecurityError: "NotAllowedError",
  PermissionDeniedError: "NotAllowedError",
  OverconstrainedError: "NotFoundError",
  DevicesNotFoundError: "NotFoundError",
  AbortError: "NotReadableError",
  TrackStartError: "NotReadableError",
};

export function troubleOfCamera(error) {
  const name = CAMERA_ALIASES[error?.name] ?? error?.name;
  const text = CAMERA_WORDS[name] ?? "The camera could not be started. Try again, or choose a file.";
  return new Trouble(text, { kind: "camera", code: error?.name ?? "" });
}

/**
 * A problem document (application/problem+json, or the stream's "problem" message) as a Trouble.
 * @param {object} problem
 * @param {number} status
 * @param {string|null} retryAfter The Retry-After header, in seconds.
 */
export function troubleOfProblem(problem, status, retryAfter = null) {
  const said = [problem?.detail, problem?.title].find((text) => typeof text === "string" && text);
  let text = sentence(said ?? `The service answered ${status}.`);
  const wait_s = Math.ceil(Number(retryAfter ?? problem?.retry_after_s));
  if (status === 429 || status === 503) {
    const when = wait_s > 0 ? `in ${wait_s} ${wait_s === 1 ? "second" : "seconds"}` : "in a moment";
    text += ` Try again ${when}.`;
  }
  const kind = status === 401 ? "key" : status >= 500 || status === 429 ? "failed" : "refused";
  const code = typeof problem?.code === "string" ? problem.code : `HTTP ${status}`;
  return new Trouble(text, { code, kind, status });
}

/** With a capital letter and a full stop. */
export function sentence(text) {
  const trimmed = String(text).trim();
  if (!trimmed) return "";
  const capital = trimmed[0].toUpperCase() + trimmed.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
