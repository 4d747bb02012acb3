/** Ceph's object map denies data, and nothing has flagged it: no proof may come of it. Judged by `rbd export` and cmp. */
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";

import { blockhaul, type Ended } from "../support/command.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const content = workspace.path("content");
const emptyMap = workspace.path("map");
let pool: RbdPool;
let images = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "wrong-map");
  writeFileSync(content, new Random("wrong-map").bytes(16 * MiB));
});

afterAll(async () => {
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

/** An image with data, and its snapshot; the map of one of the two knows nothing of it. */
async function imageWithWrongMap(of: "head" | "snapshot"): Promise<string> {
  const image = `image-${++images}`;
  const features = "layering,exclusive-lock,object-map,fast-diff";
  await pool.rbd("create", image, "--size", "16M", "--image-feature", features);
  const { id } = JSON.parse(await pool.rbd("info", image, "--format", "json"));
  const map = `rbd_object_map.${id}`;
  rados("get", map, emptyMap);
  await pool.rbd("bench", image, "--io-type", "write", "--io-size", "4M", "--io-total", "16M");
  if (of === "head") {
    rados("put", map, emptyMap);
    return image;
  }
  await pool.rbd("snap", "create", `${image}@s`);
  const [snapshot] = JSON.parse(await pool.rbd("snap", "ls", image, "--format", "json"));
  rados("put", `${map}.${snapshot.id.toString(16).padStart(16, "0")}`, emptyMap);
  return image;
}

function rados(...args: readonly string[]): void {
  execFileSync("rados", ["-c", pool.conf, "-p", pool.name, ...args]);
}

/** By Ceph's own client, which reads a head without its map. */
async function exported(image: string): Promise<string> {
  const file = workspace.path(`${image}.exported`);
  await pool.rbd("export", "--no-progress", image, file);
  return file;
}

function isSame(one: string, other: string): boolean {
  try {
    execFileSync("cmp", ["-s", one, other]);
    return true;
  } catch {
    return false;
  }
}

function last({ stdout }: Ended) {
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}");
}

function refused(ended: Ended, code: string, side?: string): void {
  const { status, stdout, stderr } = ended;
  expect(last(ended), `${status} ${stdout} ${stderr}`).toMatchObject({
    type: "error",
    code,
    ...(side === undefined ? {} : { side }),
  });
  expect(status).not.toBe(0);
}

describe("a snapshot whose map is wrong", () => {
  let image: string;
  let source: string;

  beforeAll(async () => {
    image = await imageWithWrongMap("snapshot");
    source = pool.ref(`${image}@s`);
  });

  it("has no digest, and is what no other volume is", async () => {
    refused(await blockhaul(["digest", "--json", source]), "ERR_WRONG_MAP");
    refused(await blockhaul(["verify", "--json", source, "zero:16MiB"]), "ERR_WRONG_MAP");
    // Librbd reads it as zeros: who trusts maps by name is told so.
    const fast = await blockhaul(["verify", "--json", "--fast", source, "zero:16MiB"]);
    expect(last(fast)).toMatchObject({ type: "verified", fast: true });
  });

  it("is copied as it reads, and `--verify=source` finds that", async () => {
    const target = workspace.path("snapshot.img");
    const args = ["--json", "--create", source, target];
    refused(await blockhaul(["copy", "--verify=source", ...args]), "ERR_WRONG_MAP", "source");
    const report = last(await blockhaul(["copy", "--json", "--verify", source, target]));
    expect(report.verification).toMatchObject({ against: "what was read" });
    expect(isSame(await exported(image), target)).toBe(false);
  });

  it("is not cloned from without a word", async () => {
    const clone = `clone-${images}`;
    await pool.rbd(
      "clone",
      "--rbd-default-clone-format",
      "2",
      `${image}@s`,
      `${pool.name}/${clone}`,
    );
    refused(await blockhaul(["digest", "--json", pool.ref(clone)]), "ERR_WRONG_MAP");
    await pool.rbd("rm", "--no-progress", clone);
  });
});

describe("an image whose map is wrong", () => {
  it("is read as it is by a digest and by a comparison", async () => {
    const image = await imageWithWrongMap("head");
    const file = await exported(image);
    const digests = [];
    for (const ref of [pool.ref(image), file]) {
      digests.push(last(await blockhaul(["digest", "--json", ref])).digest);
    }
    expect(digests[0]).toBe(digests[1]);
    const copy = workspace.path("by-map.img");
    expect(await blockhaul(["copy", "--create", pool.ref(image), copy])).toMatchObject({
      status: 0,
    });
    refused(await blockhaul(["verify", "--json", pool.ref(image), copy]), "ERR_VERIFICATION");
    const all = ["copy", "--json", "--verify=source", pool.ref(image), copy];
    refused(await blockhaul(all), "ERR_VERIFICATION", "source");
    const whole = ["copy", "--json", "--no-extents", "--verify=source", pool.ref(image), copy];
    expect(await blockhaul(whole)).toMatchObject({ status: 0 });
    expect(isSame(file, copy)).toBe(true);
  });

  it.each([[[]], [["--delete-source"]]])("is not migrated %s", async (flags) => {
    const image = await imageWithWrongMap("head");
    const before = await exported(image);
    const target = workspace.path(`${image}.img`);
    const ended = await blockhaul(["migrate", "--json", ...flags, pool.ref(image), target]);
    refused(ended, "ERR_WRONG_MAP", "source");
    const after = workspace.path(`${image}.after`);
    await pool.rbd("export", "--no-progress", image, after);
    expect(isSame(before, after)).toBe(true);
    expect(await blockhaul(["abort", String(last(ended).job)])).toMatchObject({ status: 0 });
    expect(existsSync(target)).toBe(false);
  });

  it("is no target whose zeros are taken for zeros", async () => {
    const image = await imageWithWrongMap("head");
    const args = ["--json", "--verify", "zero:16MiB", pool.ref(image)];
    refused(await blockhaul(["copy", ...args]), "ERR_WRONG_MAP", "target");
  });
});
