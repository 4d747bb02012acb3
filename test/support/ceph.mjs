// A throw-away Ceph cluster on loopback: one monitor, one manager, some OSDs, cephx on, pool "rbd". Ports are
// free ones, everything stands in one folder, so any number of clusters may run at once.
//
//   node test/support/ceph.mjs up DIR [OSDS] [bluestore|memstore]     prints what to put into the environment
//   node test/support/ceph.mjs down DIR                               ends it and removes DIR

import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const execute = promisify(execFile);

const daemonsReadyWithinMs = 240_000;
const pollMs = 150;

/**
 * @typedef {object} CephOptions
 * @property {string} dir missing, empty, or an earlier cluster's, which is ended
 * @property {number} [osds] 1 unless told
 * @property {"bluestore" | "memstore"} [store] bluestore unless told; memstore shows the client's own cost better
 * @property {boolean} [detached] the cluster outlives this process; else it ends with it, however it ends
 * @property {Readonly<Record<string, string>>} [settings] more lines for ceph.conf's [global]
 *
 * @typedef {object} CephCluster
 * @property {string} conf path of its ceph.conf, which names the administrator's keyring too
 * @property {string} dir
 * @property {() => number[]} daemons the process ids of those that run
 * @property {() => Promise<void>} stop ends the daemons and removes the folder
 */

/**
 * @param {CephOptions} options
 * @returns {Promise<CephCluster>} once every OSD is up and every placement group is active and clean
 */
export async function startCeph({
  dir,
  osds = 1,
  store = "bluestore",
  detached = false,
  settings = {},
}) {
  const folder = path.resolve(dir);
  await stopCeph(folder);
  mkdirSync(folder, { recursive: true });
  try {
    const cluster = new Cluster(folder, detached);
    await cluster.start(osds, store, settings);
    return {
      conf: cluster.conf,
      dir: folder,
      daemons: () => readDaemons(folder),
      stop: () => stopCeph(folder),
    };
  } catch (error) {
    const logs = existsSync(folder) ? lastLines(folder) : "";
    await stopCeph(folder);
    throw new Error(
      `Ceph did not start: ${error instanceof Error ? error.message : error}\n${logs}`,
    );
  }
}

/**
 * Ends the daemons of the cluster in `dir`, if any, at once: nothing of it is kept. Removes the folder, which
 * may be missing or empty, but not another's.
 *
 * @param {string} dir
 */
export async function stopCeph(dir) {
  const folder = path.resolve(dir);
  if (!existsSync(folder)) return;
  if (readdirSync(folder).length > 0 && !existsSync(path.join(folder, "ceph.conf"))) {
    throw new Error(`${folder} holds something else than a throw-away Ceph: not touched`);
  }
  const pids = readDaemons(folder);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  const deadline = Date.now() + 10_000;
  while (readDaemons(folder).length > 0 && Date.now() < deadline) await sleep(20);
  rmSync(folder, { recursive: true, force: true });
}

/**
 * @param {string} folder
 * @returns {number[]} the process ids of daemons that were started for this folder and still run
 */
function readDaemons(folder) {
  const run = path.join(folder, "run");
  if (!existsSync(run)) return [];
  return readdirSync(run)
    .filter((name) => name.endsWith(".pid"))
    .map((name) => Number(readFileSync(path.join(run, name), "utf8")))
    .filter((pid) => commandLine(pid).includes(path.join(folder, "ceph.conf")));
}

/**
 * @param {number} pid
 * @returns {string[]} empty once the process has ended; its number may have gone to another by then
 */
function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

class Cluster {
  /**
   * @param {string} dir
   * @param {boolean} detached
   */
  constructor(dir, detached) {
    this.dir = dir;
    this.detached = detached;
    this.conf = path.join(dir, "ceph.conf");
    this.keyring = path.join(dir, "keyring");
    /** @type {string[]} daemons that ended on their own */
    this.ended = [];
  }

  /**
   * @param {number} osds
   * @param {string} store
   * @param {Readonly<Record<string, string>>} settings
   */
  async start(osds, store, settings) {
    const fsid = randomUUID();
    const [v2, v1] = await freePorts(2);
    const address = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
    writeFileSync(this.conf, configuration(this.dir, fsid, address, store, settings));
    for (const name of ["run", "mon", "mgr"]) mkdirSync(path.join(this.dir, name));

    await this.#makeKeys(osds);
    const map = path.join(this.dir, "monmap");
    await this.#tool("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", address, map]);
    await this.#tool("ceph-mon", ["--mkfs", "-i", "a", "--monmap", map, "--keyring", this.keyring]);
    this.#daemon("mon", "a");
    this.#daemon("mgr", "x");
    for (let id = 0; id < osds; id++) await this.#startOsd(id);
    await this.#ceph(["osd", "pool", "create", "rbd", "16"]);
    await this.#untilReady(osds);
    await this.#tool("rbd", ["pool", "init", "rbd"]);
  }

  /**
   * The monitor takes every key of its first keyring into its database: no key is asked for later.
   *
   * @param {number} osds
   */
  async #makeKeys(osds) {
    const all = ["mon", "allow *", "osd", "allow *", "mgr", "allow *", "mds", "allow *"];
    const osdCaps = ["mon", "allow profile osd", "osd", "allow *", "mgr", "allow profile osd"];
    await this.#makeKey("mon.", ["mon", "allow *"]);
    await this.#makeKey("client.admin", all);
    await this.#makeKey("mgr.x", ["mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"]);
    for (let id = 0; id < osds; id++) await this.#makeKey(`osd.${id}`, osdCaps);
  }

  /**
   * @param {string} entity
   * @param {readonly string[]} caps service, capability, service, …
   */
  async #makeKey(entity, caps) {
    const pairs = caps.flatMap((cap, index) => (index % 2 === 0 ? ["--cap", cap] : [cap]));
    const create = existsSync(this.keyring) ? [] : ["--create-keyring"];
    await this.#tool("ceph-authtool", [
      this.keyring,
      ...create,
      "--gen-key",
      "-n",
      entity,
      ...pairs,
    ]);
  }

  /** @param {number} id */
  async #startOsd(id) {
    const uuid = randomUUID();
    mkdirSync(path.join(this.dir, `osd${id}`));
    await Promise.all([
      this.#ceph(["osd", "new", uuid, String(id)]),
      this.#tool("ceph-osd", ["--mkfs", "-i", String(id), "--osd-uuid", uuid]),
    ]);
    this.#daemon("osd", String(id));
  }

  /** @param {number} osds */
  async #untilReady(osds) {
    const deadline = Date.now() + daemonsReadyWithinMs;
    for (;;) {
      const { osdmap, pgmap } = JSON.parse(await this.#ceph(["status", "--format", "json"]));
      const clean = (pgmap.pgs_by_state ?? []).find(
        (/** @type {{ state_name: string }} */ entry) => entry.state_name === "active+clean",
      );
      const up = osdmap.num_up_osds === osds;
      if (up && pgmap.num_pgs > 0 && clean?.count === pgmap.num_pgs) return;
      if (this.ended.length > 0) throw new Error(`${this.ended.join(", ")} ended`);
      if (Date.now() > deadline) {
        throw new Error(`not ready within ${daemonsReadyWithinMs / 1000} s`);
      }
      await sleep(pollMs);
    }
  }

  /**
   * @param {"mon" | "mgr" | "osd"} kind
   * @param {string} id
   */
  #daemon(kind, id) {
    const daemon = [`ceph-${kind}`, "-f", "-c", this.conf, "-i", id];
    // Tied to this process, the daemon is killed by the kernel when this process goes, even by SIGKILL.
    const [command = "", ...args] = this.detached
      ? daemon
      : ["setpriv", "--pdeathsig", "KILL", "--", ...daemon];
    const output = openSync(path.join(this.dir, `${kind}.${id}.out`), "a");
    const child = spawn(command, args, {
      detached: true, // its own session: Ctrl-C is for this process, which then ends the daemon
      env: cephEnvironment(),
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    child.once("error", (error) => this.ended.push(`${kind}.${id}: ${error.message}`));
    child.once("exit", () => this.ended.push(`${kind}.${id}`));
    child.unref();
    if (child.pid) writeFileSync(path.join(this.dir, "run", `${kind}.${id}.pid`), `${child.pid}\n`);
  }

  /** @param {readonly string[]} args */
  #ceph(args) {
    return this.#tool("ceph", ["--connect-timeout", "30", ...args]);
  }

  /**
   * @param {string} command
   * @param {readonly string[]} args
   */
  async #tool(command, args) {
    // monmaptool and ceph-authtool work on files alone.
    const conf = command === "monmaptool" || command === "ceph-authtool" ? [] : ["-c", this.conf];
    const options = { env: cephEnvironment(), timeout: daemonsReadyWithinMs };
    const { stdout } = await execute(command, [...conf, ...args], options);
    return stdout;
  }
}

/** This process's environment without what would send the tools to another cluster. */
function cephEnvironment() {
  const { CEPH_ARGS, CEPH_CONF, CEPH_KEYRING, ...rest } = process.env;
  return rest;
}

/**
 * @param {string} dir
 * @param {string} fsid
 * @param {string} address the monitor's
 * @param {string} store
 * @param {Readonly<Record<string, string>>} settings
 */
function configuration(dir, fsid, address, store, settings) {
  const lines = {
    fsid,
    "mon host": address,
    "public addr": "127.0.0.1",
    "cluster addr": "127.0.0.1",
    "run dir": `${dir}/run`,
    "log file": `${dir}/$name.log`,
    "admin socket": `${dir}/run/$name.$pid.asok`,
    keyring: `${dir}/keyring`,
    "mon data": `${dir}/mon`,
    "mgr data": `${dir}/mgr`,
    "osd data": `${dir}/osd$id`,
    "auth cluster required": "cephx",
    "auth service required": "cephx",
    "auth client required": "cephx",
    "auth allow insecure global id reclaim": "false",
    // One copy of everything, on however many OSDs.
    "osd pool default size": "1",
    "osd pool default min size": "1",
    "osd pool default pg autoscale mode": "off",
    "osd pool default pg num": "8",
    "osd crush chooseleaf type": "0",
    "mon allow pool size one": "true",
    "mon allow pool delete": "true",
    "mon warn on pool no redundancy": "false",
    "mon max pg per osd": "1000",
    // A disk that others have filled is no reason for the monitor to stop.
    "mon data avail warn": "1",
    "mon data avail crit": "0",
    // A map's change is waited for a second by default, and a start makes a dozen.
    "paxos propose interval": "0.05",
    "osd objectstore": store,
    "osd memory target": "1073741824",
    "bluestore block size": "34359738368", // sparse
    "bluestore fsck on mount": "false",
    "memstore device bytes": "8589934592",
    ...settings,
  };
  const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}\n`);
  return `[global]\n${text.join("")}`;
}

/**
 * @param {number} count
 * @returns {Promise<number[]>} ports that nothing listens on, all of them different
 */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        /** @type {Promise<number>} */ (
          new Promise((resolve, reject) => {
            server.once("error", reject);
            server.listen(0, "127.0.0.1", () => {
              const address = server.address();
              resolve(typeof address === "object" && address ? address.port : 0);
            });
          })
        ),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** @param {string} folder */
function lastLines(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".out") || name.endsWith(".log"))
    .map((name) => {
      const lines = readFileSync(path.join(folder, name), "utf8").trimEnd().split("\n");
      return `${name}:\n  ${lines.slice(-8).join("\n  ")}\n`;
    })
    .join("");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [verb, dir, osds, store] = process.argv.slice(2);
  if (verb === "up" && dir) {
    const { conf } = await startCeph({
      dir,
      osds: osds ? Number(osds) : 1,
      store: store === "memstore" ? "memstore" : "bluestore",
      detached: true,
    });
    process.stdout.write(`export CEPH_CONF=${conf}\n`);
  } else if (verb === "down" && dir) {
    await stopCeph(dir);
  } else {
    process.stderr.write("usage: ceph.mjs up DIR [OSDS] [bluestore|memstore] | down DIR\n");
    process.exitCode = 2;
  }
}
