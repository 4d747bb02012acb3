import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { exec } from "./exec.mjs";
import { udevSettle } from "./host.mjs";
import { lioTargets } from "./lio.mjs";

/**
 * Everything of iSCSI, multipath, LVM and device-mapper that exists now. A test that begins and ends something
 * asserts that this is the same before and after.
 *
 * @typedef {object} Leftovers
 * @property {string[]} sessions iSCSI's, by target and portal
 * @property {string[]} hosts of iSCSI sessions: host0, …
 * @property {string[]} records files of iscsiadm's database: nodes, interfaces, discoveries; with its locks
 * @property {string[]} scsiDevices H:C:T:L
 * @property {string[]} dmDevices names of device-mapper's devices, of multipath and LVM too
 * @property {string[]} wwids that multipath was told of
 * @property {string[]} volumes "group/volume" of LVM, active or not
 * @property {string[]} loops "loop0 FILE"
 * @property {string[]} targets IQNs that this guest itself offers, through LIO or tgt
 * @property {string[]} attachments files in the folder that was asked for
 *
 * @param {object} [options]
 * @param {string} [options.attachments] where blockhaul records what it attached
 * @returns {Promise<Leftovers>}
 */
export async function leftovers({ attachments } = {}) {
  await udevSettle();
  return {
    sessions: namesIn("/sys/class/iscsi_session").map(describeSession).sort(),
    hosts: namesIn("/sys/class/iscsi_host"),
    records: ["/etc/iscsi", "/var/lib/iscsi", "/run/lock/iscsi"].flatMap(recordsIn),
    scsiDevices: namesIn("/sys/class/scsi_device"),
    dmDevices: namesIn("/sys/block")
      .filter((name) => name.startsWith("dm-"))
      .map((name) => read(`/sys/block/${name}/dm/name`))
      .sort(),
    wwids: read("/etc/multipath/wwids").match(/^\/.+\/$/gm) ?? [],
    volumes: await logicalVolumes(),
    loops: namesIn("/sys/block")
      .filter((name) => existsSync(`/sys/block/${name}/loop`))
      .map((name) => `${name} ${read(`/sys/block/${name}/loop/backing_file`)}`),
    targets: [...lioTargets(), ...(await tgtTargets())].sort(),
    attachments: attachments === undefined ? [] : filesIn(attachments),
  };
}

/**
 * @param {string} name
 * @returns {string} without the session's number, which is another at each login
 */
function describeSession(name) {
  const device = `/sys/class/iscsi_session/${name}/device`;
  const connection = namesIn(device).find((entry) => entry.startsWith("connection"));
  const of = `${device}/${connection}/iscsi_connection/${connection}`;
  const portal = `${read(`${of}/persistent_address`)}:${read(`${of}/persistent_port`)}`;
  return `${read(`/sys/class/iscsi_session/${name}/targetname`)} ${portal}`;
}

/**
 * @param {string} folder
 * @returns {string[]} without what belongs to the installation
 */
function recordsIn(folder) {
  const installed = ["/etc/iscsi/iscsid.conf", "/etc/iscsi/initiatorname.iscsi"];
  // iscsiadm makes the lock's own file once and leaves it; a lock that is held is "lock.write".
  return filesIn(folder).filter(
    (file) => !installed.includes(file) && file !== "/run/lock/iscsi/lock",
  );
}

/** @returns {Promise<string[]>} */
async function logicalVolumes() {
  const columns = ["--noheadings", "--separator", "/", "-o", "vg_name,lv_name"];
  const { stdout } = await exec("lvs", ["--all", ...columns]);
  return stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .sort();
}

/** @returns {Promise<string[]>} of the tgtd with the default control port, where one answers */
async function tgtTargets() {
  if (!existsSync("/run/tgtd/socket.0")) return [];
  const show = ["--lld", "iscsi", "--mode", "target", "--op", "show"];
  const { stdout } = await exec("tgtadm", show, { timeoutMs: 5000 });
  return [...stdout.matchAll(/^Target \d+: (\S+)$/gm)].map(([, iqn = ""]) => iqn);
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** @param {string} folder */
function namesIn(folder) {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/**
 * @param {string} file
 * @returns {string} empty where it is gone
 */
function read(file) {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}
