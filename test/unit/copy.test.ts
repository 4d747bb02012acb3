import { getEventListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type CopyOptions, type CopyProgress, copyVolume, openVolume, planCopy } from "blockhaul";
import { describe, expect, it } from "vitest";

const MiB = 1024 ** 2;
const code = (name: string) => expect.objectContaining({ code: name });
const openPair = async (size = "8MiB") => ({
  source: await openVolume(`pattern:${size}:1`),
  target: await openVolume("null:", { mode: "write" }),
});

describe("the plan of a copy", () => {
  it("has every default filled in", async () => {
    const { source, target } = await openPair();
    expect(planCopy(source, target)).toEqual({
      source: "pattern:8MiB:1",
      target: "null:",
      size: 8 * MiB,
      method: "engine",
      requests: 16,
      requestSize: 2 * MiB,
      memory: 32 * MiB,
      threads: 1,
      useExtents: true,
      digest: "xxh3",
      bandwidthLimit: 0,
      iopsLimit: 0,
      retries: 5,
      requestTimeoutMs: 300_000,
      stallLimitMs: 300_000,
      checkpointIntervalMs: 5000,
      salvage: false,
      verify: false,
      repair: false,
      journal: false,
    });
  });

  it.each<[CopyOptions, number]>([
    [{ requestSize: 4 * MiB }, 8],
    [{ requestSize: 64n * 1024n }, 64],
    [{ memory: 2 * MiB }, 1],
    [{ memory: 2 * MiB, requests: 5 }, 5],
  ])("with %o has %i requests", async (options, requests) => {
    const { source, target } = await openPair();
    expect(planCopy(source, target, options).requests).toBe(requests);
  });

  it.each<[object, string]>([
    [{ requestSize: 3 * MiB }, "ERR_INVALID_ARGUMENT"],
    [{ requestSize: 32 * 1024 }, "ERR_INVALID_ARGUMENT"],
    [{ requestSize: 8 * MiB }, "ERR_INVALID_ARGUMENT"],
    [{ memory: 512 * 1024 }, "ERR_INVALID_ARGUMENT"],
    [{ requests: 0 }, "ERR_INVALID_ARGUMENT"],
    [{ requests: 1.5 }, "ERR_INVALID_ARGUMENT"],
    [{ threads: 0 }, "ERR_INVALID_ARGUMENT"],
    [{ threads: "2" }, "ERR_INVALID_ARGUMENT"],
    [{ digest: "md5" }, "ERR_INVALID_ARGUMENT"],
    [{ bandwidthLimit: -1 }, "ERR_OUT_OF_RANGE"],
    [{ onProgress: true }, "ERR_INVALID_ARGUMENT"],
    [{ progressIntervalMs: 0 }, "ERR_INVALID_ARGUMENT"],
  ])("with %j is refused", async (options, expected) => {
    const { source, target } = await openPair();
    await expect(copyVolume(source, target, options as CopyOptions)).rejects.toEqual(
      code(expected),
    );
  });

  it("is refused for volumes that do not fit", async () => {
    const { source, target } = await openPair();
    const small = await openVolume("null:1MiB", { mode: "write" });
    const reading = await openVolume("null:16MiB");
    expect(() => planCopy(source, source)).toThrowError(code("ERR_SAME_VOLUME"));
    expect(() => planCopy(target, source)).toThrowError(code("ERR_READ_ONLY"));
    expect(() => planCopy(source, {} as never)).toThrowError(code("ERR_INVALID_ARGUMENT"));
    expect(reading.info.readOnly).toBe(true);
    expect(() => planCopy(source, reading)).toThrowError(code("ERR_READ_ONLY"));
    const almost = await openVolume(`null:${8 * MiB - 1}`, { mode: "write" });
    expect(() => planCopy(source, almost)).toThrowError(code("ERR_TARGET_TOO_SMALL"));
    const tooSmall = () => planCopy(source, small);
    expect(tooSmall).toThrowError(code("ERR_TARGET_TOO_SMALL"));
    expect(tooSmall).toThrowError(/has 1 MiB, less than the source.s 8 MiB/);
    await source.close();
    expect(() => planCopy(source, target)).toThrowError(
      expect.objectContaining({ code: "ERR_VOLUME_CLOSED", side: "source" }),
    );
  });
});

describe("a copy", () => {
  it("reports what it did", async () => {
    const { source, target } = await openPair();
    const report = await copyVolume(source, target, { requests: 4, requestSize: 2 * MiB });
    expect(report).toMatchObject({
      source: "pattern:8MiB:1",
      target: "null:",
      size: 8 * MiB,
      read: 8 * MiB,
      written: 8 * MiB,
      zeroed: 0,
      skipped: 0,
      method: "engine",
      requests: 4,
      requestSize: 2 * MiB,
      threads: 1,
      digest: expect.stringMatching(/^xxh3:[0-9a-f]{32}$/),
    });
    expect(["io_uring", "threads"]).toContain(report.io);
    expect(report.seconds).toBeGreaterThan(0);
    expect(report.bytesPerSecond).toBe(Math.round((8 * MiB) / report.seconds));
  });

  it("has a digest of the content alone, of the kind that is asked for", async () => {
    const digests = new Set<string | undefined>();
    for (const options of [{}, { requestSize: 64 * 1024 }, { threads: 3 }, { useExtents: false }]) {
      const { source, target } = await openPair("5MiB");
      digests.add((await copyVolume(source, target, options)).digest);
    }
    expect(digests.size).toBe(1);
    const { source, target } = await openPair();
    const sha = await copyVolume(source, target, { digest: "sha256" });
    expect(sha.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect((await copyVolume(source, target, { digest: "none" })).digest).toBeUndefined();
  });

  it("tells its progress, which only grows, to the end", async () => {
    const { source, target } = await openPair("16MiB");
    const seen: CopyProgress[] = [];
    await copyVolume(source, target, {
      bandwidthLimit: 64 * MiB,
      progressIntervalMs: 20,
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen.length).toBeGreaterThan(3);
    const done = seen.map((progress) => progress.done);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(seen.at(-1)).toMatchObject({ state: "done", done: 16 * MiB, total: 16 * MiB });
  });

  it("stops when its progress function throws, with that error", async () => {
    const { source, target } = await openPair("1GiB");
    const fault = new Error("in the callback");
    const copying = copyVolume(source, target, {
      bandwidthLimit: MiB,
      progressIntervalMs: 10,
      onProgress: () => {
        throw fault;
      },
    });
    await expect(copying).rejects.toBe(fault);
  });

  it("does not begin when the signal has fired before", async () => {
    const { source, target } = await openPair();
    const reason = new Error("too late");
    const seen: CopyProgress[] = [];
    const copying = copyVolume(source, target, {
      signal: AbortSignal.abort(reason),
      onProgress: (progress) => seen.push(progress),
    });
    await expect(copying).rejects.toMatchObject({ code: "ERR_CANCELLED", cause: reason });
    expect(seen).toEqual([]);
  });

  it("stops when the signal fires on the way, with its reason as the cause", async () => {
    const { source, target } = await openPair("1GiB");
    const controller = new AbortController();
    const reason = new Error("enough");
    const copying = copyVolume(source, target, {
      bandwidthLimit: MiB,
      progressIntervalMs: 10,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(copying).rejects.toMatchObject({ code: "ERR_CANCELLED", cause: reason });
  });

  it("stops when the signal fires between the checks and the first byte", async () => {
    const { source, target } = await openPair("1GiB");
    const controller = new AbortController();
    const reason = new Error("just now");
    const workspace = mkdtempSync(path.join(tmpdir(), "blockhaul-copy-"));
    const copying = copyVolume(source, target, {
      bandwidthLimit: MiB,
      journal: true,
      stateDirectory: workspace,
      signal: controller.signal,
      onJob: () => controller.abort(reason),
    });
    await expect(copying).rejects.toMatchObject({ code: "ERR_CANCELLED", cause: reason });
    rmSync(workspace, { recursive: true });
  });

  it("keeps its volumes from closing until it is done", async () => {
    const { source, target } = await openPair();
    const order: string[] = [];
    const copying = copyVolume(source, target, { bandwidthLimit: 32 * MiB }).then(() =>
      order.push("copied"),
    );
    const closing = [source, target].map((volume) =>
      volume.close().then(() => order.push("closed")),
    );
    await Promise.all([copying, ...closing]);
    expect(order).toEqual(["copied", "closed", "closed"]);
  });

  it("leaves no listener behind at a signal that lives on", async () => {
    const { source, target } = await openPair("64KiB");
    const listeners = new Set<unknown>();
    const signal = new AbortController().signal;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners.add(args[1]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners.delete(args[1]);
      remove(...args);
    };
    await copyVolume(source, target, { signal });
    expect(listeners.size).toBe(0);
  });

  it("share one listener of a signal, however many there are", async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on("warning", warned);
    const controller = new AbortController();
    const pairs = await Promise.all(Array.from({ length: 12 }, () => openPair("64MiB")));
    let most = 0;
    await Promise.all(
      pairs.map(({ source, target }) =>
        copyVolume(source, target, {
          signal: controller.signal,
          progressIntervalMs: 1,
          onProgress: () => {
            most = Math.max(most, getEventListeners(controller.signal, "abort").length);
          },
        }),
      ),
    );
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", warned);
    expect(warnings).toEqual([]);
    expect(most).toBe(1);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });
});
