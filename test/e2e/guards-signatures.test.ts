import { execFileSync } from "node:child_process";
import { copyFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import {
  BlockhaulError,
  checkGuards,
  copyVolume,
  type GuardFinding,
  noticesOf,
  openVolume,
  registerDriver,
  type Volume,
} from "blockhaul";
import { afterAll, afterEach, describe, expect, it } from "vitest";

import { JsVolumes } from "../support/js-volumes.js";
import { LoopDevices } from "../support/loop.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const loops = new LoopDevices();
const open: Volume[] = [];
const volumes = new JsVolumes();
registerDriver(volumes.driver);

afterEach(async () => {
  await Promise.all(open.splice(0).map((volume) => volume.close()));
});
afterAll(async () => {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

async function volume(ref: string, mode: "read" | "write" = "read"): Promise<Volume> {
  const opened = await openVolume(ref, { mode });
  open.push(opened);
  return opened;
}

function image(name: string, size: number): string {
  const file = workspace.path(name);
  writeFileSync(file, "");
  truncateSync(file, size);
  return file;
}

const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { stdio: ["ignore", "pipe", "pipe"] });

async function signatureOf(target: Volume): Promise<GuardFinding | undefined> {
  const findings = await checkGuards(await volume(`zero:${1 * MiB}`), target);
  return findings.find(({ guard }) => guard === "signature");
}

/** What makes each with its own tool, and what libblkid calls it. */
const MAKERS: readonly (readonly [name: string, found: RegExp, make: (file: string) => unknown])[] =
  [
    ["ext4", /ext4 \(file system\) "root"/, (file) => run("mkfs.ext4", "-q", "-L", "root", file)],
    ["xfs", /xfs \(file system\)/, (file) => run("mkfs.xfs", "-q", file)],
    ["swap", /swap/, (file) => run("mkswap", file)],
    ["a GPT", /gpt \(partition table\)/, (file) => run("sgdisk", "--new=1", file)],
    ["an MBR", /dos \(partition table\)/, (file) => run("parted", "-s", file, "mklabel", "msdos")],
    ["LUKS", /crypto_LUKS \(encrypted volume\)/, (file) => formatLuks(file)],
  ];

function formatLuks(file: string): void {
  const options = ["--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
  execFileSync("cryptsetup", ["luksFormat", ...options, "--key-file", "-", file], {
    input: "password",
    stdio: ["pipe", "pipe", "pipe"],
  });
}

describe("the signature guard", () => {
  it.each(MAKERS)("refuses %s in an image", async (name, found, make) => {
    const file = image(`${name}.img`, 400 * MiB);
    make(file);
    expect(await signatureOf(await volume(file, "write"))).toMatchObject({
      state: "refused",
      found: expect.stringMatching(found),
    });
  });

  it.each([512, 4096] as const)(
    "refuses a GPT on a device with sectors of %s",
    async (sectorSize) => {
      const file = workspace.path(`sectors-${sectorSize}.img`);
      const device = await loops.attachNew(file, 16 * MiB, { sectorSize });
      run("sgdisk", "--new=1", device.path);
      expect((await signatureOf(await volume(device.path, "write")))?.state).toBe("refused");
      await loops.detach(device);
      // The same bytes where nothing tells the size of a sector.
      expect((await signatureOf(await volume(file, "write")))?.state).toBe("refused");
    },
  );

  it("refuses what is at the very end alone", async () => {
    const file = image("backup.img", 16 * MiB + 512);
    run("sgdisk", "--new=1", file);
    // All but the backup of the GPT.
    execFileSync("dd", [`of=${file}`, "if=/dev/zero", "bs=1M", "count=15", "conv=notrunc"], {
      stdio: "ignore",
    });
    expect((await signatureOf(await volume(file, "write")))?.found).toMatch(/gpt/);
  });

  it("refuses LUKS whose first header is gone", async () => {
    const file = image("luks-backup.img", 32 * MiB);
    formatLuks(file);
    execFileSync("dd", [`of=${file}`, "if=/dev/zero", "bs=4096", "count=1", "conv=notrunc"], {
      stdio: "ignore",
    });
    expect((await signatureOf(await volume(file, "write")))?.found).toMatch(/crypto_LUKS/);
  });

  it.each([0, 1, 511, 513, 4096, 5 * MiB, 6 * MiB - 1, 6 * MiB + 1])(
    "lets an empty image of %s bytes pass",
    async (size) => {
      const target = await volume(image("empty.img", size), "write");
      const findings = await checkGuards(await volume("zero:0"), target);
      const found = findings.filter(({ guard }) => guard !== "mounted" && guard !== "held");
      expect(found.filter(({ state }) => state !== "clear")).toEqual([]);
    },
  );

  it("lets random bytes, text and what was copied there before pass", async () => {
    const file = image("random.img", 8 * MiB);
    run("dd", "if=/dev/urandom", `of=${file}`, "bs=1M", "count=8", "conv=notrunc", "status=none");
    expect((await signatureOf(await volume(file, "write")))?.state).toBe("clear");
    const text = image("text.img", 3 * MiB);
    writeFileSync(text, "a text\n".repeat(300_000));
    expect((await signatureOf(await volume(text, "write")))?.state).toBe("clear");
  });

  it("changes nothing, and leaves no file behind", async () => {
    const file = image("kept.img", 64 * MiB);
    run("mkfs.ext4", "-q", file);
    const copy = workspace.path("kept.copy");
    copyFileSync(file, copy);
    const before = statSync(file).mtimeMs;
    const target = await volume(file, "write");
    await expect(copyVolume(await volume("pattern:1MiB:1"), target)).rejects.toMatchObject({
      code: "ERR_NOT_EMPTY",
      side: "target",
      hint: expect.stringContaining("--allow-signature"),
    });
    run("cmp", file, copy);
    expect(statSync(file).mtimeMs).toBe(before);
  });

  it("asks nothing of a target that was made for the copy", async () => {
    const source = await volume("zero:1MiB");
    const target = await openVolume(workspace.path("new.img"), {
      mode: "write",
      create: { size: MiB },
    });
    open.push(target);
    const find = async () =>
      (await checkGuards(source, target)).find(({ guard }) => guard === "signature");
    expect(await find()).toMatchObject({ state: "clear", found: "it is new" });
    await target.write(Buffer.from("x"), { position: 0 });
    expect((await find())?.found, "somebody wrote to it").not.toBe("it is new");
  });

  it("looks at volumes in JavaScript, too", async () => {
    const file = image("js.img", 16 * MiB);
    run("mkfs.ext4", "-q", file);
    const bytes = await volume(file);
    const guarded = volumes.add("guarded", {
      size: bytes.size,
      read: async (buffer, { position }) => {
        await bytes.read(buffer, { position });
      },
      write: async () => {
        throw new Error("nobody writes here");
      },
    });
    expect(await signatureOf(await volume(guarded, "write"))).toMatchObject({
      state: "refused",
      found: expect.stringContaining("ext4"),
    });
  });

  it("refuses a target that cannot be read, and says so", async () => {
    const unreadable = volumes.add("unreadable", {
      size: 4 * MiB,
      read: async () => {
        throw new BlockhaulError("ERR_IO", { message: "a bad block" });
      },
      write: async () => {},
    });
    expect(await signatureOf(await volume(unreadable, "write"))).toMatchObject({
      state: "refused",
      found: expect.stringContaining("nobody can say what is on it"),
    });
  });
});

describe("notices", () => {
  it("say that a larger target will have its GPT's backup in the wrong place", async () => {
    const file = image("gpt.img", 16 * MiB);
    run("sgdisk", "--new=1", file);
    const target = await volume(image("larger.img", 24 * MiB), "write");
    expect(await noticesOf(await volume(file), target)).toMatchObject([
      { notice: "larger-target", text: expect.stringContaining("8 MiB larger") },
      { notice: "gpt-backup", text: expect.stringContaining("sgdisk -e") },
    ]);
    const plain = await volume(image("plain.img", 16 * MiB));
    expect(await noticesOf(plain, target)).toMatchObject([{ notice: "larger-target" }]);
    expect(await noticesOf(await volume(file), await volume(file))).toEqual([]);
  });

  it("say that a partition table counts in sectors", async () => {
    const small = await loops.attachNew(workspace.path("512.img"), 16 * MiB);
    const large = await loops.attachNew(workspace.path("4096.img"), 16 * MiB, { sectorSize: 4096 });
    expect(await noticesOf(await volume(small.path), await volume(large.path, "write"))).toEqual(
      [],
    );
    await Promise.all(open.splice(0).map((volume) => volume.close()));
    run("sgdisk", "--new=1", small.path);
    run("sgdisk", "--new=1", large.path);
    for (const [from, to] of [
      [small, large],
      [large, small],
    ] as const) {
      expect(await noticesOf(await volume(from.path), await volume(to.path))).toMatchObject([
        { notice: "sector-size", text: expect.stringContaining("(gpt) counts in sectors") },
      ]);
    }
    expect(await noticesOf(await volume(small.path), await volume("null:", "write"))).toEqual([]);
  });
});
