import { type Attachment, openAttachment } from "./attachments/attachment.js";
import { withHostLock } from "./attachments/lock.js";
import { closeAttached, undoing } from "./attachments/undoing.js";
import type { IscsiConnection } from "./connectors/connection.js";
import { attachIscsi } from "./connectors/iscsi/connector.js";
import type {
  AttachedDevice,
  AttachOptions,
  CreateOptions,
  DriverOpenOptions,
  DriverStatus,
  DriverSupport,
  OpenedVolume,
  VolumeDriver,
} from "./driver.js";
import { BlockhaulError } from "./errors.js";
import { connectionStep, exportStep } from "./export-steps.js";
import { type NativeVolume, native } from "./native.js";
import { waitFor } from "./system/wait.js";
import { openDevice } from "./usage/open-device.js";
import { openedDevice } from "./usage/opened-device.js";

/** Somebody may be looking at a device that has just appeared: udev's rules, mdadm, LVM. */
const CLAIM_DEADLINE_MS = 5000;

/** What is asked of a driver about one export of one volume. */
export interface ExportRequest<Location> {
  readonly location: Location;
  /** The ref in the driver's own form: what a record on disk has. */
  readonly ref: string;
  /** Twelve hexadecimal digits, for the names of what is made; the same in every call about it. */
  readonly id: string;
}

/** A volume that was exported and attached to be opened. */
export interface ExportedVolume extends OpenedVolume {
  readonly volume: NativeVolume;
  readonly attachment: Attachment;
  /** The device's path, where this open claimed it for all readers of this process. */
  readonly claimed?: string | undefined;
}

/** Devices that this process has claimed to read them: it may open them once more to read. */
const claims = new Set<string>();

/**
 * The base of drivers whose volumes are exported over iSCSI and attached to this host:
 *
 *     openVolume:  createExport ─► initializeConnection ─► attach ─► open the device
 *     closeVolume: flush ─► close ─► detach ─► terminateConnection ─► removeExport
 *
 * A driver does its backend's part; the rest is done here: every step is recorded on disk before it is
 * made, a step that fails has those before it undone, and what a killed process leaves is undone by
 * `blockhaul cleanup`, which calls `terminateConnection` and `removeExport` with the same request.
 */
export abstract class ExportDriver<Location = unknown>
  implements VolumeDriver<Location, ExportedVolume>
{
  abstract readonly name: string;
  abstract readonly schemes: readonly string[];
  abstract readonly summary: string;
  abstract readonly refForms: readonly string[];
  abstract readonly supports: DriverSupport;

  abstract parseRef(ref: string): Location;
  /** Without secrets: it goes into records. */
  abstract formatRef(location: Location): string;
  status?(): Promise<DriverStatus> | DriverStatus;

  /** Makes the backend offer the volume; again, for the same request: does nothing. */
  createExport?(request: ExportRequest<Location>): Promise<void>;
  /** Lets this host in, and says how the export is reached. */
  abstract initializeConnection(request: ExportRequest<Location>): Promise<IscsiConnection>;
  /** Shuts this host out; fine where it was never let in. */
  terminateConnection?(request: ExportRequest<Location>): Promise<void>;
  /** Takes the export away; fine where it is not there, or only half. */
  removeExport?(request: ExportRequest<Location>): Promise<void>;

  /**
   * Whether an open with these options makes the volume, and knows of every byte that it reads as
   * zero. Called before the export; a driver that creates volumes does it here.
   */
  protected prepareVolume?(location: Location, create: CreateOptions | undefined): Promise<boolean>;

  openVolume(location: Location, options: DriverOpenOptions): Promise<ExportedVolume> {
    const { mode, create, signal } = options;
    return withHostLock(async () => {
      const isNew = (await this.prepareVolume?.(location, create)) ?? false;
      const attachment = await openAttachment(this.formatRef(location));
      return undoing(attachment, async () => {
        const { path } = await this.attach(location, { attachment, signal });
        const claimed = await claimDevice(path, mode, isNew);
        return { ...openedDevice(claimed.volume, path), ...claimed, attachment };
      });
    }, signal);
  }

  async closeVolume(opened: ExportedVolume): Promise<void> {
    try {
      await closeAttached(opened);
    } finally {
      if (opened.claimed !== undefined) claims.delete(opened.claimed);
    }
  }

  async attach(location: Location, { attachment, signal }: AttachOptions): Promise<AttachedDevice> {
    const { id, ref } = attachment;
    const request = { location, ref, id };
    const data = { driver: this.name, ref, id };
    if (this.removeExport !== undefined) await attachment.record(exportStep, data);
    await this.createExport?.(request);
    if (this.terminateConnection !== undefined) await attachment.record(connectionStep, data);
    const connection = await this.initializeConnection(request);
    return attachIscsi(connection, attachment, signal);
  }
}

/**
 * Opens a device that is ours alone; what others do to it in its first moments is waited for. A migration that has
 * claimed its source opens it again to read it: there the claim is that of the first open.
 */
async function claimDevice(
  path: string,
  mode: "read" | "write",
  isZero: boolean,
): Promise<Pick<ExportedVolume, "volume" | "claimed">> {
  const options = { path, mode, kind: "block", ...(isZero ? { provenZero: true } : {}) } as const;
  if (mode === "read" && claims.has(path)) return { volume: await native().openPosix(options) };
  const volume = await waitFor(
    async () => {
      try {
        return await native().openPosix({ ...options, exclusive: true });
      } catch (error) {
        if (!(error instanceof BlockhaulError)) throw error;
        // A device whose first commands are being tried again cannot be opened for a moment (sd_open).
        if (error.errnoName === "ENXIO" || error.code === "ERR_IN_USE") return undefined;
        throw error;
      }
    },
    { deadlineMs: CLAIM_DEADLINE_MS },
  );
  // Only now it is worth the while to find out who has it.
  const claimed = volume ?? (await openDevice({ ...options, exclusive: true }));
  if (mode === "write") return { volume: claimed };
  claims.add(path);
  return { volume: claimed, claimed: path };
}
