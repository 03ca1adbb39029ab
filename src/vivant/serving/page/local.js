// The judge that runs in this browser, and files decoded by it. Nothing leaves the device.

import { Trouble } from "./trouble.js";

const INTERVAL_S = 0.1;
const MAX_FILE_S = 30;
const MAX_SIDE_PX = 1280;
const DECODE_MS = 10_000;

let loading = null; // The network is loaded once and kept while the page is open.

/**
 * @param {(text: string) => void} say For the loading, which takes a while the first time.
 * @param {{isLive: boolean}} options Whether the frames come from a camera, or else from a file.
 * @returns {Promise<DeviceJudge>}
 */
export async function openDeviceJudge(say, options) {
  const isFirst = loading === null;
  loading ??= load(say);
  try {
    const device = await loading;
    await device.begin(options);
    return new DeviceJudge(device);
  } catch (error) {
    loading = null;
    if (!isFirst) return openDeviceJudge(say, options); // Its worker broke since: load it anew, once.
    if (error instanceof Trouble) throw error;
    throw new Trouble("The network for this device could not be loaded. Try again, or check on the service.", {
      code: "NOT_LOADED",
    });
  }
}

async function load(say) {
  const { openDevice } = await import("./device.js");
  let told = -1;
  return openDevice({
    onProgress({ loaded, total }) {
      const share = total > 0 ? Math.floor((10 * loaded) / total) : 0;
      if (share === told) return;
      told = share;
      say(total > 0 ? `Loading the network: ${inMB(loaded)} of ${inMB(total)} MB` : "Loading the network");
    },
  });
}

function inMB(bytes) {
  return Math.round(bytes / 1e6);
}

class DeviceJudge {
  interval_s = INTERVAL_S;
  max_s = 60;
  max_in_flight = 1;
  isFinished = false;
  #device;

  constructor(device) {
    this.#device = device;
  }

  look(canvas, time_s) {
    const frame = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return this.#device.look(frame, time_s);
  }

  async end() {
    const answer = await this.#device.end();
    this.isFinished = true;
    return answer;
  }

  close() {
    this.isFinished = true;
  }
}

/**
 * Judge a file on this device: every 0.1 s of a video, or the one frame of a photo.
 * @param {File} file
 * @param {DeviceJudge} judge
 * @param {AbortSignal} signal
 * @param {(share: number) => void} onProgress 0..1
 */
export async function judgeFile(file, judge, signal, onProgress) {
  const url = URL.createObjectURL(file);
  try {
    if (file.type.startsWith("image/")) await lookAtPhoto(url, judge);
    else await lookAtVideo(url, judge, signal, onProgress);
    signal.throwIfAborted();
    return await judge.end();
  } finally {
    URL.revokeObjectURL(url);
  }
}

async function lookAtPhoto(url, judge) {
  const photo = new Image();
  photo.src = url;
  try {
    await photo.decode();
  } catch {
    throw unreadable();
  }
  await judge.look(drawn(photo, canvasFor(photo.naturalWidth, photo.naturalHeight)), 0);
}

async function lookAtVideo(url, judge, signal, onProgress) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  try {
    const loaded = happens(video, "loadeddata");
    video.src = url;
    await loaded;
    const end_s = Math.min(Number.isFinite(video.duration) ? video.duration : MAX_FILE_S, MAX_FILE_S);
    const canvas = canvasFor(video.videoWidth, video.videoHeight);
    for (let number = 0; number === 0 || number * INTERVAL_S < end_s; number += 1) {
      signal.throwIfAborted();
      const time_s = number * INTERVAL_S;
      const sought = happens(video, "seeked");
      // A hair into the frame: a time on its very edge may give the one before.
      video.currentTime = Math.min(time_s + 0.001, video.duration || time_s);
      await sought;
      await judge.look(drawn(video, canvas), time_s);
      onProgress(Math.min(1, (time_s + INTERVAL_S) / end_s));
    }
  } finally {
    video.removeAttribute("src");
    video.load();
  }
}

function happens(video, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(() => reject(unreadable())), DECODE_MS);
    const succeed = () => done(resolve);
    const fail = () => done(() => reject(unreadable()));
    function done(settle) {
      clearTimeout(timer);
      video.removeEventListener(name, succeed);
      video.removeEventListener("error", fail);
      settle();
    }
    video.addEventListener(name, succeed);
    video.addEventListener("error", fail);
  });
}

function unreadable() {
  const text = "This browser cannot read the file. Choose an MP4, WebM, JPEG or PNG, or check it on the service.";
  return new Trouble(text, { kind: "refused", code: "UNSUPPORTED_FORMAT" });
}

function canvasFor(width, height) {
  if (!width || !height) throw unreadable();
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  return canvas;
}

function drawn(picture, canvas) {
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}
