/** Faults of a Ceph cluster in mid-copy. It is this file's own: nobody else's copies are to meet them. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, vi } from "vitest";

import { type CephCluster, startCeph } from "../support/ceph.mjs";
import { Faults, must, type RunningCopy } from "../support/faults.js";

const faults = new Faults("ceph");
const { source, workspace } = faults;
const PATIENT = { timeout: 240_000, interval: 100 };
/** Well under what is waited for a copy to end. */
const impatient = ["--request-timeout", "2"];

let cluster: CephCluster;
let osd: Osd;

beforeAll(async () => {
  cluster = await startCeph({
    dir: workspace.path("ceph"),
    settings: {
      // What the cluster knows of how full it is, soon.
      "mgr stats period": "1",
      "osd mon report interval": "1",
      // An OSD that was stopped is not marked down: its clients wait.
      "osd heartbeat grace": "600",
      // A client that ended with a request in flight has its image open for so long.
      "osd client watch timeout": "3",
    },
  });
  osd = new Osd(cluster);
});
afterEach(() => osd.well());
afterAll(() => cluster.stop());

function ceph(...args: readonly string[]): string {
  return must("ceph", "-c", cluster.conf, "--connect-timeout", "30", ...args);
}

/** The one OSD, which is stopped, killed and started again. */
class Osd {
  readonly #conf: string;
  readonly #pidFile: string;
  #isStopped = false;
  #isDead = false;

  constructor(of: CephCluster) {
    this.#conf = of.conf;
    this.#pidFile = path.join(of.dir, "run", "osd.0.pid");
  }

  stop(): void {
    this.#signal("SIGSTOP");
    this.#isStopped = true;
  }

  goOn(): void {
    this.#signal("SIGCONT");
    this.#isStopped = false;
  }

  kill(): void {
    this.#signal("SIGKILL");
    this.#isDead = true;
  }

  start(): void {
    const daemon = ["--pdeathsig", "KILL", "--", "ceph-osd", "-f", "-c", this.#conf, "-i", "0"];
    const child = spawn("setpriv", daemon, { detached: true, stdio: "ignore" });
    child.unref();
    // By this file the cluster's end finds it.
    writeFileSync(this.#pidFile, `${child.pid}\n`);
    this.#isDead = false;
  }

  /** After a test, however that ended. */
  well(): void {
    if (this.#isStopped) this.goOn();
    if (this.#isDead) this.start();
  }

  #signal(name: NodeJS.Signals): void {
    process.kill(Number(readFileSync(this.#pidFile, "utf8")), name);
  }
}

let images = 0;

class Image {
  readonly name = `disk-${++images}`;
  readonly ref: string;

  constructor(conf = cluster.conf) {
    this.ref = `rbd:rbd/${this.name}:conf=${conf}`;
    must("rbd", "-c", cluster.conf, "create", "--size", "24M", this.name);
  }

  async begin(flags: readonly string[] = []): Promise<RunningCopy> {
    return await faults.begin(source, this.ref, { flags });
  }

  /** Until then a resume is refused: somebody else might write to it. */
  async isWatchedByNobody(): Promise<void> {
    await vi.waitFor(() => {
      const status = must("rbd", "-c", cluster.conf, "status", this.name, "--format", "json");
      expect(JSON.parse(status).watchers ?? []).toEqual([]);
    }, PATIENT);
  }

  /** By Ceph's own client. */
  same(): void {
    const line = `rbd -c "$0" export --no-progress "$1" - | cmp - "$2"`;
    const { status, stdout, stderr } = spawnSync(
      "bash",
      ["-o", "pipefail", "-c", line, cluster.conf, this.name, source],
      { encoding: "utf8" },
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
  }
}

describe("an OSD", () => {
  faults.it("is stopped for a while: the copy waits", async () => {
    const image = new Image();
    const copy = await image.begin();
    osd.stop();
    await sleep(2000);
    osd.goOn();
    await faults.end(copy);
    image.same();
  });

  faults.it("is stopped for too long: the copy ends in time, and goes on later", async () => {
    const image = new Image();
    const copy = await image.begin(impatient);
    osd.stop();
    const job = await faults.failed(copy, { code: "ERR_TIMEOUT" });
    osd.goOn();
    await image.isWatchedByNobody();
    await faults.resumes(job);
    image.same();
  });

  faults.it("is stopped under the source: the copy ends in time, and goes on later", async () => {
    const image = new Image();
    await faults.succeeds(source, image.ref);
    const target = faults.newPath();
    const copy = await faults.begin(image.ref, target, { flags: impatient });
    osd.stop();
    const job = await faults.failed(copy, { code: "ERR_TIMEOUT" });
    osd.goOn();
    await faults.resumes(job);
    faults.same(target);
  });

  faults.it("is killed and started again: the copy waits", async () => {
    const image = new Image();
    const copy = await image.begin();
    osd.kill();
    await sleep(500);
    osd.start();
    await faults.end(copy);
    image.same();
  });

  faults.it("is killed, and started when the copy has given up", async () => {
    const image = new Image();
    const copy = await image.begin(impatient);
    osd.kill();
    const job = await faults.failed(copy, { code: "ERR_TIMEOUT" });
    osd.start();
    await image.isWatchedByNobody();
    await faults.resumes(job);
    image.same();
  });
});

/** What the cluster was told, its OSD has heard by now. */
async function isKnownToOsd(): Promise<void> {
  const { epoch } = osdMap();
  await vi.waitFor(() => {
    expect(JSON.parse(ceph("tell", "osd.0", "status")).newest_map).toBeGreaterThanOrEqual(epoch);
  }, PATIENT);
}

function isMarkedFull({ flags_names }: { flags_names: string }): boolean {
  return flags_names.split(",").includes("full");
}

function osdMap() {
  return JSON.parse(ceph("osd", "dump", "-f", "json"));
}

describe("the cluster", () => {
  const RATIOS = ["nearfull", "backfillfull", "full"] as const;
  /** The OSD is "nearfull" or "backfillfull" for a moment before: it takes writes then. */
  const isFull = () => {
    const { osds, pools } = osdMap();
    return osds[0].state.includes("full") && pools.every(isMarkedFull);
  };
  const hasRoom = () => {
    const { osds, pools } = osdMap();
    return !/full/.test(osds[0].state) && !pools.some(isMarkedFull);
  };
  const setFull = () => {
    for (const ratio of RATIOS) ceph("osd", `set-${ratio}-ratio`, "0.00001");
  };
  const setRoom = () => {
    for (const ratio of [...RATIOS].reverse()) ceph("osd", `set-${ratio}-ratio`, "0.95");
  };

  faults.it("is full, and has room again", async () => {
    const image = new Image();
    const copy = await image.begin(impatient);
    expect(await faults.command(["jobs", "pause", copy.id])).toMatchObject({ status: 0 });
    // A cluster that stayed full would have whoever comes next wait for ever.
    onTestFinished(setRoom);
    setFull();
    await vi.waitFor(() => expect(isFull()).toBe(true), PATIENT);
    // The OSD takes writes until it has heard of that.
    await isKnownToOsd();
    expect(await faults.command(["jobs", "continue", copy.id])).toMatchObject({ status: 0 });
    const job = await faults.failed(copy, { code: ["ERR_NO_SPACE", "ERR_TIMEOUT"] });
    setRoom();
    await vi.waitFor(() => expect(hasRoom()).toBe(true), PATIENT);
    await faults.resumes(job);
    image.same();
  });

  faults.it("shuts the client out in mid-copy, and lets it in again", async () => {
    const image = new Image();
    const copy = await image.begin(["--request-timeout", "10"]);
    const status = must("rbd", "-c", cluster.conf, "status", image.name, "--format", "json");
    const [watcher] = JSON.parse(status).watchers;
    // Paused: else it may be done before the OSD has heard of it.
    expect(await faults.command(["jobs", "pause", copy.id])).toMatchObject({ status: 0 });
    ceph("osd", "blocklist", "add", watcher.address);
    await isKnownToOsd();
    expect(await faults.command(["jobs", "continue", copy.id])).toMatchObject({ status: 0 });
    const job = await faults.failed(copy, {
      code: ["ERR_DEVICE_GONE", "ERR_IO", "ERR_TIMEOUT", "ERR_READ_ONLY"],
    });
    ceph("osd", "blocklist", "rm", watcher.address);
    await image.isWatchedByNobody();
    await faults.resumes(job);
    image.same();
  });
});

faults.it("connections that break now and then: the copy does not notice", async () => {
  const conf = workspace.path("breaking.conf");
  const text = readFileSync(cluster.conf, "utf8");
  writeFileSync(conf, `${text}\n[client]\nms inject socket failures = 300\n`);
  const image = new Image(conf);
  await faults.succeeds(source, image.ref, { flags: ["--request-size", "64KiB", "--verify"] });
  image.same();
  const target = faults.newPath();
  await faults.succeeds(image.ref, target, { flags: ["--request-size", "64KiB"] });
  faults.same(target);
});
