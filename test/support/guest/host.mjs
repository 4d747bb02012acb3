// The guest as a host of volumes: its daemons, modules and devices.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { Daemon, exec, must, until } from "./exec.mjs";

/** Who the guest is to iSCSI targets. */
export const initiatorName = "iqn.2024-01.org.blockhaul.test:guest";

/** @param {...string} names */
export async function loadModules(...names) {
  await must("modprobe", ["--all", ...names]);
}

/** Waits until udev has made all names and links of the devices that came and went. */
export async function udevSettle() {
  await must("udevadm", ["settle", "--timeout=30"]);
}

/** @returns {Promise<Daemon>} once iscsiadm can reach it */
export async function startIscsid() {
  await loadModules("iscsi_tcp", "sd_mod");
  writeFileSync("/etc/iscsi/initiatorname.iscsi", `InitiatorName=${initiatorName}\n`);
  const daemon = new Daemon("iscsid", ["--foreground"]);
  return daemon.ready(() => hasAbstractSocket("ISCSIADM_ABSTRACT_NAMESPACE"));
}

/**
 * @param {object} [options]
 * @param {boolean} [options.userFriendlyNames] /dev/mapper/mpatha instead of the WWID
 * @param {number | "queue" | "fail"} [options.noPathRetry] checks (one a second) for which I/O waits when no path is left
 * @param {string} [options.more] lines for the end of multipath.conf
 * @returns {Promise<Daemon>} once it answers
 */
export async function startMultipathd({
  userFriendlyNames = false,
  noPathRetry = 5,
  more = "",
} = {}) {
  await loadModules("dm-multipath", "dm-service-time", "dm-round-robin");
  const configuration = `
defaults {
  user_friendly_names ${userFriendlyNames ? "yes" : "no"}
  find_multipaths no
  polling_interval 1
  max_polling_interval 1
  no_path_retry ${noPathRetry}
}
blacklist {
  devnode "^(ubd|loop|ram|nbd|zram)"
}
${more}`;
  mkdirSync("/etc/multipath", { recursive: true });
  writeFileSync("/etc/multipath.conf", configuration);
  const daemon = new Daemon("multipathd", ["-d"]);
  return daemon.ready(async () => (await exec("multipathd", ["show", "daemon"])).status === 0);
}

/**
 * Ends multipathd and then its maps: while it runs, an event of a path that is still under way may bring one back.
 *
 * @param {Daemon} daemon
 * @throws where somebody has a map open
 */
export async function stopMultipathd(daemon) {
  await daemon.stop();
  await until("multipath's maps are gone", async () => {
    await exec("multipath", ["-F"]);
    return !readdirSync("/sys/block").some(isMultipath);
  });
}

/** @param {string} name of a block device */
function isMultipath(name) {
  const uuid = `/sys/block/${name}/dm/uuid`;
  return existsSync(uuid) && readFileSync(uuid, "utf8").startsWith("mpath-");
}

/** @param {string} name */
function hasAbstractSocket(name) {
  return readFileSync("/proc/net/unix", "utf8").includes(`@${name}`);
}

/**
 * @param {string} file
 * @param {{ sectorSize?: 512 | 4096, readOnly?: boolean }} [options]
 * @returns {Promise<string>} "/dev/loop0"
 */
export async function attachLoop(file, { sectorSize = 512, readOnly = false } = {}) {
  await loadModules("loop");
  const flags = ["--sector-size", String(sectorSize), ...(readOnly ? ["--read-only"] : [])];
  const device = await must("losetup", ["--find", "--show", ...flags, file]);
  return device.trim();
}

/** @param {string} device */
export async function detachLoop(device) {
  await must("losetup", ["--detach", device]);
  await until(`${device} is free`, () => !existsSync(`/sys/block/${path.basename(device)}/loop`));
}

/**
 * Formats a device with ext4 and mounts it: files there can be opened with O_DIRECT.
 *
 * @param {string} device
 * @param {string} folder made if it is missing
 */
export async function formatAndMount(device, folder) {
  await must("mkfs.ext4", ["-q", "-F", device]);
  mkdirSync(folder, { recursive: true });
  await must("mount", [device, folder]);
}

/** @param {string} folder */
export async function unmount(folder) {
  await must("umount", [folder]);
}
