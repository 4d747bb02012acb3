import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { closeVolume, openVolume, registerDriver, Volume } from "blockhaul";
import { afterAll, describe, expect, it, vi } from "vitest";

import { memoryDriver } from "../driver-suite/example-driver.js";

registerDriver(memoryDriver);
const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-volume-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
const openMemory = (size = 100_000) => {
  count += 1;
  return openVolume(`memory:v${count}`, { mode: "write", create: { size } });
};
const code = (name: string) => expect.objectContaining({ code: name });

describe("opening", () => {
  it.each([
    [{ mode: "append" }, "ERR_INVALID_ARGUMENT"],
    [{ create: { size: 1 } }, "ERR_INVALID_ARGUMENT"],
    [{ mode: "write", create: {} }, "ERR_INVALID_ARGUMENT"],
    [{ mode: "write", create: { size: -1 } }, "ERR_OUT_OF_RANGE"],
    [{ mode: "write", create: { size: 1, colour: "red" } }, "ERR_INVALID_ARGUMENT"],
  ])("with %j is refused", async (options, expected) => {
    await expect(openVolume("memory:x", options as never)).rejects.toEqual(code(expected));
  });

  it("of what is no text is refused", async () => {
    await expect(openVolume(7 as never)).rejects.toEqual(code("ERR_INVALID_REF"));
    await expect(openVolume(undefined as never)).rejects.toEqual(code("ERR_INVALID_REF"));
  });

  it("names the ref in its errors", async () => {
    await expect(openVolume("memory:none")).rejects.toMatchObject({
      code: "ERR_NOT_FOUND",
      volume: "memory:none",
    });
  });

  it("stops waiting when the signal says so, and closes what opens all the same", async () => {
    const close = vi.fn();
    const begun = vi.fn();
    let letOpen = () => {};
    const opening = new Promise<void>((resolve) => {
      letOpen = resolve;
    });
    registerDriver({
      ...memoryDriver,
      name: "slow",
      schemes: ["slow"],
      parseRef: (ref) => ref,
      openVolume: async () => {
        begun();
        await opening;
        return { volume: { size: 1, read: () => {}, close } };
      },
    });
    const stop = new AbortController();
    const opened = openVolume("slow:x", { signal: stop.signal });
    await vi.waitFor(() => expect(begun).toHaveBeenCalled());
    stop.abort(new Error("no patience"));
    await expect(opened).rejects.toMatchObject({
      code: "ERR_CANCELLED",
      cause: expect.objectContaining({ message: "no patience" }),
    });
    expect(close).not.toHaveBeenCalled();
    letOpen();
    await vi.waitFor(() => expect(close).toHaveBeenCalledOnce());
    const late = openVolume("slow:x", { signal: stop.signal });
    await expect(late).rejects.toEqual(code("ERR_CANCELLED"));
    expect(begun).toHaveBeenCalledOnce();
  });

  it("is the only way to a volume", () => {
    expect(() => new (Volume as unknown as new () => Volume)()).toThrow();
  });
});

describe("a volume", () => {
  it("takes positions as numbers and bigints, and nothing else", async () => {
    await using volume = await openMemory();
    const buffer = Buffer.from("abc");
    await volume.write(buffer, { position: 5n });
    await volume.write(buffer, { position: 8 });
    const { bytesRead } = await volume.read(buffer, { position: 7n, length: 2n });
    expect(bytesRead).toBe(2);
    expect(buffer.toString()).toBe("cac");
    for (const position of ["5", 1.5, Number.NaN, {}]) {
      await expect(volume.read(buffer, { position: position as never })).rejects.toEqual(
        code("ERR_INVALID_ARGUMENT"),
      );
    }
    await expect(volume.read(buffer, { position: -1 })).rejects.toEqual(code("ERR_OUT_OF_RANGE"));
    await expect(volume.read("text" as never)).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });

  it("reads and writes from its own position on", async () => {
    await using volume = await openMemory();
    await Promise.all(["one ", "two ", "three"].map((text) => volume.write(Buffer.from(text))));
    expect(volume.tell()).toBe(13);
    volume.seek(4n);
    const buffer = Buffer.alloc(9);
    await volume.read(buffer, { position: null });
    expect(buffer.toString()).toBe("two three");
    volume.seek(volume.size);
    expect((await volume.read(buffer)).bytesRead).toBe(0);
    await expect(volume.write(buffer)).rejects.toEqual(code("ERR_OUT_OF_RANGE"));
    expect(volume.tell()).toBe(volume.size);
    expect(() => volume.seek(-1)).toThrowError(code("ERR_OUT_OF_RANGE"));
  });

  it("says what it is, and cannot be talked out of it", async () => {
    await using volume = await openMemory(4096);
    expect(volume.info).toMatchObject({
      driver: "memory",
      kind: "memory",
      size: 4096,
      zeroState: "proven-zero",
      readOnly: false,
    });
    expect(() => Object.assign(volume.info, { readOnly: true })).toThrow(TypeError);
  });

  it("joins extents that continue each other", async () => {
    await using volume = await openMemory(1024 ** 2);
    await volume.write(Buffer.alloc(200_000, 1), { position: 300_000 });
    const extents = [];
    for await (const extent of volume.extents()) extents.push(extent);
    expect(extents).toEqual([
      { offset: 0, length: 262_144, kind: "hole" },
      { offset: 262_144, length: 262_144, kind: "data" },
      { offset: 524_288, length: 524_288, kind: "hole" },
    ]);
  });

  it("is closed by whatever way, once", async () => {
    const volume = await openMemory();
    const closing = volume.close();
    expect(volume.closed).toBe(true);
    expect(volume.close()).toBe(closing);
    expect(closeVolume(volume)).toBe(closing);
    await volume[Symbol.asyncDispose]();
  });
});

describe("the forms of FileHandle", () => {
  it("read and write a part of a buffer at a position", async () => {
    await using volume = await openMemory();
    const written = Buffer.from("0123456789");
    expect(await volume.write(written, 2, 5, 8192)).toEqual({ bytesWritten: 5, buffer: written });
    const buffer = Buffer.alloc(10, ".");
    expect(await volume.read(buffer, 1, 4, 8193n)).toEqual({ bytesRead: 4, buffer });
    expect(buffer.toString()).toBe(".3456.....");
    const start = await volume.read(Buffer.alloc(10), 0, 10, 0);
    expect(start.buffer.equals(Buffer.alloc(10))).toBe(true);
    expect(volume.tell()).toBe(0);
  });

  it("take what is left out, or null, for the default", async () => {
    await using volume = await openMemory();
    await volume.write(Buffer.from("abcdef"), 1);
    await volume.write(Buffer.from("xyz"), null, null, null);
    expect(volume.tell()).toBe(8);
    volume.seek(0);
    const buffer = Buffer.alloc(10, ".");
    await volume.read(buffer, 2, undefined, null);
    expect(buffer.toString()).toBe("..bcdefxyz");
    expect(volume.tell()).toBe(8);
  });

  it("read into a buffer that the options hold, or a new one", async () => {
    await using volume = await openMemory(20_000);
    await volume.write(Buffer.from("abc"), { position: 7 });
    const mine = new Uint8Array(3);
    const { buffer } = await volume.read({ buffer: mine, position: 7 });
    expect(buffer).toBe(mine);
    expect(Buffer.from(mine).toString()).toBe("abc");
    const first = await volume.read();
    expect([first.bytesRead, first.buffer.length]).toEqual([16_384, 16_384]);
    expect((await volume.read({})).bytesRead).toBe(20_000 - 16_384);
  });

  it("move several buffers as one", async () => {
    await using volume = await openMemory(100);
    const parts = ["ab", "", "cde"].map((text) => Buffer.from(text));
    expect(await volume.writev(parts, 50)).toEqual({ bytesWritten: 5, buffers: parts });
    await volume.writev(parts);
    expect(volume.tell()).toBe(5);
    const into = [Buffer.alloc(3), Buffer.alloc(2)];
    expect(await volume.readv(into, 50)).toEqual({ bytesRead: 5, buffers: into });
    expect(into.map(String)).toEqual(["abc", "de"]);
    expect((await volume.readv(into, 97)).bytesRead).toBe(3);
    await expect(volume.writev(parts, 97)).rejects.toEqual(code("ERR_OUT_OF_RANGE"));
    await expect(volume.writev(parts[0] as never)).rejects.toEqual(code("ERR_INVALID_ARGUMENT"));
  });

  it("are all: nothing that is given is passed over", async () => {
    await using volume = await openMemory();
    const buffer = Buffer.alloc(16);
    const mistakes: [unknown[], string][] = [
      [[buffer, 8192], "ERR_OUT_OF_RANGE"],
      [[buffer, 8, 9], "ERR_OUT_OF_RANGE"],
      [[buffer, 0, 16, -1], "ERR_OUT_OF_RANGE"],
      [[buffer, "utf8"], "ERR_INVALID_ARGUMENT"],
      [[buffer, 0, 16, "0"], "ERR_INVALID_ARGUMENT"],
      [[buffer, { position: 0 }, 16], "ERR_INVALID_ARGUMENT"],
      [[buffer, 0, 16, 0, 0], "ERR_INVALID_ARGUMENT"],
      [[buffer, { positon: 8192 }], "ERR_INVALID_ARGUMENT"],
    ];
    for (const [asked, expected] of mistakes) {
      await expect(Reflect.apply(volume.read, volume, asked)).rejects.toEqual(code(expected));
      await expect(Reflect.apply(volume.write, volume, asked)).rejects.toEqual(code(expected));
    }
    await expect(Reflect.apply(volume.write, volume, ["text", 0])).rejects.toEqual(
      code("ERR_INVALID_ARGUMENT"),
    );
    expect(volume.tell()).toBe(0);
  });
});
