/** Image files removed while somebody opens, swaps or leaves behind: at the moments that only the driver has. */
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { deleteVolume, openVolume } from "blockhaul";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

import type { DeleteOptions } from "../../src/driver.js";
import { deleteFile } from "../../src/drivers/file-removal.js";
import { Workspace } from "../support/workspace.js";

const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

let file = "";
let count = 0;

beforeEach(() => {
  count += 1;
  file = workspace.path(`${count}/disk`);
  mkdirSync(path.dirname(file));
  writeFileSync(file, "bytes");
});

async function identity(): Promise<string> {
  const volume = await openVolume(file);
  await volume.close();
  return volume.info.identity;
}

/** Both ways: under a name of its own, which the caller gave it, and under the name that everybody knows. */
describe.each(["its own", "a known"])("a file under %s name", (name) => {
  async function remove(lastLook?: DeleteOptions["lastLook"]): Promise<void> {
    const known = name === "its own" ? { identity: await identity(), hasOwnName: true } : {};
    await deleteFile({ path: file }, { ...known, lastLook });
  }

  const present = () => path.join(path.dirname(file), readdirSync(path.dirname(file))[0] ?? "");

  it("is removed after a look that says that nobody writes", async () => {
    const facts: unknown[] = [];
    await remove(async (fact) => {
      facts.push(fact);
      expect(readFileSync(present(), "utf8")).toBe("bytes");
    });
    expect(facts).toEqual([{ isUnwritten: true }]);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it("stays, under its name, where that look throws", async () => {
    const refusal = new Error("it was written to");
    await expect(remove(() => Promise.reject(refusal))).rejects.toBe(refusal);
    expect(readdirSync(path.dirname(file))).toEqual(["disk"]);
  });

  it("stays where somebody begins to open it for writing behind that look", async () => {
    const flags = constants.O_WRONLY | constants.O_NONBLOCK;
    const removed = remove(async () => {
      // It would wait until the removal has ended.
      expect(() => openSync(present(), flags)).toThrow(/EAGAIN/);
    });
    await expect(removed).rejects.toMatchObject({ code: "ERR_IN_USE" });
    expect(readdirSync(path.dirname(file))).toEqual(["disk"]);
  });

  it("stays where its name is another's behind that look, and so does that", async () => {
    const removed = remove(async () => {
      const own = present();
      renameSync(own, `${file}.own`);
      writeFileSync(own, "a stranger's");
    });
    await expect(removed).rejects.toMatchObject({ code: "ERR_VOLUME_CHANGED" });
    const texts = readdirSync(path.dirname(file)).map((one) =>
      readFileSync(path.join(path.dirname(file), one), "utf8"),
    );
    expect(texts.sort()).toEqual(["a stranger's", "bytes"]);
  });

  it("stays while this very process has it open for writing", async () => {
    const descriptor = openSync(file, "r+");
    await expect(remove()).rejects.toMatchObject({ code: "ERR_IN_USE" });
    closeSync(descriptor);
    await remove();
    expect(existsSync(file)).toBe(false);
  });
});

it("is not removed in the place of the one that was meant", async () => {
  const meant = await identity();
  renameSync(file, `${file}.own`);
  writeFileSync(file, "a stranger's");
  const removed = deleteFile({ path: file }, { identity: meant });
  await expect(removed).rejects.toMatchObject({ code: "ERR_VOLUME_CHANGED" });
  expect(readFileSync(file, "utf8")).toBe("a stranger's");
});

describe("a removal that was killed", () => {
  async function killed(): Promise<string> {
    let hidden = "";
    // As a kill leaves it: under the name that it had at the last look.
    const look = async () => {
      [hidden = ""] = readdirSync(path.dirname(file));
      throw new Error("killed");
    };
    await deleteFile({ path: file }, { lastLook: look }).catch(() => {});
    renameSync(file, path.join(path.dirname(file), hidden));
    return hidden;
  }

  it("is found by the next, and begun anew", async () => {
    const hidden = await killed();
    expect(hidden).toMatch(/^\.blockhaul-removing-/);
    const look = () => Promise.reject(new Error("not yet"));
    await expect(deleteFile({ path: file }, { lastLook: look })).rejects.toThrow("not yet");
    expect(readFileSync(file, "utf8")).toBe("bytes");
    await deleteVolume(file);
    expect(readdirSync(path.dirname(file))).toEqual([]);
  });

  it("is left to a person where another file has the name by now", async () => {
    const hidden = await killed();
    writeFileSync(file, "a stranger's");
    const refused = expect.objectContaining({ code: "ERR_EXISTS" });
    await expect(deleteVolume(file)).rejects.toEqual(refused);
    expect(readdirSync(path.dirname(file)).sort()).toEqual([hidden, "disk"]);
  });
});
