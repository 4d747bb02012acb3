import { type CopyOptions, openVolume, planCopy } from "blockhaul";
import { describe, expect, it } from "vitest";

import { copyOptions } from "../../../src/cli/command-options.js";
import { COMMANDS } from "../../../src/cli/commands.js";
import {
  camelCase,
  type OptionSpec,
  placeholderOf,
  readOptions,
} from "../../../src/cli/options.js";

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
        "iops-limit": "0",
        "checkpoint-interval": "0.25",
        "no-journal": true,
      }),
    ).toEqual({
      create: true,
      requests: 8,
      requestSize: 256 * 1024,
      digest: "sha256",
      features: ["layering", "fast-diff"],
      dataPool: "ec",
      noExtents: true,
      iopsLimit: 0,
      checkpointInterval: 0.25,
      noJournal: true,
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
    [{ requests: "4097" }, {}, /^--requests: "4097" is not a whole number from 1 to 4096$/],
    [{ threads: "65" }, {}, /^--threads: .* from 1 to 64$/],
    [{ retries: "1001" }, {}, /^--retries: "1001" is not a whole number from 0 to 1000$/],
    [{ "stall-timeout": "1m" }, {}, /^--stall-timeout: "1m" is not a number of seconds/],
    [{ "stall-timeout": "-1" }, {}, /^--stall-timeout: "-1" is not a number of seconds/],
    [{ "request-timeout": "2147484" }, {}, /^--request-timeout: .* from 0 to 2000000$/],
    [{ "request-size": "32KiB" }, {}, /^--request-size: 32KiB is not a power of two from 64KiB/],
    [{}, { BLOCKHAUL_REQUEST_SIZE: "3MiB" }, /^BLOCKHAUL_REQUEST_SIZE: 3MiB is not a power of two/],
    [{ "object-size": "64MiB" }, {}, /^--object-size: .* from 4KiB to 32MiB$/],
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

  it("have the bounds that the library has", async () => {
    const source = await openVolume("zero:0");
    const target = await openVolume("null:", { mode: "write" });
    const refuses = (options: CopyOptions) => expect(() => planCopy(source, target, options));
    const memory = 64 * 1024 ** 3;
    try {
      for (const [name, key] of [
        ["requests", "requests"],
        ["threads", "threads"],
        ["request-size", "requestSize"],
        ["retries", "retries"],
      ] as const) {
        const spec: OptionSpec | undefined = copyOptions.find((option) => option.name === name);
        const { least = 0, most = 0 } = spec?.range ?? {};
        refuses({ memory, [key]: least }).not.toThrow();
        refuses({ memory, [key]: most }).not.toThrow();
        refuses({ memory, [key]: spec?.powerOfTwo ? least / 2 : least - 1 }).toThrow();
        refuses({ memory, [key]: spec?.powerOfTwo ? most * 2 : most + 1 }).toThrow();
      }
    } finally {
      await source.close();
      await target.close();
    }
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
