/**
 * What a driver says of an exported volume, so that a connector can attach it to this host. Nothing
 * in it was checked yet: `checkConnection()` of the connector does that before any use.
 */
import type { BlockhaulError } from "../errors.js";
import type { Secret } from "../system/secret.js";

/** Where an iSCSI target listens. */
export interface Portal {
  /** An IPv4 address, an IPv6 address without brackets, or a host name. */
  readonly host: string;
  /** TCP: 1 to 65535; 3260 is what IANA gave to iSCSI. */
  readonly port: number;
}

/**
 * Who this host says it is to the target (CHAP), and, with the last two, who the target has to prove
 * to be (mutual CHAP). The secrets are not to be put into arguments, messages, logs or records; a `Secret`
 * is wiped once it was used.
 */
export interface ChapAuth {
  readonly user: string;
  readonly secret: Secret | string;
  /** With `targetSecret` only. */
  readonly targetUser?: string | undefined;
  /** Not the same as `secret`: RFC 7143 forbids it, and open-iscsi refuses such a target. */
  readonly targetSecret?: Secret | string | undefined;
}

/** Credentials that were checked. */
export interface CheckedChapAuth extends ChapAuth {
  readonly secret: Secret;
  readonly targetSecret?: Secret | undefined;
}

/** What the device has to be; one that is something else is never opened. */
export interface ExpectedDevice {
  /** As the kernel's `device/wwid` has it: "naa.6001405…", "t10.IET     00010001". */
  readonly wwid?: string | undefined;
  /** The unit's serial number (SCSI VPD page 0x80), without the spaces around it. */
  readonly serial?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
}

/** What of a session's patience differs from the host's own settings; all in whole seconds. */
export interface SessionTimeouts {
  /**
   * How long requests wait for a lost session to come back before they fail. 0: they fail at once, as
   * multipath wants it; -1: they wait for ever.
   */
  readonly replacementSeconds?: number | undefined;
  /** How often the target is asked whether it is still there; 0: never. */
  readonly noopIntervalSeconds?: number | undefined;
  /** How long it may take to answer that. */
  readonly noopTimeoutSeconds?: number | undefined;
  /** How long one try to log in may take. */
  readonly loginSeconds?: number | undefined;
}

/** What tells one volume from another, by the device's own account. */
export interface DeviceIdentity {
  /** "naa.6001405…" or "t10.…" as the kernel forms it; absent where there is none. */
  readonly wwid?: string;
  /** Unit serial number, SCSI VPD page 0x80. */
  readonly serial?: string;
  /** Bytes. */
  readonly size: number;
}

/** An exported volume as a block device of this host. */
export interface AttachedDevice {
  /** What to open: "/dev/sda", or the map over several paths, "/dev/mapper/mpatha". */
  readonly path: string;
  readonly identity: DeviceIdentity;
  /** How many portals lead to it. */
  readonly paths: number;
  /** Why others do not. */
  readonly failures: readonly BlockhaulError[];
}

/** A LUN of an iSCSI target, and all that is needed to reach it. */
export interface IscsiConnection {
  /** At the least one; several are paths to the same LUN. */
  readonly portals: readonly Portal[];
  /** The target's name: "iqn.…", "eui.…" or "naa.…". */
  readonly iqn: string;
  /** 0 to 16383. */
  readonly lun: number;
  readonly auth?: ChapAuth | undefined;
  readonly expected?: ExpectedDevice | undefined;
  readonly timeouts?: SessionTimeouts | undefined;
}

/** One that was checked. */
export interface CheckedConnection extends IscsiConnection {
  readonly auth?: CheckedChapAuth | undefined;
}
