import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";

import {
  checkDurable,
  fileOfDraft,
  removeDrafts,
  removeDurably,
  writeDurably,
} from "../../../src/system/durable-file.js";
import { itWhere, needsRoot } from "../../support/needs.js";
import { Workspace } from "../../support/workspace.js";

const workspace = new Workspace();
let count = 0;

afterAll(() => workspace[Symbol.dispose]());

const newFolder = () => workspace.path(`folder-${count++}`);
const modeOf = (file: string) => statSync(file).mode & 0o777;

describe("writeDurably", () => {
  it("makes the file and the folders on the way to it, for their owner only", async () => {
    const folder = newFolder();
    const file = path.join(folder, "inner", "record");
    await writeDurably(file, "text");
    expect(readFileSync(file, "utf8")).toBe("text");
    expect([file, path.dirname(file), folder].map(modeOf)).toEqual([0o600, 0o700, 0o700]);
    expect(readdirSync(path.dirname(file))).toEqual(["record"]);
  });

  it("puts another file in the place of the one that is there, and leaves that as it is", async () => {
    const file = path.join(newFolder(), "record");
    await writeDurably(file, "first");
    chmodSync(file, 0o644);
    const before = statSync(file).ino;
    await writeDurably(file, "second");
    expect(readFileSync(file, "utf8")).toBe("second");
    expect(statSync(file).ino).not.toBe(before);
    expect(modeOf(file)).toBe(0o600);
  });

  it("flushes the new text before it gets the name, and the name afterwards", async () => {
    const file = path.join(newFolder(), "record");
    await writeDurably(file, "first");
    const handle = await open(file);
    const prototype = Object.getPrototypeOf(handle);
    await handle.close();
    const seen: string[] = [];
    const { sync } = prototype;
    const spy = vi.spyOn(prototype, "sync").mockImplementation(async function (this: unknown) {
      seen.push(readFileSync(file, "utf8"));
      await sync.call(this);
    });
    await writeDurably(file, "second");
    expect(seen).toEqual(["first", "second"]);
    spy.mockRestore();
  });

  it("takes the place of a link, not of what it leads to", async () => {
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(path.join(folder, "precious"), "precious");
    symlinkSync("precious", path.join(folder, "record"));
    await writeDurably(path.join(folder, "record"), "text");
    expect(readFileSync(path.join(folder, "precious"), "utf8")).toBe("precious");
    expect(readFileSync(path.join(folder, "record"), "utf8")).toBe("text");
  });

  it("has names for what is not whole that nobody can know before, and that say of what it is", async () => {
    const file = path.join(newFolder(), "record");
    const drafts = new Set<string>();
    async function* text() {
      for (const name of readdirSync(path.dirname(file))) drafts.add(name);
      yield "text";
    }
    for (let round = 0; round < 3; round += 1) await writeDurably(file, text());
    drafts.delete("record");
    expect(drafts.size).toBe(3);
    for (const draft of drafts) expect(fileOfDraft(`/x/${draft}`)).toBe("/x/record");
    expect(fileOfDraft("/x/record")).toBeUndefined();
    expect(fileOfDraft("/x/.record.new")).toBeUndefined();
  });

  it("takes a name as long as a file can have", async () => {
    const file = path.join(newFolder(), "ä".repeat(127));
    await writeDurably(file, "text");
    expect(readFileSync(file, "utf8")).toBe("text");
    const tooLong = path.join(path.dirname(file), "x".repeat(256));
    await expect(writeDurably(tooLong, "text")).rejects.toMatchObject({ code: "ENAMETOOLONG" });
    expect(readdirSync(path.dirname(file))).toHaveLength(1);
  });

  it("names the file in what it meets, and no descriptor of its own", async () => {
    writeFileSync(workspace.path("plain"), "");
    const file = workspace.path("plain/record");
    await expect(writeDurably(file, "text")).rejects.toThrow(workspace.path("plain"));
    await expect(writeDurably(file, "text")).rejects.not.toThrow(/proc\/self/);
    const folder = newFolder();
    mkdirSync(path.join(folder, "record"), { recursive: true });
    writeFileSync(path.join(folder, "record/inside"), "");
    await expect(writeDurably(path.join(folder, "record"), "")).rejects.toThrow(
      path.join(folder, "record"),
    );
  });

  it("leaves nothing of a text that it could not write: it may be secret", async () => {
    const folder = newFolder();
    const file = path.join(folder, "record");
    mkdirSync(file, { recursive: true });
    writeFileSync(path.join(file, "inside"), "");
    await expect(writeDurably(file, "sesame")).rejects.toMatchObject({ syscall: "rename" });
    expect(readdirSync(folder)).toEqual(["record"]);
  });
});

describe("in a folder that others can write to", () => {
  function lentFolder(): string {
    const folder = newFolder();
    mkdirSync(folder);
    chmodSync(folder, 0o1777);
    return folder;
  }
  const refusal = (what: string) => ({
    code: "ERR_PERMISSION",
    message: expect.stringMatching(`record is ${what}, in a folder that others can write to`),
  });

  it("a file is made, and one of one's own replaced", async () => {
    const file = path.join(lentFolder(), "record");
    await checkDurable(file);
    await writeDurably(file, "first");
    await checkDurable(file);
    await writeDurably(file, "second");
    expect(readFileSync(file, "utf8")).toBe("second");
    expect(modeOf(file)).toBe(0o600);
  });

  it("a link is not replaced, nor what is no file", async () => {
    const folder = lentFolder();
    writeFileSync(path.join(folder, "precious"), "precious");
    symlinkSync("precious", path.join(folder, "record"));
    const file = path.join(folder, "record");
    await expect(writeDurably(file, "text")).rejects.toMatchObject(refusal("a link"));
    await expect(checkDurable(file)).rejects.toMatchObject(refusal("a link"));
    expect(readFileSync(path.join(folder, "precious"), "utf8")).toBe("precious");
    rmSync(file);
    mkdirSync(file);
    await expect(writeDurably(file, "text")).rejects.toMatchObject(refusal("no file"));
    expect(readdirSync(folder).sort()).toEqual(["precious", "record"]);
  });

  itWhere(needsRoot)(
    "a file of another user's is not replaced, nor a link of his followed",
    async () => {
      const folder = lentFolder();
      const file = path.join(folder, "record");
      writeFileSync(file, "his");
      chownSync(file, 65534, 65534);
      await expect(writeDurably(file, "text")).rejects.toMatchObject(
        refusal("another user's \\(65534\\)"),
      );
      const target = newFolder();
      mkdirSync(target);
      symlinkSync(target, path.join(folder, "link"));
      await writeDurably(path.join(folder, "link", "inner", "record"), "by one's own link");
      lchownSync(path.join(folder, "link"), 65534, 65534);
      await expect(writeDurably(path.join(folder, "link", "other"), "text")).rejects.toMatchObject({
        code: "ERR_PERMISSION",
        message: expect.stringMatching(
          /through the link link, which belongs to another user \(65534\)/,
        ),
      });
      expect(readdirSync(target)).toEqual(["inner"]);
    },
  );
});

describe("removeDrafts", () => {
  it("removes those that nobody writes any more, and no other file", async () => {
    const folder = newFolder();
    mkdirSync(folder);
    const end = "0123456789abcdef.new";
    const names = [`.a.${end}`, `.b.${end}`, `.c.${end}`, "a", ".b.new"];
    for (const name of names) writeFileSync(path.join(folder, name), "");
    const old = new Date(Date.now() - 2 * 60 * 60 * 1000);
    for (const name of [`.a.${end}`, `.c.${end}`, "a", ".b.new"]) {
      utimesSync(path.join(folder, name), old, old);
    }
    await removeDrafts(folder, (file) => path.basename(file) !== "c");
    expect(readdirSync(folder).sort()).toEqual([`.b.${end}`, `.c.${end}`, "a", ".b.new"].sort());
    await removeDrafts(folder, () => true, 0);
    expect(readdirSync(folder).sort()).toEqual([".b.new", "a"]);
    await removeDrafts(path.join(folder, "none"), () => true);
  });
});

describe("removeDurably", () => {
  it("removes a file, and finds none fine, nor its folder", async () => {
    const file = path.join(newFolder(), "record");
    await removeDurably(file);
    await writeDurably(file, "text");
    await removeDurably(file);
    expect(existsSync(file)).toBe(false);
    await removeDurably(file);
  });
});
