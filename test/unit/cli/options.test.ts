import { describe, expect, it } from "vitest";

import { COMMANDS, copyOptions } from "../../../src/cli/commands.js";
import { camelCase, placeholderOf, readOptions } from "../../../src/cli/options.js";

const read = (flags: Record<string, string | boolean>, environment: Record<string, string> = {}) =>
  readOptions(copyOptions, new Map(Object.entries(flags)), environment);

describe("the options of a command", () => {
  it("are what the flags say, with their types", () => {
    expect(
      read({
        create: true,
        requests: "8",
        "request-size": "256k",
        digest: "sha256",
        features: "layering,fast-diff",
        "data-pool": "ec",
        "no-extents": true,
      }),
    ).toEqual({
      create: true,
      requests: 8,
      requestSize: 256 * 1024,
      digest: "sha256",
      features: ["layering", "fast-diff"],
      dataPool: "ec",
      noExtents: true,
    });
  });

  it("are what the environment says where no flag does", () => {
    const environment = {
      BLOCKHAUL_REQUESTS: "9",
      BLOCKHAUL_MEMORY: "128MiB",
      BLOCKHAUL_NO_EXTENTS: "0",
      BLOCKHAUL_DIGEST: "",
    };
    expect(read({ requests: "3" }, environment)).toEqual({
      requests: 3,
      memory: 128 * 1024 ** 2,
      noExtents: false,
    });
  });

  it.each([
    [{ requests: "0" }, {}, /^--requests: /],
    [{ requests: "1e3" }, {}, /^--requests: /],
    [{ "request-size": "x" }, {}, /^--request-size: .*not a size/],
    [{ digest: "md5" }, {}, /^--digest: .*xxh3, sha256, none/],
    [{ "data-pool": "" }, {}, /^--data-pool: /],
    [{}, { BLOCKHAUL_THREADS: "many" }, /^BLOCKHAUL_THREADS: /],
    [{}, { BLOCKHAUL_NO_EXTENTS: "maybe" }, /^BLOCKHAUL_NO_EXTENTS: /],
  ])("%j with %j are refused, by name", (flags, environment, message) => {
    expect(() => read(flags, environment)).toThrowError(
      expect.objectContaining({
        code: "ERR_INVALID_ARGUMENT",
        message: expect.stringMatching(message),
      }),
    );
  });

  it("have names that clash with none", () => {
    for (const { options } of COMMANDS) {
      const words = options.flatMap(({ name, short }) => [name.replace(/^no-/, ""), short ?? name]);
      expect(new Set(options.map(({ name }) => name)).size).toBe(options.length);
      const shorts = options.flatMap(({ short }) => short ?? []);
      expect(new Set(shorts).size).toBe(shorts.length);
      expect(words).not.toContain("help");
    }
  });
});

it.each([
  ["request-size", "requestSize"],
  ["json", "json"],
  ["no-extents", "noExtents"],
])("camelCase(%s) is %s", (name, key) => {
  expect(camelCase(name)).toBe(key);
});

it("placeholderOf says what an option takes", () => {
  expect(placeholderOf({ name: "a", kind: "flag", help: "" })).toBeUndefined();
  expect(placeholderOf({ name: "a", kind: "size", help: "" })).toBe("SIZE");
  expect(placeholderOf({ name: "a", kind: "choice", choices: ["x", "y"], help: "" })).toBe("x|y");
  expect(placeholderOf({ name: "a", kind: "text", placeholder: "POOL", help: "" })).toBe("POOL");
});
