import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { copyVolume, openVolume } from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";
import { afterAll, describe, expect, it } from "vitest";

import { blockDriver } from "../../src/drivers/block.js";

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

function attach(file: string, ...options: string[]): string {
  const args = ["--find", "--show", ...options, file];
  const device = execFileSync("losetup", args, { encoding: "utf8" }).trim();
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
  console.warn(`SKIPPED: block devices were not tested: ${reason}`);
  describe.skip(`driver block (${reason})`, () => it("needs loop devices", () => {}));
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

function testDevices(): void {
  describe("a block device", () => {
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

    it("is not created", async () => {
      const opening = openVolume(attach(newFile(4096)), { mode: "write", create: { size: 4096 } });
      await expect(opening).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    });
  });
}
