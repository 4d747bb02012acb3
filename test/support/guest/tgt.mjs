// tgt, the iSCSI target that lives in user space: it can be killed and stopped like a target machine.

import { truncateSync, writeFileSync } from "node:fs";

import { Daemon, exec, must } from "./exec.mjs";

/**
 * @typedef {object} Chap
 * @property {string} user
 * @property {string} password
 * @property {string} [mutualUser] as whom the target proves itself to the initiator
 * @property {string} [mutualPassword]
 *
 * @typedef {object} TgtLun
 * @property {number} [lun] the next free one, from 1, unless told
 * @property {string} file the backing file or device; has to exist
 * @property {512 | 4096} [blockSize] 512 unless told
 * @property {boolean} [readOnly]
 * @property {string} [serial]
 * @property {string} [scsiId] what the device's WWID is made of
 *
 * @typedef {object} TgtTarget
 * @property {string} iqn
 * @property {readonly TgtLun[]} [luns]
 * @property {Chap} [chap]
 *
 * @typedef {{ iqn: string, tid: number, chap: Chap | undefined, luns: (TgtLun & { lun: number })[] }} KnownTarget
 */

export class Tgt {
  /** @type {Map<string, KnownTarget>} what a tgtd that is started again has to be told */
  #targets = new Map();
  #nextTid = 1;
  /** @type {Daemon | undefined} */
  #daemon;

  /**
   * @param {readonly string[]} portals
   * @param {number} controlPort
   */
  constructor(portals, controlPort) {
    this.portals = portals;
    this.controlPort = controlPort;
  }

  /**
   * @param {object} [options]
   * @param {readonly string[]} [options.portals] "127.0.0.1:3260" unless told; all of 127.0.0.0/8 is there
   * @param {number} [options.controlPort] tells several tgtd apart
   * @returns {Promise<Tgt>} once it answers; without a target
   */
  static async start({ portals = ["127.0.0.1:3260"], controlPort = 0 } = {}) {
    const tgt = new Tgt(portals, controlPort);
    await tgt.restart();
    return tgt;
  }

  get pid() {
    return this.#daemon?.pid ?? 0;
  }

  /** @param {TgtTarget} target */
  async addTarget({ iqn, luns = [], chap }) {
    const target = {
      iqn,
      tid: this.#nextTid++,
      chap,
      luns: /** @type {KnownTarget["luns"]} */ ([]),
    };
    this.#targets.set(iqn, target);
    await this.#tellTarget(target);
    for (const lun of luns) await this.addLun(iqn, lun);
    await this.#admitAll(target);
  }

  /**
   * Ends its sessions too.
   *
   * @param {string} iqn
   */
  async removeTarget(iqn) {
    const { tid } = this.#known(iqn);
    await this.#admin("target", "delete", ["--force", "--tid", String(tid)]);
    this.#targets.delete(iqn);
  }

  /**
   * @param {string} iqn
   * @param {TgtLun} lun
   * @returns {Promise<number>} its number
   */
  async addLun(iqn, lun) {
    const target = this.#known(iqn);
    const number = lun.lun ?? Math.max(0, ...target.luns.map((known) => known.lun)) + 1;
    const known = { ...lun, lun: number };
    target.luns.push(known);
    await this.#tellLun(target, known);
    return number;
  }

  /**
   * @param {string} iqn
   * @param {number} lun
   */
  async removeLun(iqn, lun) {
    const target = this.#known(iqn);
    await this.#admin("logicalunit", "delete", ["--tid", String(target.tid), "--lun", String(lun)]);
    target.luns = target.luns.filter((known) => known.lun !== lun);
  }

  /**
   * Initiators that are logged in to a target.
   *
   * @param {string} iqn
   * @returns {Promise<number>}
   */
  async sessions(iqn) {
    const { tid } = this.#known(iqn);
    const shown = await this.#admin("conn", "show", ["--tid", String(tid)]);
    return shown.match(/^Session: /gm)?.length ?? 0;
  }

  /** Its connections stay open and nothing answers on them: a target machine that hangs. */
  pause() {
    this.#daemon?.signal("SIGSTOP");
  }

  resume() {
    this.#daemon?.signal("SIGCONT");
  }

  /** Ends it at once, as a target machine that lost its power. The backing files stay. */
  async kill() {
    await this.#daemon?.stop("SIGKILL");
  }

  /** Starts it, again if need be, with all the targets that it had. */
  async restart() {
    await this.kill();
    const [first = "", ...others] = this.portals;
    const control = ["--control-port", String(this.controlPort)];
    this.#daemon = new Daemon("tgtd", ["--foreground", ...control, "--iscsi", `portal=${first}`]);
    await this.#daemon.ready(async () => (await this.#tryAdmin("system", "show")).status === 0);
    for (const portal of others)
      await this.#admin("portal", "new", ["--param", `portal=${portal}`]);
    for (const target of this.#targets.values()) {
      await this.#tellTarget(target);
      for (const lun of target.luns) await this.#tellLun(target, lun);
      // Only now: an initiator that waits for it would be told that its LUN does not exist, and fail its requests for good.
      await this.#admitAll(target);
    }
  }

  /** Ends it for good. */
  async stop() {
    await this.kill();
    this.#targets.clear();
  }

  /** @param {string} iqn */
  #known(iqn) {
    const target = this.#targets.get(iqn);
    if (!target) throw new Error(`tgt has no target ${iqn}`);
    return target;
  }

  /** @param {KnownTarget} target */
  async #tellTarget({ iqn, tid, chap }) {
    const id = ["--tid", String(tid)];
    await this.#admin("target", "new", [...id, "--targetname", iqn]);
    if (chap) {
      await this.#tellAccount(chap.user, chap.password);
      await this.#admin("account", "bind", [...id, "--user", chap.user]);
    }
    if (chap?.mutualUser && chap.mutualPassword) {
      await this.#tellAccount(chap.mutualUser, chap.mutualPassword);
      await this.#admin("account", "bind", [...id, "--user", chap.mutualUser, "--outgoing"]);
    }
  }

  /** @param {KnownTarget} target */
  async #admitAll({ tid }) {
    await this.#admin("target", "bind", ["--tid", String(tid), "--initiator-address", "ALL"]);
  }

  /**
   * Accounts belong to all targets, so an earlier one may have brought it.
   *
   * @param {string} user
   * @param {string} password
   */
  async #tellAccount(user, password) {
    const shown = await this.#admin("account", "show");
    if (shown.split("\n").some((line) => line.trim() === user)) return;
    await this.#admin("account", "new", ["--user", user, "--password", password]);
  }

  /**
   * @param {KnownTarget} target
   * @param {TgtLun & { lun: number }} lun
   */
  async #tellLun({ tid }, { lun, file, blockSize = 512, readOnly, serial, scsiId }) {
    const id = ["--tid", String(tid), "--lun", String(lun)];
    const size = ["--blocksize", String(blockSize)];
    await this.#admin("logicalunit", "new", [...id, "--backing-store", file, ...size]);
    const params = [
      ...(readOnly ? ["readonly=1"] : []),
      ...(serial === undefined ? [] : [`scsi_sn=${serial}`]),
      ...(scsiId === undefined ? [] : [`scsi_id=${scsiId}`]),
    ];
    if (params.length === 0) return;
    await this.#admin("logicalunit", "update", [...id, "--params", params.join(",")]);
  }

  /**
   * @param {string} mode
   * @param {string} op
   * @param {readonly string[]} [args]
   */
  async #admin(mode, op, args = []) {
    return must("tgtadm", [...this.#command(mode, op), ...args]);
  }

  /**
   * @param {string} mode
   * @param {string} op
   */
  #tryAdmin(mode, op) {
    return exec("tgtadm", this.#command(mode, op));
  }

  /**
   * @param {string} mode
   * @param {string} op
   */
  #command(mode, op) {
    const control = ["--control-port", String(this.controlPort)];
    return [...control, "--lld", "iscsi", "--mode", mode, "--op", op];
  }
}

/**
 * @param {string} file made anew, sparse
 * @param {number} size bytes
 * @returns {string} the file
 */
export function backingFile(file, size) {
  writeFileSync(file, "");
  truncateSync(file, size);
  return file;
}
