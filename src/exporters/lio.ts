/**
 * LIO, the kernel's own iSCSI target, through configfs alone. What a folder or a link there means:
 * Documentation/target/ in the kernel's sources.
 */
import { existsSync } from "node:fs";
import { chmod, readdir } from "node:fs/promises";
import path from "node:path";

import type { IscsiConnection } from "../connectors/connection.js";
import { BlockhaulError } from "../errors.js";
import { blockDeviceAt } from "../system/block-device.js";
import { type Program, runProgram } from "../system/program.js";
import { Secret } from "../system/secret.js";
import { listFolder, readAttribute } from "../system/sysfs.js";
import {
  makeFolder,
  makeLink,
  removeEmptyFolder,
  removeFolder,
  removeLink,
  setValue,
} from "./configfs.js";
import type { DeviceExport, Exporter } from "./exporter.js";
import { readInitiatorName } from "./initiator-name.js";
import {
  chapUser,
  checkDevicePath,
  exportPortal,
  lioBackstore,
  lioHba,
  targetName,
  unitSerial,
} from "./names.js";

const CONFIGFS = "/sys/kernel/config";
const ROOT = `${CONFIGFS}/target`;
const MODULES = ["target_core_mod", "target_core_iblock", "iscsi_target_mod"] as const;
const MODPROBE: Program = { name: "modprobe", package: "kmod" };
const MODPROBE_DEADLINE_MS = 30_000;

const LUN = 0;

/** Everything of one export. */
function foldersOf(id: string) {
  const hba = `${ROOT}/core/${lioHba(id)}`;
  const target = `${ROOT}/iscsi/${targetName(id)}`;
  const group = `${target}/tpgt_1`;
  return {
    hba,
    backstore: `${hba}/${lioBackstore(id)}`,
    target,
    group,
    lun: `${group}/lun/lun_${LUN}`,
    acls: `${group}/acls`,
    portals: `${group}/np`,
  };
}

export const lioExporter: Exporter = {
  name: "lio",

  async create(wanted) {
    const { id, portal } = wanted;
    const at = exportPortal(portal);
    await makeReady();
    const { target, group, lun, backstore, portals } = foldersOf(id);
    await makeBackstore(wanted);
    await makeFolder(target);
    await makeFolder(group);
    await setValue(`${group}/attrib/authentication`, 1);
    await setValue(`${group}/attrib/generate_node_acls`, 0);
    await makeFolder(lun);
    await makeLink(backstore, `${lun}/backstore`);
    await listen(`${portals}/${at}`, at);
    await turn(group, "1");
  },

  async admit(wanted) {
    const { id } = wanted;
    const initiator = await readInitiatorName();
    const { acls, lun } = foldersOf(id);
    const acl = `${acls}/${initiator}`;
    await makeFolder(acl);
    // One-time: it is nowhere but there, in this process, and in the node record until the logout.
    const secret = Secret.ofRandomDigits(24);
    // The kernel makes both readable for everybody.
    for (const name of ["userid", "password"]) await chmod(`${acl}/auth/${name}`, 0o600);
    await setValue(`${acl}/auth/userid`, chapUser(id));
    await setValue(`${acl}/auth/password`, secret.bytes, "a CHAP secret");
    await makeFolder(`${acl}/lun_${LUN}`);
    await makeLink(lun, `${acl}/lun_${LUN}/backstore`);
    return connectionTo(wanted, { user: chapUser(id), secret });
  },

  async dismiss(id) {
    const { acls } = foldersOf(id);
    for (const initiator of await listFolder(acls)) {
      const acl = path.join(acls, initiator);
      for (const mapped of await foldersNamed("lun_", acl)) {
        for (const link of await linksIn(mapped)) await removeLink(link);
        await removeFolder(mapped);
      }
      await removeFolder(acl);
    }
  },

  async remove(id) {
    const { group, target, backstore, hba, portals } = foldersOf(id);
    if (existsSync(group)) {
      await turn(group, "0");
      await lioExporter.dismiss(id);
      for (const portal of await listFolder(portals)) await removeFolder(`${portals}/${portal}`);
      for (const lun of await foldersNamed("lun_", `${group}/lun`)) {
        for (const link of await linksIn(lun)) await removeLink(link);
        await removeFolder(lun);
      }
      await removeFolder(group);
    }
    await removeFolder(target);
    await removeFolder(backstore);
    await removeEmptyFolder(hba);
  },
};

async function connectionTo(
  { id, device, identity, portal }: DeviceExport,
  auth: { user: string; secret: Secret },
): Promise<IscsiConnection> {
  const { size } = await blockDeviceAt(device);
  return {
    portals: [portal],
    iqn: targetName(id),
    lun: LUN,
    auth,
    expected: { serial: unitSerial(identity), size },
  };
}

async function makeReady(): Promise<void> {
  if (!existsSync(CONFIGFS)) {
    throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
      message: "this kernel has no configfs, which its iSCSI target LIO is set up with",
      hint: "load it with `modprobe configfs`, or export with target=tgt",
    });
  }
  if (existsSync(`${ROOT}/iscsi`)) return;
  const ended = await runProgram(MODPROBE, ["--all", ...MODULES], {
    deadlineMs: MODPROBE_DEADLINE_MS,
  });
  // They may as well be built in.
  if (!existsSync(`${ROOT}/core`)) {
    throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
      message: `the kernel's iSCSI target LIO cannot be loaded: ${ended.stderr.trim()}`,
      hint: "install the kernel's modules, mount configfs, or export with target=tgt",
    });
  }
  await makeFolder(`${ROOT}/iscsi`);
}

async function makeBackstore({ id, device, identity }: DeviceExport): Promise<void> {
  checkDevicePath(device);
  await blockDeviceAt(device);
  const { hba, backstore } = foldersOf(id);
  await makeFolder(hba);
  await makeFolder(backstore);
  if ((await readAttribute(`${backstore}/enable`)) !== "1") {
    await setValue(`${backstore}/control`, `udev_path=${device}`);
    try {
      await setValue(`${backstore}/enable`, 1);
    } catch (cause) {
      if (!(cause instanceof BlockhaulError) || cause.code !== "ERR_IN_USE") throw cause;
      throw new BlockhaulError("ERR_IN_USE", {
        message: `the device ${device} is claimed by somebody else, so that it cannot be exported`,
        cause,
      });
    }
  }
  // Refused once a LUN shows it.
  const serial = unitSerial(identity);
  if (!(await readAttribute(`${backstore}/wwn/vpd_unit_serial`))?.endsWith(` ${serial}`)) {
    await setValue(`${backstore}/wwn/vpd_unit_serial`, serial);
  }
}

/** A group that is on already must not be turned on again, nor the other way round. */
async function turn(group: string, state: "0" | "1"): Promise<void> {
  if ((await readAttribute(`${group}/enable`)) !== state) await setValue(`${group}/enable`, state);
}

/** Several targets may share a portal; another program may not have the port. */
async function listen(folder: string, portal: string): Promise<void> {
  try {
    await makeFolder(folder);
  } catch (cause) {
    throw new BlockhaulError("ERR_IN_USE", {
      message: `LIO cannot listen on ${portal}`,
      hint: "is another program listening there (`ss -ltnp` shows it), or is it no address of this host?",
      cause,
    });
  }
}

async function foldersNamed(beginning: string, folder: string): Promise<string[]> {
  const names = await listFolder(folder);
  return names.filter((name) => name.startsWith(beginning)).map((name) => path.join(folder, name));
}

/** Whatever they are called; values and groups of the kernel's own stay. */
async function linksIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isSymbolicLink())
    .map(({ name }) => path.join(folder, name));
}
