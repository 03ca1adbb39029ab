// From the camera to a judge: about one frame every interval, until there is enough to judge.

import { guide } from "./guidance.js";

const NEEDED_S = 4; // Of usable frames.
const GIVE_UP_S = 20; // Then the verdict says why there is none.
const LONGEST_STEP_S = 0.5; // What one frame may count for.

/**
 * @param {object} parts
 * @param parts.camera An open Camera.
 * @param parts.judge A judge: see stream.js.
 * @param parts.stage The Stage, told what to show.
 * @param {AbortSignal} parts.signal
 * @returns The judge's answer.
 */
export async function capture({ camera, judge, stage, signal }) {
  const oval = stage.fit(camera.width, camera.height, camera.isMirrored);
  const limit_s = Math.min(GIVE_UP_S, judge.max_s - 0.5);
  const pending = new Set();
  const start = performance.now();
  let failure = null;
  let usable_s = 0;
  let goodSince_s = null;

  function take(look, time_s) {
    if (!look || signal.aborted) return;
    const { text, isGood } = guide(look, oval);
    if (isGood && goodSince_s !== null) usable_s += Math.min(time_s - goodSince_s, LONGEST_STEP_S);
    goodSince_s = isGood ? time_s : null;
    stage.state = isGood ? "good" : "adjust";
    stage.share = usable_s / NEEDED_S;
    stage.suggest(text);
  }

  stage.pending = 0;
  stage.state = "adjust";
  stage.say("Bring your face into the oval.");
  for (let due = start; ; ) {
    signal.throwIfAborted();
    if (failure) throw failure;
    const time_s = (performance.now() - start) / 1000;
    if (judge.isFinished || usable_s >= NEEDED_S || time_s >= limit_s) break;
    if (pending.size < judge.max_in_flight && camera.hasNewFrame()) {
      const looked = judge
        .look(camera.grab(), time_s)
        .then((look) => take(look, time_s))
        .catch((error) => {
          failure ??= error;
        });
      pending.add(looked);
      stage.pending = pending.size;
      looked.finally(() => {
        pending.delete(looked);
        stage.pending = pending.size;
      });
    }
    due = Math.max(due + 1000 * judge.interval_s, performance.now());
    await new Promise((resolve) => setTimeout(resolve, due - performance.now()));
  }

  camera.stop();
  await Promise.all(pending);
  signal.throwIfAborted();
  if (failure) throw failure;
  stage.state = "judging";
  stage.say("Thank you. Judging.");
  return judge.end();
}
