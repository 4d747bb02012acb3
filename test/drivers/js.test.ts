import { setTimeout as sleep } from "node:timers/promises";
import {
  BlockhaulError,
  copyVolume,
  openVolume,
  registerDriver,
  type VolumeDriver,
} from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";
import { describe, expect, it, vi } from "vitest";

import { memoryDriver, removeMemoryVolume } from "../driver-suite/example-driver.js";

let count = 0;

/** The example of docs/DRIVERS.md, tested as the page says. */
registerDriver(memoryDriver);
testDriver({
  test: { describe, it },
  driver: memoryDriver,
  provide: async (size) => {
    const provided = unusedMemoryVolume();
    await (await openVolume(provided.ref, { mode: "write", create: { size } })).close();
    return provided;
  },
  absent: unusedMemoryVolume,
  backend: () => ({}),
  malformedRefs: ["memory:", "memory:a/b", "memory:a b", "other:a", "memory"],
});

function unusedMemoryVolume() {
  count += 1;
  const name = `volume-${count}`;
  return { ref: `memory:${name}`, remove: () => removeMemoryVolume(name) };
}

/** As little as a driver can be, and as slow: short transfers, answers out of order, no extents. */
const contents = new Map<string, Buffer>();
const plainDriver: VolumeDriver<string> = {
  name: "plain",
  schemes: ["plain"],
  summary: "read and write only",
  refForms: ["plain:NAME"],
  supports: {
    write: true,
    create: false,
    createOptions: [],
    extents: false,
    zero: false,
    snapshots: false,
    delete: false,
  },
  parseRef: (ref) => {
    if (/^plain:\d+$/.test(ref)) return ref;
    throw new BlockhaulError("ERR_INVALID_REF", { volume: ref });
  },
  openVolume: async (ref, { mode }) => {
    const content = contents.get(ref);
    if (content === undefined) throw Object.assign(new Error("no such volume"), { errno: -2 });
    return {
      volume: {
        size: content.byteLength,
        readOnly: mode === "read",
        read: async (buffer, { position }) => {
          const length = Math.ceil(buffer.byteLength / 2);
          if (position % 3 === 0) await sleep(1);
          return { bytesRead: content.copy(buffer, 0, position, position + length) };
        },
        write: async (buffer, { position }) => {
          const length = Math.ceil(buffer.byteLength / 2);
          if (position % 3 === 0) await sleep(1);
          content.set(buffer.subarray(0, length), position);
          return { bytesWritten: length };
        },
      },
    };
  },
};

registerDriver(plainDriver);
testDriver({
  test: { describe, it },
  driver: plainDriver,
  provide: (size) => {
    count += 1;
    const ref = `plain:${count}`;
    contents.set(ref, Buffer.alloc(size, count));
    return { ref, remove: () => void contents.delete(ref) };
  },
  absent: () => ({ ref: "plain:999999" }),
  malformedRefs: ["plain:", "plain:x"],
});

describe("a volume in JavaScript", () => {
  const open = (volume: object, mode: "read" | "write" = "write") => {
    count += 1;
    const name = `js-${count}`;
    registerDriver({
      ...plainDriver,
      name,
      schemes: [name],
      parseRef: (ref) => ref,
      openVolume: async () => ({ volume: { size: 1024 ** 2, read: () => {}, ...volume } }),
    });
    return openVolume(`${name}:`, { mode });
  };

  it("names the author's error as the cause, with side, operation and offset", async () => {
    await using source = await open({
      read: (_buffer: Uint8Array, { position }: { position: number }) => {
        if (position >= 512 * 1024) throw new TypeError("the author's fault");
      },
    });
    await using target = await openVolume("null:", { mode: "write" });
    const error = await copyVolume(source, target, { requestSize: 64 * 1024 }).catch((e) => e);
    expect(error).toBeInstanceOf(BlockhaulError);
    expect(error).toMatchObject({ code: "ERR_IO", side: "source", operation: "read" });
    expect(error.offset).toBeGreaterThanOrEqual(512 * 1024);
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.message).toContain("the author's fault");
  });

  it("keeps the code of a BlockhaulError and the errno of a system error", async () => {
    await using gone = await open({
      write: () => {
        throw new BlockhaulError("ERR_DEVICE_GONE", { message: "unplugged" });
      },
    });
    await using full = await open({
      write: async () => {
        throw Object.assign(new Error("no room"), { errno: -28, code: "ENOSPC" });
      },
    });
    await using source = await openVolume("pattern:1MiB:1");
    await expect(copyVolume(source, gone)).rejects.toMatchObject({
      code: "ERR_DEVICE_GONE",
      side: "target",
    });
    await expect(copyVolume(source, full)).rejects.toMatchObject({
      code: "ERR_NO_SPACE",
      errnoName: "ENOSPC",
    });
    await expect(full.write(Buffer.alloc(1), { position: 0 })).rejects.toMatchObject({
      code: "ERR_NO_SPACE",
    });
  });

  it.each([0, -1, 1.5, 1e9, "many", {}])("whose read answers %j has failed", async (answer) => {
    await using volume = await open({ read: () => answer });
    await expect(volume.read(Buffer.alloc(10), { position: 0 })).rejects.toMatchObject({
      code: "ERR_IO",
    });
  });

  it("with a failing or lying extents is read in full", async () => {
    const content = Buffer.alloc(1024 ** 2, 7);
    const read = (buffer: Uint8Array, { position }: { position: number }) =>
      content.copy(buffer, 0, position, position + buffer.byteLength);
    const broken = [
      () => {
        throw new Error("no map today");
      },
      () => [
        { offset: 4096, length: 4096, kind: "hole" },
        { offset: 0, length: 4096, kind: "data" },
      ],
      async function* () {
        yield { offset: 8192, length: 4096, kind: "data" };
      },
      // Endless, and never further.
      function* () {
        for (;;) yield { offset: 0, length: 0, kind: "hole" };
      },
    ];
    await using plain = await open({ read });
    await using target = await openVolume("null:", { mode: "write" });
    const expected = await copyVolume(plain, target);
    for (const extents of broken) {
      await using source = await open({ read, extents });
      const report = await copyVolume(source, target);
      expect(report.digest).toBe(expected.digest);
      expect(report.read).toBe(1024 ** 2);
    }
  });

  it("hears of it when nobody waits for its reads and writes any more", async () => {
    const stop = new AbortController();
    const begun: string[] = [];
    const hanging = (operation: string) => (_: Uint8Array, place: { signal: AbortSignal }) => {
      begun.push(operation);
      return new Promise<void>((_resolve, reject) => {
        place.signal.addEventListener("abort", () => reject(place.signal.reason), { once: true });
      });
    };
    await using reading = await open({ read: hanging("read") });
    await using writing = await open({ read: () => {}, write: hanging("write") });
    await using pattern = await openVolume("pattern:1MiB:1");
    await using nothing = await openVolume("null:", { mode: "write" });
    const reason = new Error("enough");
    const copies = Promise.allSettled([
      copyVolume(reading, nothing, { signal: stop.signal }),
      copyVolume(pattern, writing, { signal: stop.signal }),
    ]);
    await vi.waitFor(() => expect(new Set(begun)).toEqual(new Set(["read", "write"])));
    stop.abort(reason);
    for (const copy of await copies) {
      expect(copy).toMatchObject({ reason: { code: "ERR_CANCELLED", cause: reason } });
    }
  });

  it("hears of it when a copy gives a request up at its deadline", async () => {
    let end: AbortSignal | undefined;
    const volume = await open({
      read: (_: Uint8Array, { signal }: { signal: AbortSignal }) => {
        end = signal;
        return new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      },
    });
    const target = await openVolume("null:", { mode: "write" });
    const copy = copyVolume(volume, target, { requestTimeoutMs: 50, retries: 0 });
    await expect(copy).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    expect(end?.aborted).toBe(true);
    // What ends late may still be under way: that the close says so is fine here.
    await Promise.allSettled([volume.close(), target.close()]);
  });

  it("goes on reading for whoever still waits, when another copy is stopped", async () => {
    const stop = new AbortController();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = 0;
    await using volume = await open({
      read: async (_: Uint8Array, { signal }: { signal: AbortSignal }) => {
        begun += 1;
        await released;
        signal.throwIfAborted();
      },
    });
    const targets = await Promise.all([1, 2].map(() => openVolume("null:", { mode: "write" })));
    const copies = targets.map((target, index) =>
      copyVolume(volume, target, index === 0 ? { signal: stop.signal } : {}),
    );
    const ended = Promise.allSettled(copies);
    await vi.waitFor(() => expect(begun).toBe(2));
    stop.abort();
    release();
    expect(await ended).toMatchObject([
      { reason: { code: "ERR_CANCELLED" } },
      { value: { read: volume.size } },
    ]);
    await Promise.all(targets.map((target) => target.close()));
  });

  it("is not read where it says that there is nothing", async () => {
    const places: number[] = [];
    await using source = await open({
      read: (buffer: Uint8Array, { position }: { position: number }) => {
        places.push(position);
        buffer.fill(1);
      },
      extents: async () => [
        { offset: 0, length: 256 * 1024, kind: "hole" },
        { offset: 256 * 1024, length: 64 * 1024, kind: "data" },
        { offset: 320 * 1024, length: 704 * 1024, kind: "zero" },
      ],
    });
    await using target = await openVolume("null:", { mode: "write" });
    const report = await copyVolume(source, target);
    expect(places).toEqual([256 * 1024]);
    expect(report).toMatchObject({ read: 64 * 1024, written: 64 * 1024 });
  });

  it.each([{ size: -1 }, { size: 1.5 }, { size: "1" }, { blockSize: 0 }, { zeroState: "assumed" }])(
    "that describes itself as %j is a fault of its driver, and is closed",
    async (fault) => {
      const close = vi.fn();
      const opening = open({ ...fault, close });
      await expect(opening).rejects.toMatchObject({ code: "ERR_INTERNAL" });
      expect(close).toHaveBeenCalledOnce();
    },
  );

  it("is synced before it is closed, once, and only where it was written to", async () => {
    const calls: string[] = [];
    const noted = {
      write: () => void calls.push("write"),
      sync: () => void calls.push("sync"),
      close: () => void calls.push("close"),
    };
    const written = await open(noted);
    await written.write(Buffer.alloc(10), { position: 0 });
    await Promise.all([written.close(), written.close()]);
    expect(calls).toEqual(["write", "sync", "close"]);
    calls.length = 0;
    await (await open(noted)).close();
    expect(calls).toEqual(["close"]);
  });

  it("is synced after its last write, and not before", async () => {
    const calls: string[] = [];
    let endWrite = () => {};
    const volume = await open({
      write: async () => {
        await new Promise<void>((resolve) => {
          endWrite = resolve;
        });
        calls.push("written");
      },
      sync: () => void calls.push("sync"),
      close: () => void calls.push("close"),
    });
    const writing = volume.write(Buffer.alloc(10), { position: 0 });
    await vi.waitFor(() => volume.sync());
    expect(calls).toEqual(["sync"]);
    const closing = volume.close();
    endWrite();
    await Promise.all([writing, closing]);
    expect(calls).toEqual(["sync", "written", "sync", "close"]);
  });

  it("whose last sync fails is closed all the same, and says so", async () => {
    const close = vi.fn();
    const volume = await open({
      write: () => {},
      sync: () => {
        throw Object.assign(new Error("lost"), { errno: -5 });
      },
      close,
    });
    await volume.write(Buffer.alloc(10), { position: 0 });
    await expect(volume.close()).rejects.toMatchObject({ code: "ERR_IO", operation: "flush" });
    expect(close).toHaveBeenCalledOnce();
  });
});
