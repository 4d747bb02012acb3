/** Snapshots that are taken to be copied from, and recorded before: a kill leaves none that nobody knows of. */
import { type Attachment, openAttachment } from "../attachments/attachment.js";
import { withHostLock } from "../attachments/lock.js";
import type { StepKind } from "../attachments/step.js";
import { undoing } from "../attachments/undoing.js";
import { BlockhaulError } from "../errors.js";
import {
  dropSnapshot,
  newSnapshotName,
  SNAPSHOT_PREFIX,
  snapshotsOf,
  takeSnapshot,
} from "./rbd-control.js";
import { pinned } from "./rbd-native.js";
import { formatRbdRef, parseRbdRef, type RbdLocation } from "./rbd-ref.js";

export type RbdSnapshotData = {
  /** Of the snapshot, with all that leads to its cluster; no secret is ever in one. */
  readonly ref: string;
};

export const rbdSnapshotStep: StepKind<RbdSnapshotData> = {
  name: "rbd-snapshot",
  key: ({ ref }) => ref,
  describe: ({ ref }) => `snapshot ${ref}`,
  async undo({ ref }) {
    const location = parseRbdRef(ref);
    if (!location.snapshot?.startsWith(SNAPSHOT_PREFIX)) return;
    // Looked for first: who may only read has taken none, and may not open the image to drop one.
    if (!(await isThere(location))) return;
    await dropSnapshot(location).catch((error: unknown) => {
      const isGone = error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND";
      if (!isGone) throw error;
    });
  },
};

async function isThere({ snapshot, ...head }: RbdLocation): Promise<boolean> {
  try {
    return (await snapshotsOf(head)).some(({ name }) => name === snapshot);
  } catch (error) {
    if (error instanceof BlockhaulError && error.code === "ERR_NOT_FOUND") return false;
    throw error;
  }
}

/**
 * Takes a snapshot, and does something with it before anybody else on this host attaches or detaches.
 *
 * @returns what that gave, and the attachment with which the snapshot goes
 */
export function withSnapshotOf<Result>(
  location: RbdLocation,
  signal: AbortSignal | undefined,
  action: (snapshot: RbdLocation) => Promise<Result>,
): Promise<{ readonly result: Result; readonly attachment: Attachment }> {
  return withHostLock(async () => {
    const attachment = await openAttachment(formatRbdRef(location));
    return undoing(attachment, async () => {
      const snapshot = { ...location, snapshot: newSnapshotName() };
      await attachment.record(rbdSnapshotStep, { ref: formatRbdRef(pinned(snapshot)) });
      await takeSnapshot(location, { name: snapshot.snapshot });
      return { result: await action(snapshot), attachment };
    });
  }, signal);
}
