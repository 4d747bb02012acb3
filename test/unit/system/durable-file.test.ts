import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";

import { draftOf, removeDurably, writeDurably } from "../../../src/system/durable-file.js";
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

  it("takes up the draft that a killed process left", async () => {
    const file = path.join(newFolder(), "record");
    await writeDurably(file, "first");
    writeFileSync(draftOf(file), "half of something much longer");
    await writeDurably(file, "second");
    expect(readFileSync(file, "utf8")).toBe("second");
    expect(readdirSync(path.dirname(file))).toEqual(["record"]);
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
