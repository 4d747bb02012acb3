import type { IscsiConnection, Portal } from "../connectors/connection.js";

/** A block device of this host that is to be offered over iSCSI. */
export interface DeviceExport {
  /** Twelve hexadecimal digits: everything that is made is named after them, and nothing else is removed. */
  readonly id: string;
  /** "/dev/mapper/vg0-a" */
  readonly device: string;
  /**
   * The same text for the same bytes, however often they are exported, and of no other volume: what
   * the unit's serial number and WWID are made of.
   */
  readonly identity: string;
  /** Where the target listens: an address of this host. */
  readonly portal: Portal;
}

/**
 * Offers block devices of this host as iSCSI targets, and takes them back. Each call may be repeated
 * after one that was cut off anywhere: the first two then make what is missing, the last two remove
 * what is there, be it half made.
 */
export interface Exporter {
  readonly name: "lio" | "tgt";
  /**
   * Makes the target, which lets nobody in yet.
   *
   * @throws BlockhaulError ERR_DRIVER_UNAVAILABLE, ERR_IN_USE where the device or the portal is
   *   taken, ERR_NOT_FOUND, ERR_IO
   */
  create(wanted: DeviceExport): Promise<void>;
  /** Lets this host in, and says how it gets there and what it finds. */
  admit(wanted: DeviceExport): Promise<IscsiConnection>;
  /** Lets this host in no more, and ends its sessions where the target can. */
  dismiss(id: string): Promise<void>;
  /** Removes the target. */
  remove(id: string): Promise<void>;
}
