/**
 * Between a look and an act somebody writes, opens, swaps or replaces. Each at each moment: nothing of anybody's is
 * removed or renamed, and no write is lost.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import type { MigrateOptions, MigrationState } from "blockhaul";
import { describe, expect, it, onTestFinished, vi } from "vitest";

import { flipByte } from "../../support/flip.js";
import { digest, errorOf, ioError, type Stage, stageOf } from "./stage.js";

/** Nobody waits here for a cluster to forget a client. */
vi.mock("../../../src/migrate/dead-client.js", async (importOriginal) => ({
  ...(await importOriginal<object>()),
  WATCH_MS: 200,
}));

const BYTES = "a stranger's";

/** What somebody does to a file. `own` is where the file is then; `strangers`, where a stranger's file is. */
interface Done {
  readonly own: string;
  readonly strangers?: string;
}

type Meddling = (file: string) => Promise<Done> | Done;

const MEDDLINGS: Readonly<Record<string, Meddling>> = {
  "writes to it": (file) => {
    flipByte(file, 2_000_000);
    return { own: file };
  },
  "swaps its name": (file) => {
    const own = `${file}.swapped`;
    renameSync(file, own);
    writeFileSync(file, BYTES);
    return { own, strangers: file };
  },
  "replaces it by a copy": (file) => {
    const own = `${file}.old`;
    renameSync(file, own);
    copyFileSync(own, file);
    return { own, strangers: file };
  },
  "opens it for writing": (file) => {
    const descriptor = openSync(file, "r+");
    onTestFinished(() => closeSync(descriptor));
    return { own: file };
  },
  "maps it, and closes its descriptor": async (file) => {
    await map(file);
    return { own: file };
  },
};

/** Another process that has a file mapped for writing, and open no more. */
async function map(file: string): Promise<void> {
  const script = [
    "import ctypes, sys",
    "f = open(sys.argv[1], 'r+b')",
    "libc = ctypes.CDLL(None, use_errno=True)",
    "libc.mmap.restype = ctypes.c_void_p",
    "libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]",
    "address = libc.mmap(None, 4096, 3, 1, f.fileno(), 0)",
    "f.close()",
    "print('mapped', flush=True)",
    "sys.stdin.read()",
  ].join("\n");
  const child = spawn("python3", ["-c", script, file], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(async () => {
    child.stdin.end();
    await once(child, "close");
  });
  const [line] = await once(child.stdout, "data");
  expect(String(line)).toMatch(/^mapped/);
}

/** Does something once, at a moment of the removal of the source. */
type Moment = (stage: Stage, act: () => Promise<void>) => void;

const MOMENTS: Readonly<Record<string, Moment>> = {
  "before the last look": (stage, act) =>
    atOnce(stage, "open to read", () => stage.isCompared, act),
  "between record and removal": (stage, act) => atOnce(stage, "delete", () => true, act),
  "behind the rename": (stage, act) =>
    stage.inTheWay("rename", async (proceed, { path }) => {
      const result = await proceed();
      if (path === stage.source) await act();
      return result;
    }),
};

function atOnce(stage: Stage, call: string, when: () => boolean, act: () => Promise<void>): void {
  let isDone = false;
  stage.inTheWay(call, async (proceed, { path }) => {
    if (!isDone && path.startsWith(stage.workspace.path("from")) && when()) {
      isDone = true;
      await act();
    }
    return proceed();
  });
}

function cases(moments: Readonly<Record<string, Moment>>) {
  return Object.keys(MEDDLINGS).flatMap((what) =>
    Object.keys(moments).map((when) => ({ what, when })),
  );
}

describe("a source that is to be removed", () => {
  it.each(cases(MOMENTS))("while somebody $what, $when: stays", async ({ what, when }) => {
    const stage = await stageOf();
    let done: Done | undefined;
    let after = "";
    const before = digest(stage.source);
    const afterHandover = () =>
      MOMENTS[when]?.(stage, async () => {
        done = await MEDDLINGS[what]?.(stage.present);
        after = digest(done?.own ?? "");
      });
    const options: MigrateOptions = { deleteSource: true, hooks: { afterHandover } };
    const error = await errorOf(stage.migrate(options));
    expect(error.code).toMatch(/^ERR_(LIVE_SOURCE|IN_USE|VOLUME_CHANGED|JOURNAL|EXISTS)$/);
    expect(done).toBeDefined();
    const status = await stage.status();
    expect(status).toMatchObject({ state: "failed", resumable: true, abortable: true });
    // Its bytes are somewhere still, with what was written; so are the stranger's.
    const names = stage
      .listing()
      .split(" ")
      .filter((name) => name.startsWith("from/"));
    const digests = names.map((name) => digest(stage.workspace.path(name)));
    expect(digests).toContain(after);
    if (what === "swaps its name") {
      expect(names.map((name) => readFileSync(stage.workspace.path(name), "latin1"))).toContain(
        BYTES,
      );
    }
    if (what === "replaces it by a copy") expect(names).toHaveLength(2);
    // Who only opened it loses nothing, and finds it under its name again.
    if (done?.strangers === undefined) expect(existsSync(stage.source)).toBe(true);
    if (what !== "writes to it") expect(after).toBe(before);
  });
});

describe("a source that is to be set aside", () => {
  const moments: Readonly<Record<string, Moment>> = {
    "before the last look": (stage, act) => atOnce(stage, "open to read", () => true, act),
    "between look and rename": (stage, act) => atOnce(stage, "rename", () => true, act),
    "behind the rename": MOMENTS["behind the rename"] as Moment,
  };

  it.each(cases(moments))("while somebody $what, $when: is handed over by none", async (one) => {
    const stage = await stageOf();
    let done: Done | undefined;
    const beforeHandover = () =>
      moments[one.when]?.(stage, async () => {
        done = await MEDDLINGS[one.what]?.(stage.present);
      });
    const error = await errorOf(stage.migrate({ rename: true, hooks: { beforeHandover } }));
    expect(error.code, error.message).toMatch(
      /^ERR_(LIVE_SOURCE|IN_USE|VOLUME_CHANGED|JOURNAL|EXISTS|NOT_FOUND)$/,
    );
    expect(done).toBeDefined();
    expect(existsSync(stage.target), "the target has its name").toBe(false);
    stage.outOfTheWay();
    await stage.abort();
    const names = stage
      .listing()
      .split(" ")
      .filter((name) => name.startsWith("from/"));
    // A stranger's file has the name that the stranger gave it.
    const isNamedByStranger = done?.strangers !== undefined && one.when !== "behind the rename";
    if (isNamedByStranger) expect(existsSync(done?.strangers ?? "")).toBe(true);
    if (done?.strangers === undefined) expect(names).toEqual(["from/disk"]);
    else expect(names).toHaveLength(2);
    if (one.what === "swaps its name") {
      expect(names.map((name) => readFileSync(stage.workspace.path(name), "latin1"))).toContain(
        BYTES,
      );
    }
  });
});

/** A migration that failed when its target was made, under the name that only this migration gives. */
async function failed(when: "made" | "copied"): Promise<{ stage: Stage; target: string }> {
  const stage = await stageOf();
  if (when === "made") {
    stage.inTheWay("create", async (proceed) => {
      const { volume } = (await proceed()) as { volume: { close(): Promise<void> } };
      await volume.close();
      return ioError();
    });
  }
  const hooks = { beforeHandover: ioError };
  await errorOf(stage.migrate({ hooks }));
  stage.outOfTheWay();
  const name = /to\/disk\.blockhaul-\w+/.exec(stage.listing())?.[0] ?? "none";
  return { stage, target: stage.workspace.path(name) };
}

describe.each(["made", "copied"] as const)(
  "an abort of a migration whose target was %s",
  (made) => {
    const moments = ["before the abort", "between look and removal"] as const;
    const all = Object.keys(MEDDLINGS).flatMap((what) => moments.map((when) => ({ what, when })));

    it.each(all)("while somebody $what, $when", async ({ what, when }) => {
      const { stage, target } = await failed(made);
      let done: Done | undefined;
      const act = async () => {
        done = await MEDDLINGS[what]?.(target);
      };
      if (when === "before the abort") await act();
      else {
        stage.inTheWay("delete", async (proceed) => {
          if (done === undefined) await act();
          return proceed();
        });
      }
      const ended = await stage.abort().catch((error) => error);
      const isLeft = existsSync(target);
      // A stranger's file is left, and so is one that somebody has open.
      if (what === "writes to it" && made === "copied") expect(isLeft).toBe(false);
      else if (what === "writes to it") expect(isLeft).toBe(when === "before the abort");
      // An empty file in the place of an empty one: nothing is lost with it.
      else if (what === "replaces it by a copy" && made === "made" && when === "before the abort") {
        expect(isLeft).toBe(false);
      } else expect(isLeft, String(ended)).toBe(true);
      if (what === "swaps its name") expect(readFileSync(target, "latin1")).toBe(BYTES);
      stage.sourceIsUnchanged();
    });

    it("leaves nothing where nobody meddled", async () => {
      const { stage } = await failed(made);
      await stage.abort();
      await stage.isUndone();
    });
  },
);

it.each<MigrationState>(["copying", "handing-over"])(
  "a folder that is another by now, behind a link, is noticed: at %s",
  async (state) => {
    const stage = await stageOf();
    const real = stage.workspace.path("real");
    renameSync(stage.workspace.path("to"), real);
    symlinkSync(real, stage.workspace.path("to"));
    const stop = new AbortController();
    const onEvent = (event: { type: string; state?: string }) => {
      if (event.type === "state" && event.state === state) stop.abort();
    };
    const hooks = { beforeHandover: ioError };
    await errorOf(stage.migrate({ signal: stop.signal, onEvent, hooks }));
    rmSync(stage.workspace.path("to"));
    const other = stage.workspace.path("other");
    mkdirSync(other);
    for (const place of [other, undefined]) {
      if (place !== undefined) symlinkSync(place, stage.workspace.path("to"));
      else rmSync(stage.workspace.path("to"));
      const refused = { code: "ERR_JOURNAL", side: "target" };
      expect(await errorOf(stage.abort())).toMatchObject(refused);
      expect(await errorOf(stage.resume())).toMatchObject(refused);
    }
    expect(readdirSync(other)).toEqual([]);
    symlinkSync(real, stage.workspace.path("to"));
    await stage.abort();
    expect(readdirSync(real)).toEqual(["stranger"]);
  },
);
