import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { copyVolume, openVolume, planCopy, registerDriver, type VolumeDriver } from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";
import { afterAll, describe, expect, it } from "vitest";

import { blockDriver } from "../../src/drivers/block.js";
import { native } from "../../src/native.js";
import { losetup } from "../support/loop.js";
import { itWhere } from "../support/needs.js";

const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-block-"));
const attached = new Set<string>();
let count = 0;

afterAll(() => {
  for (const device of [...attached]) detach(device);
  rmSync(folder, { recursive: true });
});

function newFile(size: number): string {
  count += 1;
  const file = path.join(folder, `${count}.img`);
  writeFileSync(file, "");
  truncateSync(file, size);
  return file;
}

function writeAt(file: string, bytes: Uint8Array, position: number): void {
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, bytes, 0, bytes.length, position);
  closeSync(descriptor);
}

/** As a driver does that makes its devices itself. */
const justMade: VolumeDriver<string> = {
  name: "just-made",
  schemes: ["just-made"],
  summary: "block devices that are zero",
  refForms: ["just-made:PATH"],
  supports: {
    write: true,
    create: false,
    createOptions: [],
    extents: false,
    zero: true,
    snapshots: false,
    delete: false,
  },
  parseRef: (ref) => ref.slice("just-made:".length),
  openVolume: async (path, { mode }) => ({
    volume: await native().openPosix({ path, mode, kind: "block", provenZero: true }),
  }),
};

function attach(file: string, ...options: string[]): string {
  const [program, ...args] = losetup(...options, file);
  const device = execFileSync(program, args, { encoding: "utf8" }).trim();
  attached.add(device);
  return device;
}

function detach(device: string): void {
  execFileSync("losetup", ["--detach", device]);
  attached.delete(device);
}

/** Why there are no loop devices here; undefined where there are. */
function reasonToSkip(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may make loop devices";
  try {
    detach(attach(newFile(4096)));
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split("\n")[1] ?? error.message) : String(error);
  }
}

const reason = reasonToSkip();
if (reason !== undefined) {
  itWhere(reason)("driver block");
} else {
  for (const sectorSize of [512, 4096]) testSectorSize(sectorSize);
  testDevices();
}

function testSectorSize(sectorSize: number): void {
  testDriver({
    test: { describe, it },
    driver: blockDriver,
    label: `block, sectors of ${sectorSize} bytes`,
    sizeUnit: sectorSize,
    provide: (size) => {
      const file = newFile(size);
      const device = attach(file, "--sector-size", String(sectorSize));
      return {
        ref: device,
        remove: () => {
          detach(device);
          rmSync(file);
        },
      };
    },
    absent: () => ({ ref: "block:/dev/blockhaul-no-such-device" }),
    malformedRefs: ["block:", "block://host/dev/sda", "file:/dev/sda"],
  });
}

/** A page of a device in the page cache that holds other bytes than the medium by now. */
async function withStalePage(
  sectorSize: number,
  body: (device: string, file: string, fresh: Buffer) => Promise<void>,
): Promise<void> {
  const size = 64 * 1024;
  const file = newFile(size);
  writeAt(file, Buffer.alloc(size, "stale"), 0);
  const device = attach(file, "--sector-size", String(sectorSize));
  // As whoever probes a device does in the middle of a copy onto it.
  const prober = openSync(device, "r");
  try {
    readSync(prober, Buffer.alloc(size), 0, size, 0);
    const fresh = Buffer.alloc(size, "fresh!");
    writeAt(file, fresh, 0);
    const seen = Buffer.alloc(size);
    readSync(prober, seen, 0, size, 0);
    expect(seen.toString("latin1", 0, 5)).toBe("stale");
    await body(device, file, fresh);
  } finally {
    closeSync(prober);
    detach(device);
  }
}

function testDevices(): void {
  describe.each([512, 4096])(
    "a block device with a stale page, sectors of %i bytes",
    (sectorSize) => {
      it("keeps the neighbours of what is written at odd places", () =>
        withStalePage(sectorSize, async (device, file, fresh) => {
          const volume = await openVolume(device, { mode: "write" });
          for (const [position, length] of [
            [100, 10],
            [4000, 5000],
            [40_001, 1],
            [fresh.length - 3, 3],
          ] as const) {
            const bytes = Buffer.alloc(length, "written");
            await volume.write(bytes, { position });
            bytes.copy(fresh, position);
          }
          await volume.close();
          expect(readFileSync(file).equals(fresh)).toBe(true);
        }));

      it("is read from the medium at odd places", () =>
        withStalePage(sectorSize, async (device, _, fresh) => {
          await using volume = await openVolume(device);
          for (const [position, length] of [
            [1, 1],
            [4001, 9000],
            [fresh.length - 5, 5],
          ] as const) {
            const { buffer } = await volume.read(Buffer.alloc(length), { position });
            expect(buffer.equals(fresh.subarray(position, position + length))).toBe(true);
          }
        }));

      it("takes an odd tail without the old bytes around it", () =>
        withStalePage(sectorSize, async (device, file, fresh) => {
          const source = newFile(0);
          const content = Buffer.alloc(20_513, "the source");
          writeFileSync(source, content);
          await using from = await openVolume(source);
          const target = await openVolume(device, { mode: "write" });
          await copyVolume(from, target);
          await target.close();
          content.copy(fresh, 0);
          expect(readFileSync(file).equals(fresh)).toBe(true);
        }));
    },
  );

  describe("a block device", () => {
    it("keeps all of many odd writes into the same blocks", async () => {
      const size = 64 * 1024;
      const file = newFile(size);
      const volume = await openVolume(attach(file, "--sector-size", "4096"), { mode: "write" });
      const expected = Buffer.alloc(size);
      const writes = Array.from({ length: 600 }, (_, index) => {
        const position = index * 109;
        const bytes = Buffer.alloc(109, index + 1);
        bytes.copy(expected, position, 0, Math.min(109, size - position));
        return volume.write(bytes.subarray(0, size - position), { position });
      });
      await Promise.all(writes);
      await volume.close();
      expect(readFileSync(file).equals(expected)).toBe(true);
    });

    it("says how large its sectors are", async () => {
      for (const sectorSize of [512, 4096]) {
        const device = attach(newFile(1024 ** 2), "--sector-size", String(sectorSize));
        await using volume = await openVolume(device);
        expect(volume.info).toMatchObject({
          kind: "block",
          driver: "block",
          blockSize: sectorSize,
        });
      }
    });

    it("is written to by one only", async () => {
      const device = attach(newFile(1024 ** 2));
      await using _first = await openVolume(device, { mode: "write" });
      await expect(openVolume(device, { mode: "write" })).rejects.toMatchObject({
        code: "ERR_IN_USE",
        errnoName: "EBUSY",
      });
    });

    it("is claimed to be read where that is asked for, and refused where somebody else has", async () => {
      const device = attach(newFile(4096));
      {
        await using first = await openVolume(device, { exclusive: true });
        expect(first.info.readOnly).toBe(true);
        const refused = { code: "ERR_IN_USE", hint: expect.not.stringContaining("--allow") };
        const second = openVolume(device, { exclusive: true });
        await expect(second).rejects.toMatchObject(refused);
        const writing = openVolume(device, { mode: "write" });
        await expect(writing).rejects.toMatchObject({ code: "ERR_IN_USE" });
        // Whoever does not ask is let in, as ever.
        await using _ = await openVolume(device);
      }
      await using _ = await openVolume(device, { mode: "write" });
    });

    it("that is write-protected is refused", async () => {
      const device = attach(newFile(1024 ** 2), "--read-only");
      const opening = openVolume(device, { mode: "write" });
      await expect(opening).rejects.toMatchObject({ code: "ERR_READ_ONLY" });
    });

    it("is the same volume as the file behind it", async () => {
      const file = newFile(1024 ** 2);
      await using source = await openVolume(file);
      await using target = await openVolume(attach(file), { mode: "write" });
      await expect(copyVolume(source, target)).rejects.toMatchObject({ code: "ERR_SAME_VOLUME" });
    });

    it("that is a part of a file overlaps what is written of that, if it does", async () => {
      const file = newFile(1024 ** 2);
      const partFrom = (offset: number) =>
        attach(file, "--offset", String(offset), "--sizelimit", String(512 * 1024));
      await using target = await openVolume(file, { mode: "write" });
      await using first = await openVolume(partFrom(256 * 1024));
      await using second = await openVolume(partFrom(512 * 1024));
      const overlapping = expect.objectContaining({ code: "ERR_SAME_VOLUME" });
      expect(() => planCopy(first, target)).toThrowError(overlapping);
      expect(planCopy(second, target)).toMatchObject({ size: 512 * 1024 });
    });

    it("that its driver has just made is not sent zeros, until it is written to", async () => {
      registerDriver(justMade);
      const size = 8 * 1024 ** 2;
      const source = newFile(size);
      const content = Buffer.alloc(4096, 7);
      writeAt(source, content, 5 * 1024 ** 2);
      const backing = newFile(size);
      const device = attach(backing);
      {
        await using from = await openVolume(source);
        await using target = await openVolume(`just-made:${device}`, { mode: "write" });
        expect(target.info.zeroState).toBe("proven-zero");
        const copied = await copyVolume(from, target);
        expect(copied).toMatchObject({ written: 4096, zeroed: 0, skipped: size - 4096 });
        expect(await copyVolume(from, target)).toMatchObject({ skipped: 0 });
      }
      expect(readFileSync(backing).equals(readFileSync(source))).toBe(true);

      await using target = await openVolume(`just-made:${attach(newFile(size))}`, {
        mode: "write",
      });
      await target.write(content, { position: 0 });
      await using from = await openVolume(source);
      expect(await copyVolume(from, target)).toMatchObject({ skipped: 0 });
    });

    it("is known to be zero only where it is to be written", async () => {
      const claim = { path: attach(newFile(4096)), provenZero: true } as const;
      for (const other of [
        { ...claim, mode: "read", kind: "block" },
        { ...claim, mode: "write", kind: "any" },
        { ...claim, path: newFile(4096), mode: "write", kind: "file" },
      ] as const) {
        const opening = native().openPosix(other);
        await expect(opening).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
      }
    });

    it("is not created", async () => {
      const opening = openVolume(attach(newFile(4096)), { mode: "write", create: { size: 4096 } });
      await expect(opening).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    });
  });
}
