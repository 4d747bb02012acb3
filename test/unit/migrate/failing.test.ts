/** Every operation of every state fails once: the source stays what it was, and the migration can go on or back. */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { BlockhaulError, type MigrateOptions, removeMigration } from "blockhaul";
import { afterEach, describe, expect, it } from "vitest";

import type { Abilities } from "../../kills/migrations/driver.mjs";
import { SIZE } from "../../kills/migrations/sparse.mjs";
import { flipByte } from "../../support/flip.js";
import { digest, errorOf, Stage } from "./stage.js";

const stages: Stage[] = [];

async function stageOf(abilities: Partial<Abilities> = {}, snapshots: readonly string[] = []) {
  const stage = await Stage.make(abilities, snapshots);
  stages.push(stage);
  return stage;
}

afterEach(() => {
  for (const stage of stages.splice(0)) stage[Symbol.dispose]();
});

const noSpace = async () => {
  throw new BlockhaulError("ERR_NO_SPACE", { errno: 28 });
};
const ioError = async () => {
  throw new BlockhaulError("ERR_IO", { errno: 5 });
};

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
    plant: (stage) =>
      nothing(() =>
        stage.inTheWay("open to read", async (proceed) => {
          const opened = (await proceed()) as { volume: { info: { identity: string } } };
          const { phase } = await stage.status().catch(() => ({ phase: "" }));
          if (phase !== "freezing" && phase !== "copying") return opened;
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
      ),
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

describe("somebody else's volume", () => {
  const bytes = "somebody's";

  it("under the target's name survives resume and abort", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: () => writeFileSync(stage.target, bytes) };
    expect((await errorOf(stage.migrate({ rename: true, hooks }))).code).toBe("ERR_EXISTS");
    expect((await errorOf(stage.resume({ hooks }))).code).toBe("ERR_EXISTS");
    await stage.abort();
    expect(readFileSync(stage.target, "utf8")).toBe(bytes);
    rmSync(stage.target);
    await stage.isUndone();
  });

  it("under the target's name has to go before a resume", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: () => writeFileSync(stage.target, bytes) };
    expect((await errorOf(stage.migrate({ rename: true, hooks }))).code).toBe("ERR_EXISTS");
    rmSync(stage.target);
    await stage.resume();
    await stage.isDone();
  });

  it("under the name that the source is to get is not touched", async () => {
    const stage = await stageOf();
    let aside = "";
    const beforeHandover = ({ id }: { id: string }) => {
      aside = stage.workspace.path(`from/disk.moved-${id}`);
      writeFileSync(aside, bytes);
    };
    const failed = errorOf(stage.migrate({ rename: true, hooks: { beforeHandover } }));
    expect((await failed).code).toBe("ERR_EXISTS");
    await stage.abort();
    expect(readFileSync(aside, "utf8")).toBe(bytes);
    rmSync(aside);
    await stage.isUndone();
  });

  it("under the source's name, once that was removed, is not removed as well", async () => {
    const stage = await stageOf();
    stage.inTheWay("delete", async (proceed) => {
      await proceed();
      return ioError();
    });
    expect((await errorOf(stage.migrate({ deleteSource: true }))).code).toBe("ERR_IO");
    expect((await stage.status()).abortable).toBe(false);
    expect((await errorOf(stage.abort())).code).toBe("ERR_INVALID_ARGUMENT");
    stage.outOfTheWay();
    // Even a file that gets the inode of the one that was removed.
    writeFileSync(stage.source, bytes);
    const ended = await stage.resume().catch((error) => error);
    expect(readFileSync(stage.source, "utf8")).toBe(bytes);
    if (ended instanceof BlockhaulError) expect(ended.code).toBe("ERR_JOURNAL");
    rmSync(stage.source);
    if (ended instanceof BlockhaulError) await stage.resume();
    await stage.isDone();
  });

  it("in the source's place is neither copied nor changed", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: ioError };
    expect((await errorOf(stage.migrate({ rename: true, hooks }))).code).toBe("ERR_HOOK");
    const [real, other] = [stage.workspace.path("real"), stage.workspace.path("other")];
    writeFileSync(other, bytes);
    renameSync(stage.source, real);
    renameSync(other, stage.source);
    expect((await errorOf(stage.resume({ hooks: { beforeHandover: () => {} } }))).code).toBe(
      "ERR_JOURNAL",
    );
    await stage.abort();
    expect(readFileSync(stage.source, "utf8")).toBe(bytes);
    renameSync(real, stage.source);
    await stage.isUndone();
  });

  it("that may be ours, or not, is left to a person", async () => {
    const stage = await stageOf({ rename: false });
    stage.inTheWay("create", async () => {
      writeFileSync(stage.target, bytes);
      return ioError();
    });
    expect((await errorOf(stage.migrate())).code).toBe("ERR_IO");
    stage.outOfTheWay();
    expect((await errorOf(stage.resume())).code).toBe("ERR_EXISTS");
    expect((await errorOf(stage.abort())).code).toBe("ERR_EXISTS");
    expect(readFileSync(stage.target, "utf8")).toBe(bytes);
    rmSync(stage.target);
    await stage.abort();
    await stage.isUndone();
  });
});

describe("a source that is written to", () => {
  const write = (stage: Stage) => flipByte(stage.source, 2_000_000);

  it("since its snapshot was taken is not handed over", async () => {
    const stage = await stageOf({ snapshots: true });
    const hooks = { beforeHandover: () => write(stage) };
    const error = await errorOf(stage.migrate({ rename: true, deleteSource: true, hooks }));
    expect(error).toMatchObject({ code: "ERR_LIVE_SOURCE", side: "source" });
    const written = digest(stage.source);
    expect((await errorOf(stage.resume({ hooks: { beforeHandover: () => {} } }))).code).toBe(
      "ERR_LIVE_SOURCE",
    );
    await stage.abort();
    expect(digest(stage.source)).toBe(written);
    write(stage);
    await stage.isUndone();
  });

  it.each([
    { abilities: { snapshots: true }, options: { rename: true } },
    { abilities: {}, options: { rename: true } },
    { abilities: {}, options: {} },
  ])("between two runs of a hand-over is not handed over: $abilities, $options", async (one) => {
    const stage = await stageOf(one.abilities);
    stage.inTheWay("rename", ioError);
    expect((await errorOf(stage.migrate(one.options))).code).toBe("ERR_IO");
    stage.outOfTheWay();
    write(stage);
    expect((await errorOf(stage.resume())).code).toBe("ERR_LIVE_SOURCE");
    await stage.abort();
    write(stage);
    await stage.isUndone();
  });

  it("is not removed", async () => {
    const stage = await stageOf();
    const hooks = { afterHandover: () => write(stage) };
    const options = { deleteSource: true, hooks };
    expect((await errorOf(stage.migrate(options))).code).toBe("ERR_LIVE_SOURCE");
    await stage.abort();
    write(stage);
    await stage.isUndone();
  });

  it("is not removed after a refusal to remove it", async () => {
    const stage = await stageOf();
    stage.inTheWay("delete", async () => {
      throw new BlockhaulError("ERR_IN_USE");
    });
    const options = { rename: true, deleteSource: true };
    expect((await errorOf(stage.migrate(options))).code).toBe("ERR_IN_USE");
    stage.outOfTheWay();
    const { id } = await stage.status();
    flipByte(`${stage.source}.moved-${id}`, 2_000_000);
    expect((await errorOf(stage.resume())).code).toBe("ERR_LIVE_SOURCE");
    await stage.abort();
    write(stage);
    await stage.isUndone();
  });

  it("and has got a snapshot meanwhile keeps both that and those that were carried over", async () => {
    const stage = await stageOf({ snapshots: true }, ["monday"]);
    const afterHandover = async () => {
      await stage.driver.createSnapshot?.({ path: stage.source }, { name: "late" });
    };
    const options = { withSnapshots: true, deleteSource: true, hooks: { afterHandover } };
    const error = await errorOf(stage.migrate(options));
    expect(error.code).toBe("ERR_IN_USE");
    expect(error.message).toContain("late");
    expect(stage.listing()).toContain("from/disk@monday from/disk@late");
    await stage.driver.deleteSnapshot?.({ path: stage.source, snapshot: "late" });
    await stage.abort();
    await stage.isUndone();
  });
});

it("is refused where the target could not be taken back", async () => {
  const stage = await stageOf({ delete: false });
  const error = await errorOf(stage.migrate());
  expect(error).toMatchObject({ code: "ERR_UNSUPPORTED", side: "target" });
  await expect(stage.status()).rejects.toThrow("nothing is recorded");
});

describe("volumes that are known by their names alone", () => {
  const nameless = async (proceed: () => Promise<unknown>) => {
    const { volume } = (await proceed()) as { volume: { close(): Promise<void> } };
    const transfer = async () => {};
    return { volume: { size: SIZE, read: transfer, write: transfer, close: () => volume.close() } };
  };

  it("are not set aside", async () => {
    const stage = await stageOf();
    stage.inTheWay("open to read", nameless);
    const error = await errorOf(stage.migrate({ rename: true }));
    expect(error).toMatchObject({ code: "ERR_UNSUPPORTED", side: "source" });
  });

  it("are not made under a temporary name", async () => {
    const stage = await stageOf();
    stage.inTheWay("create", nameless);
    const error = await errorOf(stage.migrate());
    expect(error).toMatchObject({ code: "ERR_UNSUPPORTED", side: "target" });
    stage.outOfTheWay();
    await stage.abort();
    await stage.isUndone();
  });
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
  const stopped = stage.migrate({
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

describe("at most one at a time", () => {
  it("works on a migration", async () => {
    const stage = await stageOf();
    const { stateDirectory } = stage;
    const codes: string[] = [];
    const beforeCopy = async ({ id }: { id: string }) => {
      codes.push((await errorOf(stage.resume())).code);
      codes.push((await errorOf(stage.abort())).code);
      codes.push((await errorOf(removeMigration(id, { stateDirectory }))).code);
      expect((await stage.status()).state).toBe("running");
    };
    await stage.migrate({ hooks: { beforeCopy } });
    expect(codes).toEqual(["ERR_IN_USE", "ERR_IN_USE", "ERR_IN_USE"]);
    await stage.isDone();
  });

  it.each([{ rename: true }, { deleteSource: true }])(
    "hands a source over: %o",
    async (options) => {
      const stage = await stageOf();
      const other = await stageOf();
      let code = "";
      const beforeCopy = async () => {
        const { stateDirectory } = other;
        const target = `${stage.to}:second`;
        const { migrateVolume } = await import("blockhaul");
        const second = migrateVolume(`${stage.from}:disk`, target, { stateDirectory, ...options });
        code = (await errorOf(second)).code;
      };
      await stage.migrate({ ...options, hooks: { beforeCopy } });
      expect(code).toBe("ERR_IN_USE");
      await stage.isDone();
    },
  );

  it("hands a source over; one that was cut short finds it gone, and takes nothing back", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: ioError };
    const options = { rename: true, deleteSource: true };
    expect((await errorOf(stage.migrate({ ...options, hooks }))).code).toBe("ERR_HOOK");
    const first = await stage.status();
    const { migrateVolume, resumeMigration, abortMigration } = await import("blockhaul");
    const { stateDirectory } = stage;
    const bytes = digest(stage.source);
    await migrateVolume(`${stage.from}:disk`, `${stage.to}:second`, { stateDirectory, ...options });
    const again = resumeMigration(first.id, {
      stateDirectory,
      hooks: { beforeHandover: () => {} },
    });
    expect((await errorOf(again)).code).toBe("ERR_NOT_FOUND");
    await abortMigration(first.id, { stateDirectory });
    expect(stage.listing()).toBe("to/second to/stranger");
    expect(digest(stage.workspace.path("to/second"))).toBe(bytes);
  });
});

describe("a record", () => {
  it("is forgotten only after the end", async () => {
    const stage = await stageOf();
    const { stateDirectory } = stage;
    const hooks = { beforeCopy: ioError };
    expect((await errorOf(stage.migrate({ hooks }))).code).toBe("ERR_HOOK");
    const { id } = await stage.status();
    expect((await errorOf(removeMigration(id, { stateDirectory }))).code).toBe(
      "ERR_INVALID_ARGUMENT",
    );
    await stage.abort();
    await removeMigration(id, { stateDirectory });
    await expect(stage.status()).rejects.toThrow();
    expect((await errorOf(removeMigration(id, { stateDirectory }))).code).toBe("ERR_NOT_FOUND");
  });

  it("that is torn is refused, and nothing is touched", async () => {
    const stage = await stageOf();
    const { abortMigration, resumeMigration } = await import("blockhaul");
    expect((await errorOf(stage.migrate({ hooks: { beforeCopy: ioError } }))).code).toBe(
      "ERR_HOOK",
    );
    const { file, id } = await stage.status();
    const before = stage.listing();
    const { stateDirectory } = stage;
    const text = readFileSync(file, "utf8");
    for (const torn of [text.slice(0, text.length / 2), "", "{}", "null"]) {
      writeFileSync(file, torn);
      expect((await errorOf(resumeMigration(id, { stateDirectory }))).code).toBe("ERR_JOURNAL");
      expect((await errorOf(abortMigration(id, { stateDirectory }))).code).toBe("ERR_JOURNAL");
      expect(stage.listing()).toBe(before);
    }
    writeFileSync(file, text);
    await stage.abort();
    await stage.isUndone();
  });

  it("that cannot be written stops it, where it can go on later", async () => {
    const stage = await stageOf();
    let draft = "";
    const beforeCopy = ({ id }: { id: string }) => {
      draft = `${stage.stateDirectory}/jobs/.${id}.migration.new`;
      mkdirSync(draft);
    };
    await errorOf(stage.migrate({ hooks: { beforeCopy } }));
    expect((await stage.status()).state).toBe("interrupted");
    rmSync(draft, { recursive: true });
    await stage.resume({ hooks: { beforeCopy: () => {} } });
    await stage.isDone();
  });
});
