import { openAttachment } from "./attachments/attachment.js";
import { type CleanedAttachment, detachAttachment } from "./attachments/cleanup.js";
import { withHostLock } from "./attachments/lock.js";
import { undoing } from "./attachments/undoing.js";
import type { AttachedDevice } from "./driver.js";
import { BlockhaulError, toBlockhaulError } from "./errors.js";
import { checkKeys, type KeysOf } from "./known-keys.js";
import { resolveRef } from "./refs.js";

/** A volume that is a block device of this host until somebody says `detach`. */
export interface KeptAttachment extends AttachedDevice {
  /** For `detachVolume()`. */
  readonly id: string;
  /** In the driver's own form. */
  readonly ref: string;
}

export interface AttachVolumeOptions {
  /** Stops between two steps, and undoes those that were made. */
  readonly signal?: AbortSignal | undefined;
}

const ATTACH_KEYS: KeysOf<AttachVolumeOptions> = { signal: true };

/**
 * Makes a volume a block device of this host, which stays when the process ends, until
 * `detachVolume()` or the host's next start.
 *
 * @throws BlockhaulError ERR_UNSUPPORTED where the ref's driver attaches nothing; and what the attach
 *   meets: everything done until then is undone
 */
export async function attachVolume(
  ref: string,
  options: AttachVolumeOptions = {},
): Promise<KeptAttachment> {
  const { signal } = checkKeys("attachVolume", options, ATTACH_KEYS);
  const { driver, location } = await resolveRef(ref);
  if (driver.attach === undefined) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      volume: ref,
      message: `the driver ${driver.name} has nothing to attach`,
    });
  }
  try {
    return await withHostLock(async () => {
      const attachment = await openAttachment(driver.formatRef?.(location) ?? ref);
      return undoing(attachment, async () => {
        const device = await driver.attach?.(location, { attachment, signal });
        await attachment.keep();
        return { ...(device as AttachedDevice), id: attachment.id, ref: attachment.ref };
      });
    }, signal);
  } catch (error) {
    throw toBlockhaulError(error, { volume: ref, operation: "attach" });
  }
}

/**
 * Undoes an attachment that is kept, or that a killed process left.
 *
 * @param idOrRef its id, or the ref that it was made for
 * @throws BlockhaulError ERR_NOT_FOUND, ERR_IN_USE where a living process uses it,
 *   ERR_INVALID_ARGUMENT where a ref names several; and what the undo meets
 */
export async function detachVolume(idOrRef: string): Promise<CleanedAttachment> {
  return detachAttachment(idOrRef, await inDriversForm(idOrRef));
}

/** A ref as it is recorded; what is none, or none that a driver here knows, as it is. */
async function inDriversForm(ref: string): Promise<string> {
  try {
    const { driver, location } = await resolveRef(ref);
    return driver.formatRef?.(location) ?? ref;
  } catch {
    return ref;
  }
}
