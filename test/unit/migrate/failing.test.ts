/** Every operation of every state fails once: the source stays what it was, and the migration can go on or back. */
import { statSync, writeFileSync } from "node:fs";
import { BlockhaulError, type MigrateOptions } from "blockhaul";
import { describe, expect, it } from "vitest";

import type { Abilities } from "../../kills/migrations/driver.mjs";
import { flipByte } from "../../support/flip.js";
import { errorOf, ioError, noSpace, type Stage, stageOf } from "./stage.js";

interface Failure {
  readonly what: string;
  readonly abilities?: Partial<Abilities>;
  readonly snapshots?: readonly string[];
  readonly options?: MigrateOptions;
  readonly code: string;
  readonly phase: string;
  /** Puts it in the way, or into the options. */
  plant(stage: Stage): MigrateOptions | undefined;
}

function nothing(action: () => void): undefined {
  action();
  return undefined;
}

const FAILURES: readonly Failure[] = [
  {
    what: "no space for the target",
    code: "ERR_NO_SPACE",
    phase: "creating",
    plant: (stage) => nothing(() => stage.inTheWay("create", noSpace)),
  },
  {
    what: "a target that is made, and then not told of",
    code: "ERR_IO",
    phase: "creating",
    plant: (stage) =>
      nothing(() =>
        stage.inTheWay("create", async (proceed) => {
          const { volume } = (await proceed()) as { volume: { close(): Promise<void> } };
          await volume.close();
          return ioError();
        }),
      ),
  },
  ...(["beforeCopy", "beforeHandover", "afterHandover"] as const).map(
    (hook): Failure => ({
      what: `the hook ${hook} that fails`,
      options: { rename: true, deleteSource: true },
      code: "ERR_HOOK",
      phase: hook === "beforeCopy" ? "freezing" : "handing-over",
      plant: (stage) => ({
        hooks: { [hook]: ["/bin/sh", "-c", `test -e ${stage.workspace.path("mended")}`] },
      }),
    }),
  ),
  {
    what: "a snapshot that cannot be taken",
    abilities: { snapshots: true },
    code: "ERR_IO",
    phase: "freezing",
    plant: (stage) => nothing(() => stage.inTheWay("take snapshot", ioError)),
  },
  {
    what: "a source that cannot be read",
    code: "ERR_IO",
    phase: "copying",
    plant: (stage) => {
      let opens = 0;
      return nothing(() =>
        stage.inTheWay("open to read", async (proceed, { path }) => {
          if (path !== stage.source) return proceed();
          const opened = (await proceed()) as { volume: { info: { identity: string } } };
          const { phase } = await stage.status().catch(() => ({ phase: "" }));
          if (phase !== "copying") return opened;
          opens += 1;
          // A resume looks first at which volume it is.
          if (opens === 2) return opened;
          const { identity } = opened.volume.info;
          return {
            volume: {
              identity,
              size: statSync(stage.source).size,
              read: ioError,
              close: () => (opened.volume as unknown as { close(): Promise<void> }).close(),
            },
          };
        }),
      );
    },
  },
  {
    what: "a short way that fails, and leaves half",
    abilities: { shortWay: true },
    code: "ERR_NO_SPACE",
    phase: "copying",
    plant: (stage) =>
      nothing(() =>
        stage.inTheWay("short way", async () => {
          const id = (await stage.status()).id;
          writeFileSync(`${stage.target}.blockhaul-${id}`, "half of it");
          return noSpace();
        }),
      ),
  },
  {
    what: "a target that differs after the short way",
    abilities: { shortWay: true },
    code: "ERR_VERIFICATION",
    phase: "verifying",
    plant: (stage) =>
      nothing(() =>
        stage.inTheWay("short way", async (proceed) => {
          await proceed();
          const { id } = await stage.status();
          flipByte(`${stage.target}.blockhaul-${id}`, 5_000_000);
        }),
      ),
  },
  {
    what: "a carried snapshot that differs",
    abilities: { snapshots: true },
    snapshots: ["monday", "tuesday"],
    options: { withSnapshots: true, deleteSource: true },
    code: "ERR_VERIFICATION",
    phase: "verifying",
    plant: (stage) => ({
      onEvent: (event) => {
        if (event.type !== "state" || event.state !== "verifying") return;
        const file = `${stage.target}.blockhaul-${event.id}`;
        const snapshots = stage.workspace.path(`hidden/${statSync(file).ino}`);
        flipByte(`${snapshots}/100 monday`, 5_000_000);
      },
    }),
  },
  {
    what: "a rename of the target that fails",
    options: { rename: true },
    code: "ERR_IO",
    phase: "handing-over",
    plant: (stage) =>
      nothing(() =>
        stage.inTheWay("rename", async (proceed, { path }) =>
          path.includes(".blockhaul-") ? ioError() : proceed(),
        ),
      ),
  },
  {
    what: "a rename that is done, and fails",
    options: { rename: true, deleteSource: true },
    code: "ERR_IO",
    phase: "handing-over",
    plant: (stage) =>
      nothing(() =>
        stage.inTheWay("rename", async (proceed) => {
          await proceed();
          return ioError();
        }),
      ),
  },
  {
    what: "a source that is in use when it is to be removed",
    options: { deleteSource: true },
    code: "ERR_IN_USE",
    phase: "handing-over",
    plant: (stage) =>
      nothing(() =>
        stage.inTheWay("delete", async () => {
          throw new BlockhaulError("ERR_IN_USE");
        }),
      ),
  },
];

/** Damage is not mended by a resume: only what did not happen is done again. */
const CANNOT_GO_ON = ["ERR_VERIFICATION"];

describe.each(FAILURES)("$what", ({ abilities, snapshots, options, code, phase, plant }) => {
  async function fails() {
    const stage = await stageOf(abilities, snapshots);
    const error = await errorOf(stage.migrate({ ...options, ...plant(stage) }));
    expect(error.code, String(error)).toBe(code);
    const status = await stage.status();
    expect(status).toMatchObject({ state: "failed", phase, resumable: true, abortable: true });
    expect(status.error?.code).toBe(code);
    const aside = stage.workspace.path(`from/disk.moved-${status.id}`);
    const isAside = stage.listing().includes("from/disk.moved");
    stage.sourceIsUnchanged(isAside ? aside : stage.source);
    return stage;
  }

  it("fails by its code, and can be aborted", async () => {
    const stage = await fails();
    stage.outOfTheWay();
    await stage.abort();
    await stage.isUndone();
    expect((await errorOf(stage.abort())).code).toBe("ERR_INVALID_ARGUMENT");
    expect((await errorOf(stage.resume())).code).toBe("ERR_INVALID_ARGUMENT");
    await stage.isUndone();
  });

  it("fails again, and goes on once it is mended", async () => {
    const stage = await fails();
    const again = await errorOf(stage.resume());
    expect(again.code).toBe(code);
    stage.outOfTheWay();
    writeFileSync(stage.workspace.path("mended"), "");
    if (CANNOT_GO_ON.includes(code)) {
      expect((await errorOf(stage.resume())).code).toBe(code);
      await stage.abort();
      return stage.isUndone();
    }
    await stage.resume();
    await stage.isDone();
    expect((await errorOf(stage.abort())).code).toBe("ERR_INVALID_ARGUMENT");
    expect((await errorOf(stage.resume())).code).toBe("ERR_INVALID_ARGUMENT");
    await stage.isDone();
  });
});

it("is refused where the target could not be taken back", async () => {
  const stage = await stageOf({ delete: false });
  const error = await errorOf(stage.migrate());
  expect(error).toMatchObject({ code: "ERR_UNSUPPORTED", side: "target" });
  await expect(stage.status()).rejects.toThrow("nothing is recorded");
});

it("is refused beforehand where a verification is to compare nothing", async () => {
  const stage = await stageOf();
  expect((await errorOf(stage.migrate({ digest: "none" }))).code).toBe("ERR_INVALID_ARGUMENT");
  await expect(stage.status()).rejects.toThrow("nothing is recorded");
  await stage.migrate({ digest: "none", verify: false });
  await stage.isDone();
});

it("claims a source of which no snapshot can be taken, and says so", async () => {
  const stage = await stageOf({ snapshots: true });
  stage.inTheWay("take snapshot", noSpace);
  const { notices } = await stage.migrate({ deleteSource: true });
  expect(notices.join()).toMatch(/no snapshot could be taken/);
  await stage.isDone();
});

it("heals what was damaged between two runs", async () => {
  const stage = await stageOf();
  const stop = new AbortController();
  // So slow that there is something left to read when it is stopped.
  const stopped = stage.migrate({
    bandwidthLimit: 1024 ** 2,
    requestSize: 64 * 1024,
    signal: stop.signal,
    progressIntervalMs: 1,
    onEvent: (event) => {
      if (event.type === "progress" && event.progress.phase === "verify") stop.abort();
    },
  });
  expect((await errorOf(stopped)).code).toBe("ERR_CANCELLED");
  const { id } = await stage.status();
  flipByte(`${stage.target}.blockhaul-${id}`, 5_000_000);
  await stage.resume();
  await stage.isDone();
});
