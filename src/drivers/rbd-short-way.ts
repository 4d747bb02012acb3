/** An image copied within its cluster: as a clone that is parted from its parent. */

import { undoNow, withUndoFailure } from "../attachments/undoing.js";
import type { CreateOptions, ShortWay, ShortWayOptions } from "../driver.js";
import { toBlockhaulError } from "../errors.js";
import { native } from "../native.js";
import type { NativeRbdCreate, NativeRbdFacts } from "../native-rbd.js";
import { onAbort } from "../system/abort.js";
import { deleteImage } from "./rbd-control.js";
import { nativeCreate, type RbdCreateOptions } from "./rbd-create.js";
import { createLike, factsOf } from "./rbd-layout.js";
import { asking, nativeImage, nativePlace } from "./rbd-native.js";
import type { RbdLocation } from "./rbd-ref.js";
import { withSnapshotOf } from "./rbd-steps.js";
import { refuseAborted } from "./refuse-aborted.js";

/** Without it, an image can be neither a parent nor a clone. */
const LAYERING = "layering";
const PROGRESS_MS = 200;

/**
 * A clone of a snapshot, flattened; of an image, by a snapshot that is taken for it. Why not librbd's deep
 * copy: docs/decisions/0013-rbd-short-ways.md.
 */
export async function cloneWay(
  source: RbdLocation,
  target: RbdLocation,
  options: CreateOptions,
): Promise<ShortWay | undefined> {
  const { features } = options as RbdCreateOptions;
  if (target.snapshot !== undefined || options.provisioning === "thick") return undefined;
  if (features?.includes(LAYERING) === false) return undefined;
  nativeCreate(options);
  const facts = await factsOf(source);
  if (facts.size !== options.size || !facts.features.includes(LAYERING)) return undefined;
  const seen = await seenBy(target, source);
  if (seen?.fsid !== facts.fsid || seen.id !== facts.id) return undefined;
  return {
    method: "rbd clone and flatten",
    run: async (how) => {
      const { create, notKept } = await createLike(source, target, options);
      if (source.snapshot === undefined) await cloneHead(source, target, create, how);
      else await clone(source, target, create, how);
      for (const text of notKept) how.onNotKept?.(text);
    },
  };
}

/** The source, by the client that will make the clone: it may have another key, or another cluster. */
function inSightOf(target: RbdLocation, source: RbdLocation) {
  return { ...nativeImage(source), connection: nativePlace(target).connection };
}

/** What the target's client sees of the source; undefined where that is nothing. */
async function seenBy(
  target: RbdLocation,
  source: RbdLocation,
): Promise<NativeRbdFacts | undefined> {
  return native()
    .rbdFacts(inSightOf(target, source))
    .catch((error: unknown) => {
      const { code } = toBlockhaulError(error);
      if (code === "ERR_NOT_FOUND" || code === "ERR_PERMISSION") return undefined;
      throw error;
    });
}

/** The snapshot is kept for as long as the clone needs it, but not the host's lock. */
async function cloneHead(
  source: RbdLocation,
  target: RbdLocation,
  create: NativeRbdCreate,
  how: ShortWayOptions,
): Promise<void> {
  const taken = await withSnapshotOf(source, how.signal, async (snapshot) => snapshot);
  const { result: snapshot, attachment } = taken;
  const failure = await clone(snapshot, target, create, how).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  try {
    await undoNow(attachment);
  } catch (error) {
    if (failure !== undefined) throw withUndoFailure(failure.error, error);
    await deleteImage(target).catch((left: unknown) => {
      throw withUndoFailure(error, left);
    });
    throw error;
  }
  if (failure !== undefined) throw failure.error;
}

async function clone(
  snapshot: RbdLocation,
  target: RbdLocation,
  create: NativeRbdCreate,
  { signal, onProgress }: ShortWayOptions,
): Promise<void> {
  refuseAborted(signal);
  const image = nativeImage(target);
  const job = native().rbdCloneSnapshot(inSightOf(target, snapshot), { ...image, create });
  const cancel = () => job.cancel();
  const stopListening = onAbort(signal, cancel);
  const timer = setInterval(() => onProgress?.(job.done()), PROGRESS_MS);
  try {
    await asking(image, job.finished);
  } finally {
    clearInterval(timer);
    stopListening();
  }
  onProgress?.(create.size);
}
