// LIO, the kernel's own iSCSI target, through configfs. What a directory or a link there means:
// Documentation/target in the kernel's sources.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";

import { must } from "./exec.mjs";

const root = "/sys/kernel/config/target";

/**
 * @typedef {import("./tgt.mjs").Chap} Chap
 *
 * @typedef {object} Backstore
 * @property {"fileio" | "iblock"} kind over a file, or over a block device
 * @property {string} name
 *
 * @typedef {object} LioLun
 * @property {Backstore} backstore
 * @property {number} [lun] its place in the list unless told: 0, 1, …
 *
 * @typedef {object} LioTarget
 * @property {string} iqn
 * @property {readonly string[]} [portals] "127.0.0.1:3270" unless told
 * @property {readonly LioLun[]} [luns]
 * @property {string} [initiator] the only one that may log in; everybody unless told. CHAP needs it.
 * @property {Chap} [chap]
 */

/** Everything that a scenario makes of LIO; there is only one in a kernel. */
export class Lio {
  static async start() {
    await must("modprobe", [
      "--all",
      "target_core_mod",
      "target_core_file",
      "target_core_iblock",
      "iscsi_target_mod",
    ]);
    mkdirSync(path.join(root, "iscsi"), { recursive: true });
    return new Lio();
  }

  /**
   * @param {object} options
   * @param {string} options.name
   * @param {string} options.file made anew if it is missing
   * @param {number} options.size bytes
   * @param {512 | 4096} [options.blockSize] 512 unless told
   * @param {string} [options.serial] what the device's WWID is made of
   * @returns {Backstore}
   */
  addFile({ name, file, size, blockSize = 512, serial }) {
    const control = `fd_dev_name=${file},fd_dev_size=${size}`;
    return this.#addBackstore({ kind: "fileio", name }, control, { blockSize, serial });
  }

  /**
   * @param {object} options
   * @param {string} options.name
   * @param {string} options.device
   * @param {boolean} [options.readOnly]
   * @param {string} [options.serial]
   * @returns {Backstore}
   */
  addDevice({ name, device, readOnly = false, serial }) {
    const control = `udev_path=${device},readonly=${readOnly ? 1 : 0}`;
    return this.#addBackstore({ kind: "iblock", name }, control, { serial });
  }

  /** @param {Backstore} backstore that no target uses any more */
  removeBackstore(backstore) {
    rmdirSync(backstoreFolder(backstore));
  }

  /** @param {LioTarget} target */
  addTarget({ iqn, portals = ["127.0.0.1:3270"], luns = [], initiator, chap }) {
    if (chap && !initiator) throw new Error("LIO keeps CHAP's secrets with an initiator");
    const group = groupFolder(iqn);
    mkdirSync(group, { recursive: true });
    for (const portal of portals) this.addPortal(iqn, portal);
    luns.forEach(({ backstore, lun }, index) => {
      this.addLun(iqn, backstore, lun ?? index);
    });
    set(group, "attrib", {
      authentication: chap ? 1 : 0,
      generate_node_acls: initiator ? 0 : 1,
      demo_mode_write_protect: 0,
    });
    if (initiator) this.#admit(iqn, initiator, chap);
    writeFileSync(path.join(group, "enable"), "1");
  }

  /**
   * @param {string} iqn
   * @param {string} portal
   */
  addPortal(iqn, portal) {
    mkdirSync(path.join(groupFolder(iqn), "np", portal));
  }

  /**
   * @param {string} iqn
   * @param {Backstore} backstore
   * @param {number} lun
   */
  addLun(iqn, backstore, lun) {
    const folder = path.join(groupFolder(iqn), "lun", `lun_${lun}`);
    mkdirSync(folder);
    symlinkSync(backstoreFolder(backstore), path.join(folder, "backstore"));
    for (const initiator of entries(path.join(groupFolder(iqn), "acls"))) {
      mapLun(iqn, initiator, lun);
    }
  }

  /**
   * @param {string} iqn
   * @param {number} lun
   */
  removeLun(iqn, lun) {
    const group = groupFolder(iqn);
    for (const initiator of entries(path.join(group, "acls"))) {
      removeLinksAndFolder(path.join(group, "acls", initiator, `lun_${lun}`));
    }
    removeLinksAndFolder(path.join(group, "lun", `lun_${lun}`));
  }

  /**
   * Ends its sessions too.
   *
   * @param {string} iqn
   */
  removeTarget(iqn) {
    const group = groupFolder(iqn);
    writeFileSync(path.join(group, "enable"), "0");
    for (const name of entries(path.join(group, "lun"))) {
      this.removeLun(iqn, Number(name.slice("lun_".length)));
    }
    for (const kind of ["acls", "np"]) {
      for (const name of entries(path.join(group, kind))) rmdirSync(path.join(group, kind, name));
    }
    rmdirSync(group);
    rmdirSync(path.dirname(group));
  }

  /** Removes all targets and backstores. */
  stop() {
    for (const iqn of lioTargets()) this.removeTarget(iqn);
    const adapters = entries(path.join(root, "core")).filter((name) => name !== "alua"); // the kernel's
    for (const adapter of adapters) {
      const folder = path.join(root, "core", adapter);
      for (const name of entries(folder)) rmdirSync(path.join(folder, name));
      rmdirSync(folder);
    }
  }

  /**
   * @param {Backstore} backstore
   * @param {string} control
   * @param {{ blockSize?: number, serial?: string | undefined }} options
   */
  #addBackstore(backstore, control, { blockSize, serial }) {
    const folder = backstoreFolder(backstore);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "control"), control);
    writeFileSync(path.join(folder, "enable"), "1");
    if (blockSize !== undefined) set(folder, "attrib", { block_size: blockSize });
    if (serial !== undefined) set(folder, "wwn", { vpd_unit_serial: serial });
    return backstore;
  }

  /**
   * @param {string} iqn
   * @param {string} initiator
   * @param {Chap | undefined} chap
   */
  #admit(iqn, initiator, chap) {
    const folder = path.join(groupFolder(iqn), "acls", initiator);
    mkdirSync(folder);
    for (const name of entries(path.join(groupFolder(iqn), "lun"))) {
      mapLun(iqn, initiator, Number(name.slice("lun_".length)));
    }
    if (!chap) return;
    const { user, password, mutualUser, mutualPassword } = chap;
    set(folder, "auth", {
      userid: user,
      password,
      ...(mutualUser !== undefined && { userid_mutual: mutualUser }),
      ...(mutualPassword !== undefined && { password_mutual: mutualPassword }),
    });
  }
}

/** @returns {string[]} the IQNs of all targets */
export function lioTargets() {
  return entries(path.join(root, "iscsi")).filter((name) => /^(iqn|eui|naa)\./.test(name));
}

/** @param {Backstore} backstore */
function backstoreFolder({ kind, name }) {
  return path.join(root, "core", `${kind}_0`, name);
}

/** @param {string} iqn */
function groupFolder(iqn) {
  return path.join(root, "iscsi", iqn, "tpgt_1");
}

/**
 * An initiator with an entry of its own sees only what is mapped for it.
 *
 * @param {string} iqn
 * @param {string} initiator
 * @param {number} lun
 */
function mapLun(iqn, initiator, lun) {
  const group = groupFolder(iqn);
  const folder = path.join(group, "acls", initiator, `lun_${lun}`);
  mkdirSync(folder);
  symlinkSync(path.join(group, "lun", `lun_${lun}`), path.join(folder, "lun"));
}

/**
 * @param {string} folder
 * @param {string} group of settings
 * @param {Readonly<Record<string, string | number>>} settings
 */
function set(folder, group, settings) {
  for (const [name, value] of Object.entries(settings)) {
    writeFileSync(path.join(folder, group, name), String(value));
  }
}

/**
 * @param {string} folder which may be missing
 * @returns {string[]} the names of the folders in it
 */
function entries(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** @param {string} folder */
function removeLinksAndFolder(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) unlinkSync(path.join(folder, entry.name));
  }
  rmdirSync(folder);
}
