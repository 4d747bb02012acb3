import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  abortMigration,
  attachVolume,
  type BlockhaulError,
  CopyControl,
  checkGuards,
  checkPlan,
  controlJob,
  copyVolume,
  createSnapshot,
  createVolume,
  digestVolume,
  discoverIscsiTargets,
  findMigration,
  findResumable,
  listJobs,
  listMigrations,
  migrateVolume,
  migrateVolumes,
  openVolume,
  planCopy,
  planMigration,
  registerBackend,
  registerDriver,
  removeJob,
  removeMigration,
  resumeCopy,
  resumeMigration,
  showJob,
  type Volume,
  verifyManifest,
  verifyVolumes,
} from "blockhaul";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { memoryDriver } from "../driver-suite/example-driver.js";

registerDriver(memoryDriver);
const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-keys-"));
let source: Volume;
let target: Volume;
beforeAll(async () => {
  source = await openVolume("memory:from", { mode: "write", create: { size: 65_536 } });
  target = await openVolume("memory:to", { mode: "write", create: { size: 65_536 } });
});
afterAll(async () => {
  await Promise.all([source.close(), target.close()]);
  rmSync(folder, { recursive: true });
});

type Call = (options: never) => unknown;

/** Every function of the API that takes options, the misspelt key, and the one that is meant. */
const calls: readonly (readonly [name: string, wrong: string, meant: string, call: Call])[] = [
  ["openVolume", "mod", "mode", (o) => openVolume("memory:from", o)],
  [
    "openVolume, create",
    "sise",
    "size",
    (o) => openVolume("memory:n", { mode: "write", create: o }),
  ],
  ["createVolume", "sizes", "size", (o) => createVolume("memory:n", o)],
  ["createSnapshot", "nme", "name", (o) => createSnapshot("memory:from", o)],
  ["Volume.read", "positon", "position", (o) => source.read(Buffer.alloc(1), o)],
  ["Volume.write", "positon", "position", (o) => source.write(Buffer.alloc(1), o)],
  ["Volume.extents", "ofset", "offset", (o) => source.extents(o).next()],
  ["Volume.createReadStream", "strat", "start", async (o) => source.createReadStream(o)],
  ["Volume.createWriteStream", "flags", "start", async (o) => source.createWriteStream(o)],
  ["copyVolume", "verfy", "verify", (o) => copyVolume(source, target, o)],
  ["planCopy", "request", "requests", async (o) => planCopy(source, target, o)],
  ["CopyControl.set", "pause", "paused", async (o) => new CopyControl().set(o)],
  ["checkGuards", "alow", "allow", (o) => checkGuards(source, target, o)],
  ["digestVolume", "digset", "digest", (o) => digestVolume(source, o)],
  ["verifyVolumes", "salvage", "stallLimitMs", (o) => verifyVolumes(source, target, o)],
  ["verifyManifest", "digest", "control", (o) => verifyManifest(source, "none", o)],
  ["resumeCopy", "reapir", "repair", (o) => resumeCopy("none", o)],
  ["listJobs", "stateDir", "stateDirectory", (o) => listJobs(o)],
  ["showJob", "statedirectory", "stateDirectory", (o) => showJob("none", o)],
  ["findResumable", "stateDirektory", "stateDirectory", (o) => findResumable(source, target, o)],
  ["removeJob", "stateDirektory", "stateDirectory", (o) => removeJob("none", o)],
  ["controlJob", "pause", "paused", (o) => controlJob("none", o)],
  ["planMigration", "renam", "rename", (o) => planMigration("memory:from", "memory:n", o)],
  ["migrateVolume", "hook", "hooks", (o) => migrateVolume("memory:from", "memory:n", o)],
  [
    "migrateVolume, hooks",
    "beforeHandOver",
    "beforeHandover",
    (o) => migrateVolume("memory:from", "memory:n", { hooks: o }),
  ],
  [
    "migrateVolume, limits",
    "iops",
    "iopsLimit",
    (o) => migrateVolume("memory:from", "memory:n", { limits: o }),
  ],
  ["resumeMigration", "alow", "allow", (o) => resumeMigration("none", o)],
  ["abortMigration", "onEvents", "onEvent", (o) => abortMigration("none", o)],
  ["removeMigration", "stateDirektory", "stateDirectory", (o) => removeMigration("none", o)],
  ["listMigrations", "stateDirektory", "stateDirectory", (o) => listMigrations(o)],
  ["findMigration", "stateDirektory", "stateDirectory", (o) => findMigration("none", o)],
  ["checkPlan", "stateDirektory", "stateDirectory", (o) => checkPlan({ moves: [] }, o)],
  ["migrateVolumes", "paralel", "parallel", (o) => migrateVolumes({ moves: [] }, o)],
  ["attachVolume", "signl", "signal", (o) => attachVolume("memory:from", o)],
  ["discoverIscsiTargets", "usr", "user", (o) => discoverIscsiTargets("127.0.0.1", o)],
  [
    "registerBackend, limits",
    "paralel",
    "parallel",
    (o) => registerBackend("shelf", { driver: "memory", limits: o }),
  ],
  [
    "registerDriver, supports",
    "snapshot",
    "snapshots",
    async (o) => registerDriver({ ...memoryDriver, name: "m2", schemes: ["m2"], supports: o }),
  ],
];

describe("a key that nobody reads", () => {
  it.each(calls)("is refused by %s: %s", async (_, wrong, meant, call) => {
    const failed = Promise.resolve().then(() =>
      call({ [wrong]: undefined, [`${wrong}x`]: 1 } as never),
    );
    const error = (await failed.then(
      () => expect.unreachable(),
      (thrown: unknown) => thrown,
    )) as BlockhaulError;
    expect(error.code).toBe("ERR_INVALID_ARGUMENT");
    expect(error.message).toContain(`"${wrong}`);
    expect(error.message).toContain(meant);
  });

  it.each([null, 7, "text", [], new AbortController().signal])(
    "is not to be found in what is no options: %s",
    async (options) => {
      await expect(copyVolume(source, target, options as never)).rejects.toMatchObject({
        code: "ERR_INVALID_ARGUMENT",
      });
    },
  );

  it("is no known one without a value", async () => {
    const nothing = { verify: undefined, signal: undefined, onProgress: undefined };
    expect(planCopy(source, target, nothing).verify).toBe(false);
  });
});

describe("a key of a plan that nobody reads", () => {
  const move = { source: "memory:from", target: "memory:n" };
  it.each([
    [{ moves: [{ ...move, hooks: {} }] }, 'moves[0]: unknown key "hooks"; it belongs into options'],
    [{ moves: [{ ...move, nmae: "a" }] }, 'moves[0]: unknown key "nmae"; did you mean name?'],
    [
      { moves: [{ ...move, options: { bandwidth: 1 } }] },
      'moves[0].options: unknown key "bandwidth"',
    ],
    [
      { moves: [{ ...move, options: { hooks: { beforeCoppy: () => {} } } }] },
      'unknown key "beforeCoppy"; did you mean beforeCopy?',
    ],
    [{ moves: [], continueOnErorr: true }, "did you mean continueOnError?"],
    [{ moves: [], groups: { web: { paralel: 1 } } }, "groups.web: unknown key"],
    [{ moves: [move, {}] }, 'moves[1]: "source" is missing'],
    [{}, '"moves" is missing'],
    [null, "must be a mapping"],
    [[], '"moves" is missing'],
  ])("is a fault: %j", async (plan, message) => {
    const { faults } = await checkPlan(plan as never, { stateDirectory: folder });
    expect(faults[0]).toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: expect.stringContaining(message),
    });
    await expect(migrateVolumes(plan as never, { stateDirectory: folder })).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
    });
  });

  it("is no known one without a value, nor a function as a hook", async () => {
    const options = {
      verify: undefined,
      hooks: { beforeCopy: () => {}, beforeHandover: undefined },
    };
    const { faults } = await checkPlan(
      { parallel: undefined, moves: [{ ...move, name: undefined, options } as never] },
      { stateDirectory: folder },
    );
    expect(faults.filter(({ message }) => message.includes("key"))).toEqual([]);
  });
});
