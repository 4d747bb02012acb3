import { readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { inspect } from "node:util";
import { afterAll, describe, expect, it } from "vitest";

import { readAsSecret, Secret } from "../../../src/system/secret.js";
import { Workspace } from "../../support/workspace.js";

const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

const usedAfter = expect.objectContaining({
  code: "ERR_INTERNAL",
  message: "a secret was used after it was wiped",
});

/** What the kernel says of the mappings that no forked child gets, which are those of secrets alone. */
const flagsOfSecrets = () =>
  readFileSync("/proc/self/smaps", "latin1").match(/^VmFlags:.* wf .*$/gm) ?? [];

describe("a secret", () => {
  it("is the bytes that it was made of", () => {
    const secret = Secret.concat(["größe", Buffer.from([0, 0xff]), "€"]);
    expect(secret.length).toBe(Buffer.byteLength("größe") + 2 + 3);
    expect(secret.bytes).toEqual(
      Buffer.concat([Buffer.from("größe"), Buffer.from([0, 0xff]), Buffer.from("€")]),
    );
    expect(Secret.of("").length).toBe(0);
    expect(Secret.of("").bytes).toHaveLength(0);
    expect(Secret.ofSize(3).bytes).toEqual(Buffer.alloc(3));
  });

  it("lies in memory that is not dumped, not inherited and wiped", () => {
    const secret = Secret.of("sesame");
    const { bytes } = secret;
    const flags = flagsOfSecrets();
    expect(flags.length).toBeGreaterThan(0);
    for (const one of flags) expect(one).toMatch(/ dd /);
    secret.wipe();
    expect(bytes).toEqual(Buffer.alloc(6));
  });

  it("is not used once it is wiped", () => {
    const secret = Secret.of("sesame");
    secret.wipe();
    secret.wipe();
    expect(() => secret.bytes).toThrowError(usedAfter);
    expect(() => secret.copy()).toThrowError(usedAfter);
    expect(() => Secret.of("sesame").equals(secret)).toThrowError(usedAfter);
  });

  it("is copied, cut and compared by its bytes", () => {
    const secret = Secret.of("sesame");
    const copy = secret.copy();
    secret.truncate(3);
    expect([`${secret.bytes}`, secret.length]).toEqual(["ses", 3]);
    secret.wipe();
    expect(copy.equals(Secret.of("sesame"))).toBe(true);
    expect(copy.equals(Secret.of("sesamE"))).toBe(false);
    expect(copy.equals(Secret.of("ses"))).toBe(false);
  });

  it("shows itself to nobody by accident", () => {
    const secret = Secret.of("sesame");
    for (const text of [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }, { depth: 9, showHidden: true }),
    ]) {
      expect(text).toContain("***");
      expect(text).not.toContain("sesame");
    }
  });

  it("of random digits is another one each time", () => {
    const all = Array.from({ length: 100 }, () => `${Secret.ofRandomDigits(24).bytes}`);
    for (const one of all) expect(one).toMatch(/^[0-9a-f]{24}$/);
    expect(new Set(all).size).toBe(100);
    expect(new Set(all.join("")).size).toBe(16);
  });
});

describe("what is read as a secret", () => {
  it.each([0, 1, 5000])("is all of a file of %i bytes", async (size) => {
    const file = workspace.path(`file-${size}`);
    const content = Buffer.alloc(size, 7);
    await (await open(file, "w")).close();
    const writing = await open(file, "w");
    await writing.writeFile(content);
    await writing.close();
    const handle = await open(file);
    const secret = await readAsSecret(handle, 6000);
    await handle.close();
    expect(secret.bytes).toEqual(content);
  });

  it("is no more than was asked for, and wiped where reading fails", async () => {
    const secret = await readAsSecret(
      {
        read: async (buffer, offset, length) => ({
          bytesRead: buffer.fill(1, offset, offset + Math.min(length, 3)) && Math.min(length, 3),
        }),
      },
      10,
    );
    expect(secret.bytes).toEqual(Buffer.alloc(10, 1));
    let seen: Uint8Array = Buffer.alloc(0);
    const failing = readAsSecret(
      {
        read: async (buffer) => {
          seen = buffer.fill(1);
          throw new Error("EIO");
        },
      },
      10,
    );
    await expect(failing).rejects.toThrow("EIO");
    expect(seen).toEqual(Buffer.alloc(10));
  });
});
