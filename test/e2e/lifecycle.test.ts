/** Copies and volumes in processes that end, collect garbage, abort and forget: no crash, no leak, no hang. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { copyVolume, type JsVolume, openVolume, registerDriver } from "blockhaul";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { makeContent } from "../support/content.js";
import { bufferVolume, JsVolumes } from "../support/js-volumes.js";
import { Oracle } from "../support/oracle.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 16 * MiB;

const fixture = fileURLToPath(new URL("fixtures/lifecycle.mjs", import.meta.url));
const workspace = new Workspace();
const source = workspace.path("source");
const volumes = new JsVolumes();
let pool: RbdPool;
let oracle: Oracle;

beforeAll(async () => {
  registerDriver(volumes.driver);
  makeContent("random", SIZE, source, new Random("lifecycle"));
  pool = await RbdPool.create(inject("cephConf"), "lifecycle");
  oracle = new Oracle({ conf: pool.conf, pool: pool.name });
  await oracle.create("source", SIZE);
  await oracle.write({ image: "source" }, source, [[0, SIZE]]);
});

afterAll(async () => {
  await oracle?.[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
  await pool?.[Symbol.asyncDispose]();
});

interface Ends {
  readonly source: string;
  readonly target: string;
}

const kinds = ["file to file", "js to js", "file to rbd", "rbd to file", "rbd to js"] as const;

/** Also from a JavaScript volume whose read never ends. */
const kindsToEnd = [...kinds, "stuck to file"] as const;

let made = 0;

/** A source, and a target of its own. */
async function endsOf(kinds: string): Promise<Ends> {
  const [from = "", to = ""] = kinds.split(" to ");
  return { source: sourceOf(from), target: await newTarget(to) };
}

function sourceOf(kind: string): string {
  if (kind === "js") return "js:source";
  if (kind === "stuck") return "js:stuck";
  return kind === "rbd" ? pool.ref("source") : source;
}

async function newTarget(kind: string): Promise<string> {
  const name = `target-${made++}`;
  if (kind === "js") return "js:target";
  if (kind === "rbd") {
    await oracle.create(name, SIZE);
    return pool.ref(name);
  }
  const file = workspace.path(name);
  writeFileSync(file, "");
  truncateSync(file, SIZE);
  return file;
}

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Has glibc give back what is freed. Left to itself it keeps some 200 MiB of what librbd's threads freed,
 * more or less of it by the load of the machine: a copy's buffers could leak behind that.
 */
const FRUGAL_ALLOCATOR = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_TRIM_THRESHOLD_: "65536",
  MALLOC_MMAP_THRESHOLD_: "65536",
};

/** Runs a scenario of the fixture in a process of its own. */
async function run(scenario: string, args: object, io?: string): Promise<Ended> {
  const argv = ["--expose-gc", fixture, scenario, JSON.stringify(args)];
  const child = spawn(process.execPath, argv, {
    env: {
      ...process.env,
      ...FRUGAL_ALLOCATOR,
      BLOCKHAUL_IO: io,
      // One heap for all threads, which gives back what is free: what stays in memory is then in use.
      MALLOC_ARENA_MAX: "1",
      MALLOC_TRIM_THRESHOLD_: String(MiB),
      BLOCKHAUL_TEST_KEYRING: path.join(path.dirname(pool.conf), "keyring"),
    },
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (data: Buffer) => {
      output[name] += data.toString();
    });
  }
  const [status, signal] = await once(child, "close");
  return { status, signal, ...output };
}

/** The result of a scenario that must end well. */
async function resultOf<Result>(scenario: string, args: object, io?: string): Promise<Result> {
  const ended = await run(scenario, args, io);
  expect(ended).toMatchObject({ status: 0, signal: null, stderr: "" });
  return JSON.parse(ended.stdout) as Result;
}

interface Count {
  readonly descriptors: number;
  readonly threads: number;
  readonly memory: number;
}

interface Counted {
  readonly before: Count;
  readonly after: Count;
}

function expectNothingLeft({ before, after }: Counted) {
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
  expect(after.threads).toBeLessThanOrEqual(before.threads);
  // What three of 40 copies have in their buffers. A sanitizer's allocator keeps what was freed.
  if (process.env.BLOCKHAUL_TEST_SANITIZER) return;
  expect(after.memory).toBeLessThanOrEqual(before.memory + 48 * MiB);
}

describe.each(["uring", "threads"])("a process that ends in the middle of a copy, %s", (io) => {
  test.each(kindsToEnd)("from %s, by process.exit", async (kind) => {
    const ended = await run("end", { how: "exit", ...(await endsOf(kind)) }, io);
    expect(ended).toEqual({ status: 7, signal: null, stdout: "", stderr: "" });
  });

  test.each(kindsToEnd)("from %s, by an error that nobody catches", async (kind) => {
    const ended = await run("end", { how: "throw", ...(await endsOf(kind)) }, io);
    expect(ended).toMatchObject({ status: 1, signal: null, stdout: "" });
    expect(ended.stderr).toContain("nobody catches this");
  });

  test("in workers, by terminate", async () => {
    const ends = await Promise.all(kindsToEnd.map(endsOf));
    expectNothingLeft(await resultOf<Counted>("workers", { ends, rounds: 3 }, io));
  });
});

test("a process may end while an image is opened", async () => {
  const ended = await run("endOpening", {});
  expect(ended).toEqual({ status: 7, signal: null, stdout: "", stderr: "" });
});

test("so may a worker, and the process after it", async () => {
  // Nothing waits for the open's own deadline of an hour.
  const ended = await run("terminateOpening", {});
  expect(ended).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
});

test("a process may end with volumes that nobody closed", async () => {
  const refs = [source, pool.ref("source"), "js:source"];
  const ended = await run("endOpen", { refs });
  expect(ended).toMatchObject({ status: 0, signal: null, stderr: "" });
});

describe("nothing is left open or running", () => {
  test("by a file that is opened and closed 1000 times", async () => {
    const args = { ref: source, times: 1000, keepOne: false };
    expectNothingLeft(await resultOf<Counted>("opens", args));
  });

  test("by an image that is opened and closed 1000 times", async () => {
    // With another open beside them, they share its connection.
    const args = { ref: pool.ref("source"), times: 1000, keepOne: true };
    expectNothingLeft(await resultOf<Counted>("opens", args));
  });

  test("by 30 connections to a cluster", async () => {
    const args = { ref: pool.ref("source"), times: 30, keepOne: false };
    expectNothingLeft(await resultOf<Counted>("opens", args));
  });

  test.each(["file", "rbd", "js"])(
    "by forgotten volumes once they are collected: %s",
    async (kind) => {
      const args = { ref: sourceOf(kind), times: 100 };
      expectNothingLeft(await resultOf<Counted>("forgotten", args));
    },
  );

  test.each(["uring", "threads"])("by 40 copies at once, %s", async (io) => {
    const repeated = [
      ...kinds,
      ...kinds,
      ...kinds,
      ...kinds,
      ...kinds,
      ...kinds,
      ...kinds,
      ...kinds,
    ];
    const ends = await Promise.all(repeated.map(endsOf));
    expectNothingLeft(await resultOf<Counted>("many", { ends }, io));
    for (const { source: from, target } of ends) {
      if (from.startsWith("js:") || target.startsWith("js:")) continue;
      const image = /^rbd:[^/]+\/([^:]+)/.exec(target)?.[1];
      const volume = image === undefined ? { path: target } : { image };
      expect(await oracle.compare(volume, source, SIZE), `${from} to ${target}`).toBeNull();
    }
  });

  test.each(["uring", "threads"])("by 60 copies that are aborted, %s", async (io) => {
    const ends = await Promise.all(kinds.map(endsOf));
    const result = await resultOf<Counted & { outcomes: Record<string, number> }>(
      "aborts",
      { ends, rounds: 60 },
      io,
    );
    expectNothingLeft(result);
    expect(result.outcomes).toEqual({ ERR_CANCELLED: 120 });
  });
});

test.each(["uring", "threads"])("garbage collections do not disturb copies, %s", async (io) => {
  const ends = await Promise.all(kinds.map(endsOf));
  const digests = await resultOf<string[]>("collected", { ends }, io);
  const wanted = await oracle.digest("xxh3", { path: source });
  expect(digests.filter((_, index) => kinds[index] !== "js to js")).toEqual(Array(4).fill(wanted));
});

test("a copy goes on though nobody holds its volumes", async () => {
  const digest = await resultOf<string>("unreferenced", await endsOf("file to js"));
  expect(digest).toBe(await oracle.digest("xxh3", { path: source }));
});

describe("in this process", () => {
  /** A volume whose reads wait until they are let go. */
  function gatedVolume(bytes: Buffer) {
    let open = () => {};
    let reached = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const underWay = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const plain = bufferVolume(bytes);
    const volume: JsVolume = {
      ...plain,
      read: async (buffer, place) => {
        reached();
        await opened;
        return plain.read(buffer, place);
      },
    };
    return { volume, open, underWay };
  }

  test("closing a volume waits for the copies that use it", async () => {
    const bytes = new Random("closing").bytes(3 * MiB + 5);
    const { volume, open, underWay } = gatedVolume(bytes);
    const from = await openVolume(volumes.add("gated", volume));
    const file = workspace.path("closing");
    const to = await openVolume(file, { mode: "write", create: { size: bytes.length } });

    const events: string[] = [];
    const copying = copyVolume(from, to).then(() => events.push("copied"));
    await underWay;
    const closing = [
      from.close().then(() => events.push("source closed")),
      to.close().then(() => events.push("target closed")),
    ];
    // Whatever would close without waiting has its chance.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(events).toEqual([]);
    open();
    await Promise.all([copying, ...closing]);
    expect(events[0]).toBe("copied");
    expect(readFileSync(file).equals(bytes)).toBe(true);
  });

  test("one source serves two copies at once", async () => {
    for (const ref of [source, pool.ref("source")]) {
      const files = [workspace.path("twin-a"), workspace.path("twin-b")];
      {
        await using from = await openVolume(ref);
        const copies = files.map(async (file) => {
          await using to = await openVolume(file, { mode: "write", create: { size: SIZE } });
          await copyVolume(from, to);
        });
        await Promise.all(copies);
      }
      for (const file of files) {
        expect(await oracle.compare({ path: file }, source, SIZE)).toBeNull();
        rmSync(file);
      }
    }
  });

  test("two targets in one process do not mix", async () => {
    const bytes = ["a", "b", "c", "d"].map((label) => new Random(label).bytes(5 * MiB + 511));
    const stores = bytes.map(({ length }) => Buffer.alloc(length, 0xff));
    await Promise.all(
      bytes.map(async (content, index) => {
        const store = stores[index] ?? Buffer.alloc(0);
        await using from = await openVolume(volumes.add(`from-${index}`, bufferVolume(content)));
        await using to = await openVolume(volumes.add(`to-${index}`, bufferVolume(store)), {
          mode: "write",
        });
        await copyVolume(from, to, { requestSize: 64 * 1024, threads: 2 });
      }),
    );
    expect(stores.map((store, index) => store.equals(bytes[index] ?? store))).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });
});
