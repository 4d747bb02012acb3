import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { statfs } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";

import { checkOwn, readOwn, readTrusted, requireTrusted } from "../../../src/system/trusted.js";
import { itWhere, needsRoot } from "../../support/needs.js";
import { Workspace } from "../../support/workspace.js";

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return { ...real, statfs: vi.fn(real.statfs) };
});

const STRANGER = 65534;
const workspace = new Workspace();
let count = 0;
afterAll(() => workspace[Symbol.dispose]());
afterEach(() => {
  vi.restoreAllMocks();
  vi.mocked(statfs).mockReset();
});

/** A file in a folder of its own. */
function newFile(text = "text"): { file: string; above: string } {
  const above = workspace.path(`folder-${count++}`);
  mkdirSync(above, { mode: 0o755 });
  const file = path.join(above, "file");
  writeFileSync(file, text, { mode: 0o644 });
  return { file, above };
}

async function messageOf(looking: Promise<unknown>): Promise<string> {
  const error = await looking.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toMatchObject({ code: "ERR_PERMISSION" });
  return error.message;
}

describe("a path is trusted", () => {
  it("where it and all folders above it are root's or one's own; a sticky one may be above", async () => {
    // The workspace is in /tmp.
    const { file, above } = newFile();
    expect((await requireTrusted(file, "file")).real).toBe(file);
    expect((await requireTrusted(above, "entry")).status?.isDirectory()).toBe(true);
    expect((await readTrusted(file, 100))?.toString()).toBe("text");
  });

  it("by a relative path, too", async () => {
    const { file, above } = newFile();
    const before = process.cwd();
    process.chdir(above);
    try {
      expect((await requireTrusted("file", "file")).real).toBe(file);
      chmodSync(above, 0o775);
      expect(await messageOf(requireTrusted("./file", "file"))).toContain("written to by others");
    } finally {
      process.chdir(before);
    }
  });

  it("where it is missing, as far as it is there", async () => {
    const { above, file } = newFile();
    const missing = path.join(above, "none", "deep");
    expect(await requireTrusted(missing, "file")).toEqual({ real: missing, status: undefined });
    expect(await requireTrusted(`${file}/below`, "file")).toMatchObject({ status: undefined });
    expect(await readTrusted(missing, 10)).toBeUndefined();
    chmodSync(above, 0o757);
    expect(await messageOf(requireTrusted(missing, "file"))).toMatch(
      new RegExp(
        `^lies in ${above}, which can be written to by others \\(mode 0757\\): chmod go-w`,
      ),
    );
  });

  it("through links of one's own, whose end it says", async () => {
    const { file, above } = newFile();
    const link = workspace.path("way");
    symlinkSync(above, link);
    symlinkSync("../way/file", path.join(above, "around"));
    expect((await requireTrusted(path.join(above, "around"), "file")).real).toBe(file);
    // ".." of what the link leads to, not of where it lies.
    expect((await requireTrusted(`${link}/../way/file`, "file")).real).toBe(file);
    chmodSync(above, 0o775);
    expect(await messageOf(requireTrusted(`${link}/file`, "file"))).toContain(above);
    rmSync(link);
  });

  it("through no links without end", async () => {
    const link = workspace.path("endless");
    symlinkSync(link, link);
    await expect(requireTrusted(link, "file")).rejects.toMatchObject({ code: "ERR_NOT_FOUND" });
  });
});

describe("a path is not trusted", () => {
  it.each([0o664, 0o646, 0o620, 0o602])("that others can write to: %o", async (mode) => {
    const { file } = newFile();
    chmodSync(file, mode);
    const octal = mode.toString(8);
    expect(await messageOf(readTrusted(file, 100))).toBe(
      `can be written to by others (mode 0${octal}): chmod go-w ${file}`,
    );
  });

  it.each([0o775, 0o757, 0o777])("in a folder that others can write to: %o", async (mode) => {
    const { file, above } = newFile();
    mkdirSync(path.join(above, "inner"));
    renameSync(file, path.join(above, "inner", "file"));
    chmodSync(above, mode);
    expect(await messageOf(readTrusted(path.join(above, "inner", "file"), 100))).toBe(
      `lies in ${above}, which can be written to by others (mode 0${mode.toString(8)}): chmod go-w ${above}`,
    );
  });

  it("in a sticky folder, as a file: anybody can put one there", async () => {
    const { file, above } = newFile();
    chmodSync(above, 0o1777);
    expect(await messageOf(readTrusted(file, 100))).toMatch(
      /which can be written to by others \(mode 1777\): move it to a folder of your own$/,
    );
    expect((await requireTrusted(file, "entry")).real).toBe(file);
    expect(await messageOf(requireTrusted(above, "entry"))).toContain("written to by others");
    mkdirSync(path.join(above, "x"));
    expect(await messageOf(requireTrusted(`${above}/x/..`, "entry"))).toContain("mode 1777");
  });

  itWhere(needsRoot)(
    "that is another user's, or lies in a folder or behind a link that is",
    async () => {
      const { file, above } = newFile();
      chownSync(file, STRANGER, STRANGER);
      expect(await messageOf(readTrusted(file, 100))).toBe(
        `belongs to another user (${STRANGER}): it has to be root's`,
      );
      chownSync(file, 0, 0);
      chownSync(above, STRANGER, STRANGER);
      expect(await messageOf(readTrusted(file, 100))).toMatch(
        new RegExp(`^lies in ${above}, which belongs to another user`),
      );
      chownSync(above, 0, 0);
      const link = workspace.path("foreign-link");
      symlinkSync(file, link);
      expect((await readTrusted(link, 100))?.toString()).toBe("text");
      lchownSync(link, STRANGER, STRANGER);
      expect(await messageOf(readTrusted(link, 100))).toMatch(
        new RegExp(`^is reached through the link ${link}, which belongs to another user`),
      );
    },
  );

  it("that is another user's than root's, for an ordinary user", async () => {
    const { file } = newFile();
    vi.spyOn(process, "geteuid").mockReturnValue(12_345);
    if (needsRoot === undefined) expect((await readTrusted(file, 100))?.toString()).toBe("text");
    chmodSync(file, 0o664);
    expect(await messageOf(readTrusted(file, 100))).toContain("others");
  });

  it("that lies in /proc, whose files are whose process it is", async () => {
    expect(await messageOf(readTrusted("/proc/self/status", 100))).toMatch(
      /^lies below \/proc on proc, where the owners of files say nothing: move it/,
    );
    const { file } = newFile();
    expect(await messageOf(readTrusted(`/proc/self/root${file}`, 100))).toContain("on proc");
    expect(await readTrusted("/proc/none", 100)).toBeUndefined();
  });

  itWhere(needsRoot)("that root finds on a file system without owners", async () => {
    const { file } = newFile();
    vi.mocked(statfs).mockResolvedValue({ type: 0x65735546 } as never);
    expect(await messageOf(readTrusted(file, 100))).toMatch(/^lies below \/ on FUSE/);
    vi.spyOn(process, "geteuid").mockReturnValue(12_345);
    expect((await readTrusted(file, 100))?.toString()).toBe("text");
  });
});

describe("a trusted file", () => {
  it("is a regular one: no folder, no device", async () => {
    const { above } = newFile();
    mkdirSync(path.join(above, "inner"));
    await expect(readTrusted(path.join(above, "inner"), 9)).rejects.toThrow("is no file");
    await expect(readTrusted("/dev/null", 9)).rejects.toMatchObject({
      message: /is no file|others/,
    });
  });

  it("is read up to the size that it may have", async () => {
    const { file } = newFile("x".repeat(100_000));
    expect(await readTrusted(file, 100_000)).toEqual(readFileSync(file));
    await expect(readTrusted(file, 65_536)).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
      message: "is larger than 64 KiB",
    });
  });

  it("that has a second name elsewhere is still the one that was looked at", async () => {
    const { file, above } = newFile();
    linkSync(file, path.join(above, "second"));
    expect((await readTrusted(file, 100))?.toString()).toBe("text");
  });
});

describe("a file in a folder that was found good", () => {
  it("is read where it is one's own, and no link", async () => {
    const { file, above } = newFile();
    expect((await readOwn(file, 100))?.toString()).toBe("text");
    expect(await checkOwn(file)).toBe(true);
    expect(await readOwn(`${above}/none`, 100)).toBeUndefined();
    expect(await checkOwn(`${above}/none`)).toBe(false);
    symlinkSync("file", `${above}/link`);
    expect(await messageOf(readOwn(`${above}/link`, 100))).toBe(
      "is a link, which is not followed here",
    );
    expect(await messageOf(checkOwn(`${above}/link`))).toContain("is a link");
    chmodSync(file, 0o660);
    expect(await messageOf(readOwn(file, 100))).toContain(`others (mode 0660): chmod go-w ${file}`);
    expect(await messageOf(checkOwn(file))).toContain("mode 0660");
    mkdirSync(`${above}/inner`);
    await expect(readOwn(`${above}/inner`, 100)).rejects.toThrow("is no file");
    await expect(checkOwn(`${above}/inner`)).rejects.toThrow("is no file");
  });

  itWhere(needsRoot)("is refused where it is another user's", async () => {
    const { file } = newFile();
    chownSync(file, STRANGER, STRANGER);
    expect(await messageOf(readOwn(file, 100))).toContain("belongs to another user");
    expect(await messageOf(checkOwn(file))).toContain("belongs to another user");
  });

  it("is not waited for where it is a pipe", async () => {
    const { above } = newFile();
    execFileSync("mkfifo", ["-m", "600", `${above}/pipe`]);
    await expect(readOwn(`${above}/pipe`, 100)).rejects.toThrow("is no file");
  });
});
