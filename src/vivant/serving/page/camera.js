// The camera: opened by a button, drawn to a canvas of one size, switched off for certain.

import { Trouble, troubleOfCamera } from "./trouble.js";

const MAX_WIDTH_PX = 640;
const FIRST_FRAME_MS = 10_000;

/**
 * @param {HTMLVideoElement} video Shows the camera.
 * @param {AbortSignal} signal
 * @returns {Promise<Camera>}
 */
export async function openCamera(video, signal) {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) {
    throw new Trouble(
      "Browsers open the camera only on a secure page. Open this one by https, or on localhost. Or choose a file.",
      { kind: "camera", code: "NOT_SECURE" },
    );
  }
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
    });
  } catch (error) {
    throw troubleOfCamera(error);
  }
  const camera = new Camera(video, media);
  try {
    signal.throwIfAborted();
    await camera.firstFrame();
    signal.throwIfAborted();
  } catch (error) {
    camera.close();
    throw error;
  }
  return camera;
}

class Camera {
  #video;
  #media;
  #canvas = document.createElement("canvas");
  #context;
  #filmed = { width: 0, height: 0 };
  #lastTime = -1;
  onEnded = () => {};

  constructor(video, media) {
    this.#video = video;
    this.#media = media;
    const [track] = media.getVideoTracks();
    track.addEventListener("ended", () => this.onEnded());
    this.isMirrored = track.getSettings?.().facingMode !== "environment";
    this.#context = this.#canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  }

  async firstFrame() {
    const video = this.#video;
    video.srcObject = this.#media;
    const filmed = new Promise((resolve, reject) => {
      const late = () => reject(troubleOfCamera({ name: "NotReadableError" }));
      const timer = setTimeout(late, FIRST_FRAME_MS);
      const look = () => {
        if (!video.videoWidth) return;
        clearTimeout(timer);
        video.removeEventListener("loadeddata", look);
        resolve();
      };
      video.addEventListener("loadeddata", look);
    });
    video.play().catch(() => {}); // Refused only when it was paused meanwhile, on purpose.
    await filmed;
    this.#filmed = { width: video.videoWidth, height: video.videoHeight };
    const scale = Math.min(1, MAX_WIDTH_PX / video.videoWidth);
    this.#canvas.width = Math.round(video.videoWidth * scale);
    this.#canvas.height = Math.round(video.videoHeight * scale);
  }

  get width() {
    return this.#canvas.width;
  }

  get height() {
    return this.#canvas.height;
  }

  /** Whether the camera gave another frame since the last grab: the same one twice is not sent. */
  hasNewFrame() {
    return this.#video.readyState >= 2 && this.#video.currentTime !== this.#lastTime;
  }

  /** The frame of now, as filmed (not mirrored). */
  grab() {
    const { videoWidth, videoHeight, currentTime } = this.#video;
    if (videoWidth !== this.#filmed.width || videoHeight !== this.#filmed.height) {
      throw new Trouble("The camera's picture changed its shape. Hold the device one way, and try again.", {
        kind: "camera",
        code: "RESOLUTION_CHANGED",
      });
    }
    this.#lastTime = currentTime;
    this.#context.drawImage(this.#video, 0, 0, this.#canvas.width, this.#canvas.height);
    return this.#canvas;
  }

  /** Off, and the last frame stays in view while the judge thinks. */
  stop() {
    this.onEnded = () => {};
    this.#video.pause();
    for (const track of this.#media.getTracks()) track.stop();
  }

  close() {
    this.stop();
    this.#video.srcObject = null;
  }
}
