// One migration that is killed at one of its moments, and then resumed, or aborted, by a new process.

import { spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { listJobs, listMigrations } from "blockhaul";
import { digestOf } from "../../support/file-digest.mjs";
import { SIZE, writeSparse } from "./sparse.mjs";

/**
 * @typedef {import("./variants.mjs").Variant} Variant
 *
 * @typedef {object} Task what a process is to do
 * @property {"migrate" | "resume" | "abort"} action
 * @property {Variant} variant
 * @property {string} folder
 * @property {import("blockhaul").MigrateOptions} [options]
 * @property {string} [id]
 * @property {number} [killAt] the moment
 * @property {number} [killAtProgress] the event of progress
 * @property {string} [log] where the moments go
 *
 * @typedef {{ killed: boolean, state?: string, sourceIs?: string, code?: string, message?: string }} Ended
 */

const program = fileURLToPath(new URL("process.mjs", import.meta.url));
/** A process that takes longer hangs, in milliseconds. */
const DEADLINE = 60_000;

/** What is on disk for one case: the source's folder, the target's, and the records. */
export class Scene {
  /** @type {string[]} */
  faults = [];

  /**
   * @param {string} folder
   * @param {Variant} variant
   */
  constructor(folder, variant) {
    this.folder = folder;
    this.variant = variant;
    this.source = path.join(folder, "from/disk");
    this.state = path.join(folder, "state");
    for (const name of ["from", "to", "hidden"]) {
      mkdirSync(path.join(folder, name), { recursive: true });
    }
    writeSparse(this.source, 0);
    writeSparse(path.join(folder, "from/neighbour"), 1);
    writeSparse(path.join(folder, "to/stranger"), 1);
    const inode = statSync(this.source).ino;
    variant.snapshots?.forEach((name, index) => {
      const snapshots = path.join(folder, `hidden/${inode}`);
      mkdirSync(snapshots, { recursive: true });
      spawnSync("cp", [
        "--sparse=always",
        this.source,
        path.join(snapshots, `${100 + index} ${name}`),
      ]);
      writeSparse(this.source, 2 + index);
    });
    if (variant.isThere) {
      const file = openSync(path.join(folder, "to/disk"), "w");
      ftruncateSync(file, SIZE);
      closeSync(file);
    }
    this.inode = inode;
    this.before = this.listing();
    // Its bytes, for when it is gone.
    spawnSync("cp", ["--sparse=always", this.source, path.join(folder, "bytes")]);
    if (variant.snapshots) {
      spawnSync("cp", ["-r", path.join(folder, `hidden/${inode}`), path.join(folder, "states")]);
    }
  }

  /** @returns {import("blockhaul").MigrateOptions} */
  get options() {
    if (!this.variant.hooks) return {};
    const hook = (/** @type {string} */ name) => [
      "/bin/sh",
      "-c",
      `cat > ${this.folder}/facts-${name}; echo ${name} >> ${this.folder}/hooks`,
    ];
    return {
      hooks: {
        beforeCopy: hook("beforeCopy"),
        beforeHandover: hook("beforeHandover"),
        afterHandover: hook("afterHandover"),
      },
    };
  }

  /**
   * @param {Omit<Task, "variant" | "folder">} task
   * @returns {Promise<Ended>}
   */
  run(task) {
    const { variant, folder } = this;
    return runProcess({ variant, folder, ...task, options: { ...this.options, ...task.options } });
  }

  async migration() {
    return (await listMigrations({ stateDirectory: this.state }))[0];
  }

  /** Every volume and snapshot, with whose inode it is: the source's own, or another. */
  listing() {
    const places = ["from", "to"].flatMap((place) =>
      readdirSync(path.join(this.folder, place)).map((name) => `${place}/${name}`),
    );
    return places
      .sort()
      .flatMap((name) => {
        const { ino } = statSync(path.join(this.folder, name));
        const snapshots = path.join(this.folder, "hidden", String(ino));
        const names = existsSync(snapshots) ? readdirSync(snapshots).sort() : [];
        const isSource = ino === this.inode ? " (the source)" : "";
        return [`${name}${isSource}`, ...names.map((one) => `${name}@${one.replace(/^\d+ /, "")}`)];
      })
      .join("\n");
  }

  /**
   * @param {string} what
   * @param {unknown} found
   * @param {unknown} expected
   */
  expect(what, found, expected) {
    if (found === expected) return;
    this.faults.push(`${what}: ${JSON.stringify(found)} in place of ${JSON.stringify(expected)}`);
  }

  /**
   * As an undisturbed run leaves it.
   *
   * @param {string} expected its listing
   */
  async checkDone(expected) {
    const migration = await this.migration();
    this.expect("state", migration?.state, "done");
    const id = migration?.id ?? "";
    this.expect("volumes", this.listing().replaceAll(id, "ID"), expected);
    this.checkBytes(path.join(this.folder, "to/disk"), path.join(this.folder, "bytes"));
    this.checkSnapshots();
    if (this.listing().includes("(the source)")) await this.checkSourceBytes(id);
    this.checkHidden();
    await this.checkRecords("done");
    this.checkHooks();
  }

  /** As if nothing had been done. */
  async checkUndone() {
    const migration = await this.migration();
    this.expect("state", migration?.state, "aborted");
    this.expect("volumes", this.listing(), this.before);
    await this.checkSourceBytes("");
    this.checkHidden();
    await this.checkRecords("aborted");
  }

  /** @param {string} id */
  async checkSourceBytes(id) {
    const aside = `${this.source}.moved-${id}`;
    const file = existsSync(aside) ? aside : this.source;
    if (!existsSync(file)) return this.expect("source", "gone", "there");
    const bytes = await digestOf(path.join(this.folder, "bytes"));
    this.expect("source's digest", await digestOf(file), bytes);
  }

  checkSnapshots() {
    if (this.variant.snapshots === undefined) return;
    const { ino } = statSync(path.join(this.folder, "to/disk"));
    const states = path.join(this.folder, "states");
    for (const name of readdirSync(states)) {
      this.checkBytes(path.join(this.folder, "hidden", String(ino), name), path.join(states, name));
    }
  }

  /**
   * @param {string} file
   * @param {string} expected
   */
  checkBytes(file, expected) {
    const { stdout, stderr } = spawnSync("cmp", [file, expected], { encoding: "utf8" });
    this.expect("cmp", `${stdout}${stderr}`, "");
  }

  /** No snapshots of volumes that are gone. */
  checkHidden() {
    const inodes = ["from", "to"].flatMap((place) =>
      readdirSync(path.join(this.folder, place)).map((name) =>
        String(statSync(path.join(this.folder, place, name)).ino),
      ),
    );
    const stale = readdirSync(path.join(this.folder, "hidden"))
      .filter((name) => !name.startsWith("draft-") && !inodes.includes(name))
      .filter((name) => readdirSync(path.join(this.folder, "hidden", name)).length > 0);
    this.expect("snapshots of nothing", stale.join(), "");
  }

  /** @param {"done" | "aborted"} state */
  async checkRecords(state) {
    const jobs = await listJobs({ stateDirectory: this.state });
    const unended = jobs.filter((job) => job.state !== "done").map((job) => job.state);
    this.expect("jobs that have not ended", unended.join(), "");
    if (state === "aborted") this.expect("jobs", jobs.length, 0);
    const files = readdirSync(path.join(this.state, "jobs"), { recursive: true }).map(String);
    this.expect("drafts", files.filter((name) => /\.migration\.new$/.test(name)).join(), "");
  }

  checkHooks() {
    if (!this.variant.hooks) return;
    const ran = readFileSync(path.join(this.folder, "hooks"), "utf8").trim().split("\n");
    const order = ["beforeCopy", "beforeHandover", "afterHandover"];
    this.expect("hooks", [...new Set(ran)].join(), order.join());
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * @param {Task} task
 * @returns {Promise<Ended>}
 */
function runProcess(task) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, JSON.stringify(task)], {
      env: { ...process.env, BLOCKHAUL_STATE_DIR: path.join(task.folder, "state") },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", (data) => {
      errors += data;
    });
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      child.kill("SIGKILL");
    }, DEADLINE);
    child.once("close", (_code, signal) => {
      clearTimeout(timer);
      if (hangs) return resolve({ killed: false, code: "none", message: `it hangs: ${errors}` });
      if (signal === "SIGKILL") return resolve({ killed: true });
      const last = output.trim().split("\n").at(-1) ?? "";
      try {
        resolve({ killed: false, ...JSON.parse(last) });
      } catch {
        resolve({ killed: false, code: "none", message: `${output}${errors}` });
      }
    });
  });
}
