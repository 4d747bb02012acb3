import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";

import { ConfigFiles } from "../../support/config-files.js";

const files = new ConfigFiles();
afterAll(() => files[Symbol.dispose]());

describe("a secret in a configuration", () => {
  const CANARY = "zQx7hunter2Zq";

  it.each([
    "password",
    "secret",
    "token",
    "key",
    "apiKey",
    "api_key",
    "targetSecret",
    "passphrase",
  ])("is refused as %s, and the file for it is named", async (key) => {
    const text = `backends:\n  a:\n    driver: file\n    directory: /a\n    ${key}: ${CANARY}\n`;
    const faults = await files.faultsOf(text);
    expect(faults).toEqual([expect.stringMatching(/^5:5 secrets do not stand .*secretFile/)]);
    expect(faults.join()).not.toContain(CANARY);
  });

  it("is not taken for one where it is none", async () => {
    expect(await files.faultsOf("backends: {my-key: {driver: file, directory: /a}}")).toEqual([]);
    const [fault] = await files.faultsOf(
      "backends: {a: {driver: file, keyring: /x, directory: /a}}",
    );
    expect(fault).toContain('there is no key "keyring"');
  });

  it("is repeated by no message, whatever surrounds it", async () => {
    const around = fc.constantFrom(
      (secret: string) => `chap: {user: me, secret: ${secret}}`,
      (secret: string) => `chap: {user: me, secret: {a: ${secret}}}`,
      (secret: string) => `chap: {user: me, secret: [${secret}, {b: ${secret}}]}`,
      (secret: string) => `chap: me:${secret}`,
      (secret: string) => `chap: {user: me, secretFile: ${secret}}`,
      (secret: string) => `portals: ["me:${secret}@10.0.0.1"]`,
      (secret: string) => `password: !odd ${secret}`,
      (secret: string) => `password: |\n      ${secret}`,
      (secret: string) => `password: "${secret}`,
      (secret: string) => `"password=${secret}": x`,
      (secret: string) => `? {password: ${secret}}\n    : x`,
      (secret: string) => `password: ${secret}\n    password: ${secret}`,
      (secret: string) => `password: ${secret}: x`,
      (secret: string) => `password: *${secret}`,
    );
    const place = fc.constantFrom(
      (line: string) => `backends:\n  a:\n    driver: iscsi\n    ${line}\n`,
      (line: string) => `backends:\n  a:\n    driver: file\n    ${line}\n`,
      (line: string) => `${line.replaceAll("\n    ", "\n")}\n`,
      (line: string) => `drivers:\n  - ${line}\n`,
    );
    await fc.assert(
      fc.asyncProperty(around, place, async (write, put) => {
        const error = await files.load(put(write(CANARY)), "secret.yaml").catch((thrown) => thrown);
        expect(error.code).toBe("ERR_CONFIG");
        const said = [error.message, error.hint, error.stack, JSON.stringify(error), error.cause];
        expect(said.join("\n")).not.toContain(CANARY);
      }),
      { numRuns: 300 },
    );
  });
});
