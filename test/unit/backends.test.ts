import path from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

import {
  findBackend,
  listBackendNames,
  registerBackend,
  requireBackend,
} from "../../src/backends.js";
import { readConfig, useConfig } from "../../src/config.js";
import { resolveRef } from "../../src/refs.js";
import { ConfigFiles } from "../support/config-files.js";

const files = new ConfigFiles();
afterAll(() => files[Symbol.dispose]());

const section = (directory: string) => `{driver: file, directory: ${directory}}`;
const support = pathToFileURL(path.resolve("test/support/tape-driver.mjs")).href;

beforeEach(() => useConfig(files.write("blockhaul.yaml", `backends: {images: ${section("/i")}}`)));

describe("a backend", () => {
  it("that is configured is the scheme of its volumes", async () => {
    const { driver, location, backend } = await resolveRef("images:a.img");
    expect(driver.name).toBe("file");
    expect(location).toEqual({ path: "/i/a.img", noLinks: true });
    expect(backend?.name).toBe("images");
    await expect(resolveRef("images:")).rejects.toMatchObject({ code: "ERR_INVALID_REF" });
    await expect(resolveRef("images:../x")).rejects.toMatchObject({ code: "ERR_INVALID_REF" });
  });

  it("that is registered comes before the configured ones", async () => {
    useConfig(
      files.write("both.yaml", `backends: {scratch: ${section("/c")}, b: ${section("/b")}}`),
    );
    await registerBackend("scratch", { driver: "file", directory: "/registered" });
    expect((await findBackend("scratch"))?.place).toEqual({ directory: "/registered" });
    expect(await listBackendNames()).toEqual(["scratch", "b"]);
  });

  it("that there is not is refused with those that there are", async () => {
    await expect(requireBackend("nowhere")).rejects.toMatchObject({
      code: "ERR_NOT_FOUND",
      message: expect.stringMatching(/known are .*images/),
    });
    await expect(resolveRef("nowhere:x")).rejects.toMatchObject({
      code: "ERR_UNKNOWN_SCHEME",
      message: expect.stringMatching(/rbd:.*images:/),
    });
  });
});

describe("the configuration of a process", () => {
  it("is read once, and anew when another is named", async () => {
    const first = await readConfig();
    files.write("blockhaul.yaml", "nonsense: 1\n");
    expect(await readConfig()).toBe(first);
    useConfig(files.write("other.yaml", `backends: {other: ${section("/o")}}`));
    expect(await findBackend("images")).toBeUndefined();
    expect(await findBackend("other")).toBeDefined();
  });

  it("can be mended after a fault", async () => {
    useConfig(files.write("mended.yaml", "nonsense: 1\n"));
    await expect(findBackend("a")).rejects.toMatchObject({ code: "ERR_CONFIG" });
    files.write("mended.yaml", `backends: {a: ${section("/a")}}`);
    expect(await findBackend("a")).toBeDefined();
  });

  it("is not read for what has a driver's scheme, or is a path", async () => {
    useConfig(files.write("broken.yaml", "nonsense: 1\n"));
    for (const ref of ["disk.img", "file:disk.img", "rbd:a/b", "./a:b"]) await resolveRef(ref);
    await expect(resolveRef("images:a")).rejects.toMatchObject({ code: "ERR_CONFIG" });
  });

  it("brings drivers along, whose refs are known then", async () => {
    files.write(
      "late.mjs",
      `import { tapeDriver } from ${JSON.stringify(support)}; export const driver = tapeDriver("late");`,
    );
    useConfig(files.write("late.yaml", "drivers: [./late.mjs]"));
    expect((await resolveRef("late:x")).driver.name).toBe("late");
  });
});
