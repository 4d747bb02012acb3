/** What once went wrong between copies, buffers and those who use them at the same time. */
import { writeFile } from "node:fs/promises";
import {
  BlockhaulError,
  copyVolume,
  type JsVolume,
  openVolume,
  registerDriver,
  type Volume,
} from "blockhaul";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { JsVolumes } from "../support/js-volumes.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const known = new JsVolumes();
registerDriver(known.driver);

const opened: Volume[] = [];
let workspace: Workspace;

async function open(ref: string, options?: Parameters<typeof openVolume>[1]): Promise<Volume> {
  const volume = await openVolume(ref, options);
  opened.push(volume);
  return volume;
}

function openJs(name: string, volume: JsVolume): Promise<Volume> {
  const options = volume.write === undefined ? {} : { mode: "write" as const };
  return open(known.add(name, volume), options);
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(async () => {
  await Promise.allSettled(opened.splice(0).map((volume) => volume.close()));
  workspace[Symbol.dispose]();
});

describe("a copy on several threads", () => {
  it("ends once, and after its last request, when one fails while others plan holes", async () => {
    for (let round = 0; round < 40; round += 1) {
      let underWay = 0;
      const source = await openJs(`holes-${round}`, {
        size: 1024 * MiB,
        async read(_buffer, { position }) {
          underWay += 1;
          await new Promise((resolve) => setImmediate(resolve));
          underWay -= 1;
          if (position > 0) throw Object.assign(new Error("medium"), { errno: 5 });
        },
        // Data in the first MiB of every 8, so that most pieces are zeros.
        *extents(position, length) {
          const step = 8 * MiB;
          for (let at = position - (position % step); at < position + length; at += step) {
            yield { offset: at, length: MiB, kind: "data" as const };
            yield { offset: at + MiB, length: step - MiB, kind: "hole" as const };
          }
        },
      });
      const target = await open("null:", { mode: "write", create: { size: 1024 * MiB } });
      await expect(copyVolume(source, target, { threads: 6 })).rejects.toMatchObject({
        code: "ERR_IO",
        side: "source",
      });
      expect(underWay).toBe(0);
    }
  });
});

describe("a target that was made for a copy", () => {
  it("is proven to be zero no longer once somebody else wrote to it", async () => {
    const file = workspace.path("target.img");
    const target = await open(file, { mode: "write", create: { size: MiB } });
    await writeFile(file, Buffer.alloc(MiB, 0xff));
    const report = await copyVolume(await open("zero:1MiB"), target);
    expect(report.skipped).toBe(0);
    const buffer = Buffer.alloc(MiB);
    await target.read(buffer, { position: 0 });
    expect(buffer.equals(Buffer.alloc(MiB))).toBe(true);
  });

  it("is one copy's alone, and proven to be zero for none that comes after it", async () => {
    const file = workspace.path("target.img");
    const target = await open(file, { mode: "write", create: { size: 16 * MiB } });
    const sources = [await open("zero:16MiB"), await open("zero:8MiB")];
    const ended = await Promise.allSettled(sources.map((source) => copyVolume(source, target)));
    // Which of the two comes first to the lock is nobody's promise.
    const [refused, ...others] = ended.filter(({ status }) => status === "rejected");
    expect(refused).toMatchObject({ reason: { code: "ERR_IN_USE" } });
    expect(others).toEqual([]);
    const [done] = ended.filter((one) => one.status === "fulfilled");
    expect(done?.value.skipped).toBe(done?.value.size);
    expect(await copyVolume(await open("zero:8MiB"), target)).toMatchObject({ skipped: 0 });
  });
});

describe("users of one source", () => {
  it("keep their maps when somebody else's copy ends", async () => {
    const asked = [deferred(), deferred()];
    let firstEnded: Promise<unknown> = Promise.resolve();
    let maps = 0;
    const source = await openJs("shared", {
      size: 64 * MiB,
      async read(buffer) {
        buffer.fill(1);
      },
      async extents(offset, length) {
        const mine = maps;
        maps += 1;
        asked[mine]?.resolve();
        // The second is still waiting for its answer when the first has ended.
        await (mine === 0 ? asked[1]?.promise : firstEnded);
        return [{ offset, length, kind: "hole" as const }];
      },
    });
    const [one, two] = await Promise.all(
      [1, 2].map(() => open("null:", { mode: "write", create: { size: 64 * MiB } })),
    );
    if (one === undefined || two === undefined) throw new Error("no targets");
    const first = copyVolume(source, one);
    firstEnded = first;
    await asked[0]?.promise;
    const second = copyVolume(source, two);
    expect((await first).read).toBe(0);
    expect((await second).read).toBe(0);
  });

  it("may give a buffer away while it is being read into", async () => {
    const source = await open("pattern:1MiB:1");
    const buffer = new Uint8Array(MiB);
    const reading = source.read(buffer, { position: 0 });
    structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
    globalThis.gc?.();
    await expect(reading).rejects.toBeInstanceOf(BlockhaulError);
  });
});

describe("a JavaScript volume", () => {
  it("has its author's newest error told, however often it could not zero before", async () => {
    const target = await openJs("unzeroable", {
      size: 16 * MiB,
      read: async () => {},
      async write() {
        throw new BlockhaulError("ERR_TIMEOUT", { message: "the array timed out" });
      },
      async zero() {
        throw new BlockhaulError("ERR_UNSUPPORTED");
      },
    });
    for (let round = 0; round < 70; round += 1) {
      await expect(target.zero(0, 4096)).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    }
    await expect(target.write(Buffer.alloc(512), { position: 0 })).rejects.toMatchObject({
      code: "ERR_TIMEOUT",
    });
  });
});
