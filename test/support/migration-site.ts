/** Backends of one test file, and the command that migrates between them as a user types it. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";

import { blockhaul, type Ended, RunningCommand } from "./command.js";
import { digestOf } from "./file-digest.mjs";
import type { RbdPool } from "./rbd-pool.js";
import { Workspace } from "./workspace.js";

const execute = promisify(execFile);

/** A line of --json. What else it holds depends on its type. */
export interface Event {
  readonly type: string;
  readonly id?: string;
  readonly name?: string;
  readonly state?: string;
  readonly [field: string]: unknown;
}

export type ToldEnd = Ended & { readonly events: readonly Event[] };

/** A folder with a `blockhaul.yaml`: backends "images" and "store" of files, and pools. */
export class MigrationSite implements Disposable {
  readonly #workspace = new Workspace();
  readonly folder = this.#workspace.folder;
  readonly images = this.#workspace.path("images");
  readonly store = this.#workspace.path("store");
  readonly state = this.#workspace.path("state");

  /** @param pools backends of pools, by their names */
  constructor(pools: Readonly<Record<string, RbdPool>> = {}) {
    const folders = ["images", "store"].map((name) => {
      mkdirSync(this.path(name));
      return `  ${name}: {driver: file, directory: ${this.path(name)}}`;
    });
    const ofPools = Object.entries(pools).map(
      ([name, { name: pool, conf }]) => `  ${name}: {driver: rbd, pool: ${pool}, conf: ${conf}}`,
    );
    this.write("blockhaul.yaml", ["backends:", ...folders, ...ofPools, ""].join("\n"));
  }

  path(name: string): string {
    return this.#workspace.path(name);
  }

  image(name: string): string {
    return `${this.images}/${name}`;
  }

  /** Names in the folder of the backend "images". */
  get files(): string[] {
    return readdirSync(this.images).sort();
  }

  /** And of "store". */
  get stored(): string[] {
    return readdirSync(this.store).sort();
  }

  /** Writes a file of the site's; returns its name there. */
  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return name;
  }

  /** `blockhaul migrate`, for people. */
  migrate(...args: readonly string[]): Promise<Ended> {
    return this.blockhaul("migrate", ...args);
  }

  /** `blockhaul migrate --json`. */
  async told(...args: readonly string[]): Promise<ToldEnd> {
    const ended = await this.migrate(...args, "--json");
    return { ...ended, events: eventsOf(ended.stdout) };
  }

  blockhaul(...args: readonly string[]): Promise<Ended> {
    return blockhaul(args, this.#options);
  }

  start(...args: readonly string[]): RunningCommand {
    return new RunningCommand(args, this.#options);
  }

  get #options() {
    return {
      cwd: this.folder,
      env: { BLOCKHAUL_STATE_DIR: this.state, BLOCKHAUL_CONFIG: undefined },
    };
  }

  /** What migrations that have ended may not leave: journals of their copies, and attachments. */
  get leftovers(): string[] {
    const jobs = namesIn(`${this.state}/jobs`).filter((name) => /\.(journal|control)$/.test(name));
    const attachments = namesIn(`${this.state}/attachments`).filter((name) => /json$/.test(name));
    return [...jobs, ...attachments];
  }

  /** SHA-256 of what `rbd export` gives of an image or a snapshot. */
  async exported({ conf, name }: RbdPool, spec: string): Promise<string> {
    const file = this.path("exported");
    rmSync(file, { force: true });
    await execute("rbd", ["-c", conf, "-p", name, "export", "--no-progress", spec, file]);
    return digestOf(file);
  }

  [Symbol.dispose](): void {
    this.#workspace[Symbol.dispose]();
  }
}

export function eventsOf(stdout: string): Event[] {
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line));
}

/** All that a pool holds: images, their snapshots of whatever kind, who watches them, and the trash. */
export async function listingOf(pool: RbdPool): Promise<string[]> {
  const images: string[] = JSON.parse(await pool.rbd("ls", "--format", "json"));
  const found = images.sort().map(async (image) => {
    const snapshots = JSON.parse(
      await pool.rbd("snap", "ls", "--all", image, "--format", "json"),
    ) as { name: string }[];
    const watchers = await watchersOf(pool, image);
    return [
      image,
      ...snapshots.map(({ name }) => `${image}@${name}`),
      ...watchers.map(({ address }) => `${image} used by ${address}`),
    ];
  });
  const trash = JSON.parse(await pool.rbd("trash", "ls", "--format", "json")) as { name: string }[];
  return [...(await Promise.all(found)).flat(), ...trash.map(({ name }) => `trash ${name}`)];
}

/** A client that has an image open, as Ceph tells it. */
export interface Watcher {
  readonly address: string;
  readonly client: number;
}

export async function watchersOf(pool: RbdPool, image: string): Promise<Watcher[]> {
  return JSON.parse(await pool.rbd("status", image, "--format", "json")).watchers ?? [];
}

/** What dead clients have of a pool's images goes at once, as an operator can have it, and not after 30 seconds. */
export async function forgetDeadClients(pool: RbdPool): Promise<void> {
  for (const image of JSON.parse(await pool.rbd("ls", "--format", "json"))) {
    for (const { address } of await watchersOf(pool, image)) {
      await pool.ceph("osd", "blocklist", "add", address);
    }
  }
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
