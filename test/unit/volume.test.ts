import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { finished } from "node:stream/promises";
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

describe("the streams of a volume", () => {
  it("refuse ranges that are none", async () => {
    await using volume = await openMemory(1000);
    for (const range of [{ start: 1001 }, { end: 1000 }, { start: 10, end: 5 }]) {
      expect(() => volume.createReadStream(range)).toThrowError(code("ERR_OUT_OF_RANGE"));
      expect(() => volume.createWriteStream(range)).toThrowError(code("ERR_OUT_OF_RANGE"));
    }
    expect(() => volume.createReadStream({ highWaterMark: 0 })).toThrowError(
      code("ERR_INVALID_ARGUMENT"),
    );
  });

  it("take no byte beyond their end, though the volume goes on", async () => {
    await using volume = await openMemory(1000);
    const stream = volume.createWriteStream({ start: 100, end: 199 });
    stream.write(Buffer.alloc(100, 1));
    stream.end(Buffer.alloc(1, 2));
    await expect(finished(stream)).rejects.toEqual(code("ERR_OUT_OF_RANGE"));
    const buffer = Buffer.alloc(101);
    await volume.read(buffer, { position: 100 });
    expect(buffer.indexOf(0)).toBe(100);
  });

  it("may be of no byte at all", async () => {
    await using volume = await openMemory(1000);
    for await (const _ of volume.createReadStream({ start: 1000 })) expect.unreachable();
    await finished(volume.createWriteStream({ start: 1000 }).end());
  });

  it("read ahead no further than their buffer", async () => {
    let asked = 0;
    registerDriver({
      ...memoryDriver,
      name: "counting",
      schemes: ["counting"],
      parseRef: (ref) => ref,
      openVolume: async () => ({
        volume: {
          size: 1024 ** 3,
          read: (buffer) => {
            asked += buffer.byteLength;
          },
        },
      }),
    });
    await using volume = await openVolume("counting:");
    const stream = volume.createReadStream({ highWaterMark: 64 * 1024 });
    await new Promise((resolve) => stream.once("readable", resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked).toBeLessThanOrEqual(4 * 64 * 1024);
    stream.destroy();
  });

  it("leave the volume open", async () => {
    await using volume = await openMemory(1000);
    for await (const _ of volume.createReadStream());
    await finished(volume.createWriteStream().end(Buffer.alloc(10)));
    await volume.read(Buffer.alloc(1), { position: 0 });
  });
});
