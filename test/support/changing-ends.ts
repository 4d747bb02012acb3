/** Ends of copies that somebody removes, renames, replaces, resizes or writes to: files, loop devices, images, snapshots. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";

import { LoopDevices } from "./loop.js";
import { RbdPool } from "./rbd-pool.js";
import { Workspace } from "./workspace.js";

const execute = promisify(execFile);
const MiB = 1024 ** 2;
export const SIZE = 8 * MiB;

/** An end, and what happens to it. */
export interface Place {
  readonly ref: string;
  /** The image or file behind it. */
  readonly name: string;
}

export type Outcome =
  /** An end is not what was named. */
  | "ERR_VOLUME_CHANGED"
  /** The source was written to. */
  | "ERR_LIVE_SOURCE"
  /** Its storage keeps no account of writes: the report says so. */
  | "unknown"
  /** What happened touches nothing that was copied, or was refused: the target is right. */
  | "right"
  /** Either it is refused, with whatever code, or the target is right: what is held open may go on serving. */
  | "any";

export interface Change {
  readonly what: string;
  readonly make: (place: Place) => Promise<unknown>;
  readonly source: Outcome;
  /** Undefined: it cannot happen to a target. */
  readonly target?: Outcome;
}

export const workspace = new Workspace();
const loops = new LoopDevices();
/** An image file; each end begins as a copy of it. */
export const seed = workspace.path("seed");
export const content = randomBytes(SIZE);
let pool: RbdPool;
let names = 0;

/** A path that nothing has. */
export const next = () => workspace.path(`end-${++names}`);

/** Of a test file, which calls `endEnds` when it is done. */
export async function beginEnds(cephConf: string, purpose: string): Promise<RbdPool> {
  writeFileSync(seed, content);
  pool = await RbdPool.create(cephConf, purpose);
  return pool;
}

export async function endEnds(): Promise<void> {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
}

/** What has a ref's name now, read by programs that share nothing with the engine; undefined where nothing has. */
export async function bytesAt(ref: string): Promise<Buffer | undefined> {
  try {
    if (!ref.startsWith("rbd:")) return readFileSync(ref);
    const file = next();
    const image = ref.slice("rbd:".length).split(":")[0]?.split("/")[1] ?? "";
    await pool.rbd("export", "--no-progress", image, file);
    const bytes = readFileSync(file);
    rmSync(file);
    return bytes;
  } catch {
    return undefined;
  }
}

async function makeFile(): Promise<Place> {
  const name = next();
  copyFileSync(seed, name);
  return { ref: name, name };
}

async function makeLoop(): Promise<Place> {
  const { name } = await makeFile();
  const { path } = await loops.attach(name);
  return { ref: path, name };
}

async function makeImage(): Promise<Place> {
  const name = `end-${++names}`;
  await pool.rbd("import", "--no-progress", seed, name);
  return { ref: pool.ref(name), name };
}

async function makePlainImage(): Promise<Place> {
  const name = `end-${++names}`;
  const features = ["layering", "exclusive-lock"].flatMap((one) => ["--image-feature", one]);
  await pool.rbd("import", "--no-progress", ...features, seed, name);
  return { ref: pool.ref(name), name };
}

async function makeSnapshot(): Promise<Place> {
  const { name } = await makeImage();
  await pool.rbd("snap", "create", "--no-progress", `${name}@s`);
  return { ref: pool.ref(`${name}@s`), name };
}

async function writeTo(path: string): Promise<void> {
  const handle = await open(path, "r+");
  await handle.write(randomBytes(4096), 0, 4096, SIZE / 2);
  await handle.sync();
  await handle.close();
}

const benchOf = (name: string) =>
  pool.rbd("bench", "--io-type", "write", "--io-size", "4K", "--io-total", "64K", name);

export type Kind = readonly [kind: string, make: () => Promise<Place>, changes: readonly Change[]];

export const kinds: readonly Kind[] = [
  [
    "a file",
    makeFile,
    [
      {
        what: "removed",
        make: async ({ name }) => rmSync(name),
        source: "ERR_VOLUME_CHANGED",
        target: "ERR_VOLUME_CHANGED",
      },
      {
        what: "renamed",
        make: async ({ name }) => renameSync(name, `${name}.old`),
        source: "ERR_VOLUME_CHANGED",
        target: "ERR_VOLUME_CHANGED",
      },
      {
        what: "replaced by rename",
        make: async ({ name }) => {
          writeFileSync(`${name}.new`, randomBytes(SIZE));
          renameSync(`${name}.new`, name);
        },
        source: "ERR_VOLUME_CHANGED",
        target: "ERR_VOLUME_CHANGED",
      },
      {
        what: "shrunk",
        make: async ({ name }) => truncateSync(name, SIZE / 2),
        source: "any",
        target: "any",
      },
      {
        what: "grown",
        make: async ({ name }) => truncateSync(name, SIZE * 2),
        source: "ERR_VOLUME_CHANGED",
        target: "ERR_VOLUME_CHANGED",
      },
      {
        what: "written to",
        make: ({ name }) => writeTo(name),
        source: "ERR_LIVE_SOURCE",
        target: "any",
      },
    ],
  ],
  [
    "a loop device",
    makeLoop,
    [
      {
        what: "detached",
        make: ({ ref }) => execute("losetup", ["--detach", ref]),
        source: "ERR_VOLUME_CHANGED",
        target: "ERR_VOLUME_CHANGED",
      },
      {
        what: "without its file's name",
        make: async ({ name }) => renameSync(name, `${name}.old`),
        source: "any",
        target: "any",
      },
      {
        what: "shrunk in its file",
        make: async ({ name }) => truncateSync(name, SIZE / 2),
        source: "any",
        target: "any",
      },
      {
        what: "grown",
        make: async ({ name, ref }) => {
          truncateSync(name, SIZE * 2);
          await execute("losetup", ["--set-capacity", ref]);
        },
        source: "ERR_VOLUME_CHANGED",
        target: "ERR_VOLUME_CHANGED",
      },
      {
        what: "written to",
        make: ({ ref }) => writeTo(ref),
        source: "ERR_LIVE_SOURCE",
        target: "any",
      },
      {
        what: "written to past it",
        make: ({ name }) => writeTo(name),
        source: "ERR_LIVE_SOURCE",
        target: "any",
      },
    ],
  ],
  [
    "an image",
    makeImage,
    [
      {
        what: "removed",
        make: async ({ name }) => {
          await pool.rbd("snap", "purge", "--no-progress", name);
          await pool.rbd("rm", "--no-progress", name);
        },
        source: "ERR_VOLUME_CHANGED",
        target: "any",
      },
      {
        what: "moved to the trash",
        make: ({ name }) => pool.rbd("trash", "mv", name),
        source: "ERR_VOLUME_CHANGED",
        target: "any",
      },
      {
        what: "renamed",
        make: ({ name }) => pool.rbd("rename", name, `${name}-old`),
        source: "ERR_VOLUME_CHANGED",
        target: "ERR_VOLUME_CHANGED",
      },
      {
        what: "replaced",
        make: async ({ name }) => {
          await pool.rbd("rename", name, `${name}-old`);
          await pool.rbd("create", "--size", `${SIZE}B`, name);
        },
        source: "ERR_VOLUME_CHANGED",
        target: "ERR_VOLUME_CHANGED",
      },
      {
        what: "grown",
        make: ({ name }) => pool.rbd("resize", "--no-progress", "--size", "16M", name),
        source: "ERR_VOLUME_CHANGED",
        target: "any",
      },
      { what: "written to", make: ({ name }) => benchOf(name), source: "unknown" },
    ],
  ],
  [
    // librbd 16 ends the process where an image with an object map is shrunk under a reader.
    "an image without an object map",
    makePlainImage,
    [
      {
        what: "shrunk",
        make: ({ name }) =>
          pool.rbd("resize", "--no-progress", "--allow-shrink", "--size", "4M", name),
        source: "any",
        target: "any",
      },
    ],
  ],
  [
    "a snapshot",
    makeSnapshot,
    [
      {
        what: "removed",
        make: ({ name }) => pool.rbd("snap", "rm", "--no-progress", `${name}@s`),
        source: "any",
      },
      {
        what: "removed with its image",
        make: async ({ name }) => {
          await pool.rbd("snap", "purge", "--no-progress", name);
          await pool.rbd("rm", "--no-progress", name);
        },
        source: "any",
      },
      {
        what: "replaced",
        make: async ({ name }) => {
          await pool.rbd("snap", "rm", "--no-progress", `${name}@s`);
          await benchOf(name);
          await pool.rbd("snap", "create", "--no-progress", `${name}@s`);
        },
        source: "any",
      },
      {
        what: "of an image that is written to",
        make: ({ name }) => benchOf(name),
        source: "right",
      },
    ],
  ],
];
