import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { link, mkdir, readFile, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { copyVolume, openVolume, planCopy } from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";
import { afterAll, describe, expect, it } from "vitest";

import { fileDriver } from "../../src/drivers/file.js";

const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-file-"));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
const newPath = () => {
  count += 1;
  return path.join(folder, `${count}.img`);
};
const absent = (prefix: string) => () => {
  const file = newPath();
  return { ref: `${prefix}${file}`, remove: () => rmSync(file, { force: true }) };
};

for (const prefix of ["", "file:"]) {
  testDriver({
    test: { describe, it },
    driver: fileDriver,
    label: prefix === "" ? "file, by its path" : "file, by its scheme",
    provide: (size) => {
      const provided = absent(prefix)();
      writeFileSync(provided.ref.slice(prefix.length), Buffer.alloc(size, 0x5a));
      return provided;
    },
    absent: absent(prefix),
    backend: () => ({ directory: folder }),
    malformedRefs: ["file:", "file://host/path", "file:////%00", "block:x"],
  });
}

describe("an image file", () => {
  it.each([1, 511, 512, 513, 4095, 4096, 4 * 1024 ** 2 - 1, 4 * 1024 ** 2 + 1])(
    "of %i bytes is copied to the byte",
    async (size) => {
      const [from, to] = [newPath(), newPath()];
      const bytes = Buffer.alloc(size, "blockhaul");
      await writeFile(from, bytes);
      await using source = await openVolume(from);
      await using target = await openVolume(to, { mode: "write", create: { size } });
      await copyVolume(source, target);
      expect((await readFile(to)).equals(bytes)).toBe(true);
    },
  );

  it("without a byte is copied, too", async () => {
    const from = newPath();
    await writeFile(from, "");
    await using source = await openVolume(from);
    await using target = await openVolume("null:", { mode: "write" });
    await expect(copyVolume(source, target)).resolves.toMatchObject({ size: 0 });
  });

  it("stays sparse in a new file", async () => {
    const [from, to] = [newPath(), newPath()];
    await writeFile(from, Buffer.alloc(64 * 1024, 1));
    await truncate(from, 1024 ** 3);
    await using source = await openVolume(from);
    await using target = await openVolume(to, { mode: "write", create: { size: 1024 ** 3 } });
    const report = await copyVolume(source, target);
    expect(report.skipped).toBe(1024 ** 3 - 64 * 1024);
    expect((await stat(to)).blocks * 512).toBeLessThan(1024 ** 2);
  });

  it("is the same volume under every name", async () => {
    const [file, hard, soft] = [newPath(), newPath(), newPath()];
    await writeFile(file, Buffer.alloc(4096, 1));
    await link(file, hard);
    await symlink(file, soft);
    for (const other of [hard, soft, `file:${file}`, path.relative(process.cwd(), file)]) {
      await using source = await openVolume(file);
      await using target = await openVolume(other, { mode: "write" });
      const same = expect.objectContaining({ code: "ERR_SAME_VOLUME" });
      await expect(copyVolume(source, target)).rejects.toEqual(same);
      // By what they are alone, before a guard asks the host.
      expect(() => planCopy(source, target)).toThrowError(same);
    }
  });

  it.each([
    ["a directory", () => folder, "ERR_NOT_A_VOLUME"],
    ["a character device", () => "/dev/null", "ERR_NOT_A_VOLUME"],
    ["a path through a file", () => "/etc/passwd/x", "ERR_NOT_FOUND"],
    ["a missing file", newPath, "ERR_NOT_FOUND"],
    ["a regular file as block:", () => "block:/etc/passwd", "ERR_NOT_A_VOLUME"],
  ])("is not %s", async (_what, ref, code) => {
    await expect(openVolume(ref())).rejects.toMatchObject({ code });
  });

  it("is not made in a directory that is not there, nor in /dev", async () => {
    const create = { size: 4096 };
    const missing = openVolume(path.join(folder, "no", "x.img"), { mode: "write", create });
    await expect(missing).rejects.toMatchObject({
      code: "ERR_NOT_FOUND",
      hint: expect.stringContaining(`mkdir -p ${path.join(folder, "no")}`),
    });
    const device = openVolume("/dev/blockhaul-no-such-device", { mode: "write", create });
    await expect(device).rejects.toMatchObject({ code: "ERR_NOT_FOUND" });
    await expect(stat("/dev/blockhaul-no-such-device")).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("is not made at the end of a dangling link", async () => {
    const [link, end] = [newPath(), newPath()];
    await symlink(end, link);
    const opening = openVolume(link, { mode: "write", create: { size: 4096 } });
    await expect(opening).rejects.toMatchObject({ code: "ERR_NOT_FOUND" });
    await expect(stat(end)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("may have a name full of colons, spaces and percent signs", async () => {
    const odd = path.join(folder, "a:b c%20d");
    await mkdir(odd);
    for (const name of ["x:y.img", " ", "100%"]) {
      const file = path.join(odd, name);
      await using volume = await openVolume(file, { mode: "write", create: { size: 10 } });
      expect(volume.size).toBe(10);
      await stat(file);
    }
  });
});
