import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const addon = path.join(root, "build/Release/blockhaul.node");
const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-bundled-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A program with all of blockhaul in it, as bundlers make it, far from the package. */
const formats = ["esm", "cjs"] as const;
beforeAll(async () => {
  const bundled = await rolldown({
    cwd: root,
    input: "test/unit/native-program.ts",
    platform: "node",
    resolve: { extensionAlias: { ".js": [".ts"] } },
    checks: { ineffectiveDynamicImport: false },
    logLevel: "silent",
  });
  for (const format of formats) {
    const extension = format === "esm" ? "mjs" : "cjs";
    await bundled.write({
      dir: path.join(folder, format),
      format,
      entryFileNames: `[name].${extension}`,
      chunkFileNames: `[name].${extension}`,
    });
  }
  await bundled.close();
});

/** What the program says of itself. */
async function run(format: (typeof formats)[number], environment: NodeJS.ProcessEnv = {}) {
  const file = path.join(folder, format, `native-program.${format === "esm" ? "mjs" : "cjs"}`);
  const env = { ...process.env, ...environment };
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder, env });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe.each(formats)("blockhaul bundled into a program, as %s,", (format) => {
  it("says that it is to be kept external", async () => {
    expect(await run(format, { BLOCKHAUL_NATIVE: "" })).toMatchObject({
      code: "ERR_NATIVE_UNAVAILABLE",
      message: expect.stringContaining("bundled"),
      hint: expect.stringContaining("keep blockhaul external"),
    });
  });

  it("uses the addon that BLOCKHAUL_NATIVE names", async () => {
    expect(await run(format, { BLOCKHAUL_NATIVE: addon })).toEqual({ opened: 4096 });
  });

  it("says so where that is none", async () => {
    const error = await run(format, { BLOCKHAUL_NATIVE: "./none.node" });
    expect(error).toMatchObject({
      code: "ERR_NATIVE_UNAVAILABLE",
      message: expect.stringContaining(path.join(folder, "none.node")),
      hint: expect.stringContaining("BLOCKHAUL_NATIVE"),
    });
  });
});
