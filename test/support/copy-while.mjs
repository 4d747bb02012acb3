// A copy that stands still, while the phase that a test names has just begun, for something to happen to its ends.

import { CopyControl, copyVolume, openVolume } from "blockhaul";

const MiB = 1024 ** 2;

/**
 * @typedef {object} Ended
 * @property {import("blockhaul").CopyReport | undefined} report
 * @property {(Error & { code?: string }) | undefined} error
 */

/**
 * Copies and verifies, and calls `change` while the phase stands still.
 *
 * @param {string} from
 * @param {string} to
 * @param {number} size bytes of both
 * @param {import("blockhaul").CopyPhase} phase
 * @param {() => Promise<unknown>} change
 * @param {import("blockhaul").CopyOptions} [more]
 * @returns {Promise<Ended>}
 */
export async function copyWhile(from, to, size, phase, change, more = {}) {
  for (;;) {
    const { isChanged, ...ended } = await tryOnce(from, to, size, phase, change, more);
    if (isChanged) return ended;
    // A phase that was over before it was told of: nothing has changed yet, and it is done again.
    if (ended.error !== undefined) throw ended.error;
  }
}

/**
 * @param {string} from
 * @param {string} to
 * @param {number} size
 * @param {import("blockhaul").CopyPhase} phase
 * @param {() => Promise<unknown>} change
 * @param {import("blockhaul").CopyOptions} more
 * @returns {Promise<Ended & { isChanged: boolean }>}
 */
async function tryOnce(from, to, size, phase, change, more) {
  const control = new CopyControl();
  /** @type {Promise<unknown> | undefined} */
  let changing;
  const goOn = () => control.set({ paused: false, iopsLimit: 0 });
  const source = await openVolume(from);
  const target = await openVolume(to, { mode: "write" });
  try {
    const ended = await copyVolume(source, target, {
      ...more,
      verify: true,
      allow: ["signature"],
      control,
      requestSize: MiB,
      // Each phase begins so slowly that it is told of long before its end; it is paused then.
      iopsLimit: 1,
      progressIntervalMs: 10,
      onProgress: (progress) => {
        if (changing !== undefined) return;
        if (progress.phase === phase) {
          control.pause();
          changing = change().then(goOn, goOn);
        } else if (progress.done < size) goOn();
        else control.set({ iopsLimit: 1 });
      },
    }).then(
      (report) => ({ report, error: undefined }),
      (error) => ({ report: undefined, error }),
    );
    await changing;
    return { isChanged: changing !== undefined, ...ended };
  } finally {
    await Promise.allSettled([source.close(), target.close()]);
  }
}
