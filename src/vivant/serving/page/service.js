// The service by HTTP: what it is, and the check of one file.

import { Trouble, troubleOfProblem, troubleOfService } from "./trouble.js";

const URL_SERVICE = "v1/service";

/** GET /v1/service. */
export async function askService({ signal } = {}) {
  const response = await send(URL_SERVICE, { signal });
  return readJson(response);
}

/**
 * Check one file: POST /v1/check, or PUT to the session that this page was opened for.
 * @param {File} file
 * @param {{key: string|null, session: {id: string, token: string}|null}} caller
 * @param {{max_body_bytes?: number}} service
 * @param {AbortSignal} signal
 */
export async function checkFile(file, caller, service, signal) {
  if (file.size === 0) {
    throw new Trouble("The file is empty. Choose another one.", { kind: "refused", code: "EMPTY_INPUT" });
  }
  if (service.max_body_bytes && file.size > service.max_body_bytes) {
    const text = `The file has ${inMiB(file.size)} MiB, the service takes ${inMiB(service.max_body_bytes)}. Choose a shorter video.`;
    throw new Trouble(text, { kind: "refused", code: "TOO_LARGE", status: 413 });
  }
  const { session, key } = caller;
  const url = session ? `v1/sessions/${encodeURIComponent(session.id)}/media` : "v1/check?explain=true";
  const headers = { "Content-Type": mediaType(file) };
  const bearer = session ? session.token : key;
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const response = await send(url, { method: session ? "PUT" : "POST", headers, body: file, signal });
  return readJson(response);
}

function mediaType(file) {
  return /^(video|image)\/[\w.+-]+$/.test(file.type) ? file.type : "application/octet-stream";
}

function inMiB(bytes) {
  return Math.ceil(bytes / 2 ** 20);
}

async function send(url, options) {
  let response;
  try {
    response = await fetch(url, { cache: "no-store", credentials: "omit", redirect: "error", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw troubleOfService();
  }
  if (response.ok) return response;
  let problem = null;
  try {
    problem = await response.json();
  } catch {
    // A proxy's page, or nothing: the status alone says it.
  }
  throw troubleOfProblem(problem, response.status, response.headers.get("Retry-After"));
}

async function readJson(response) {
  try {
    return await response.json();
  } catch {
    throw new Trouble("The service's answer could not be read. Nothing was decided.", { code: "BAD_ANSWER" });
  }
}
