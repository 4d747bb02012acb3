import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";

import {
  environmentWithoutSecrets,
  readSecret,
  takeSecretsFromEnvironment,
} from "../../../src/system/read-secret.js";
import { itWhere, needsRoot } from "../../support/needs.js";
import { Workspace } from "../../support/workspace.js";

const VARIABLE = "BLOCKHAUL_CHAP_SECRET";
const SECRET = "open sesame, 12";
const workspace = new Workspace();
let count = 0;

afterAll(() => workspace[Symbol.dispose]());
afterEach(async () => {
  vi.unstubAllEnvs();
  // An empty one makes an end of what was taken out of the environment before.
  process.env[VARIABLE] = "";
  takeSecretsFromEnvironment();
});

function secretFile(content: string | Uint8Array = SECRET, mode = 0o600): string {
  const file = workspace.path(`secret-${count++}`);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

/** As text, to be compared: undefined where there is none. */
const read = async (file?: string) =>
  (await readSecret({ file, variable: VARIABLE }))?.bytes.toString();

/** Refused with this code and these words, and without the secret. */
async function refuses(file: string, code: string, says: RegExp): Promise<void> {
  const error = await read(file).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "BlockhaulError", code });
  const { message, hint, stack } = error as { message: string; hint?: string; stack?: string };
  expect(`${message} ${hint}`).toMatch(says);
  expect(`${message} ${hint} ${stack}`).not.toContain(SECRET);
}

describe("a secret's place", () => {
  it("is the file that was named, before all of the environment", async () => {
    vi.stubEnv(VARIABLE, "from the environment");
    vi.stubEnv(`${VARIABLE}_FILE`, secretFile("from another file"));
    await expect(read(secretFile())).resolves.toBe(SECRET);
  });

  it("is else the file that the environment names, else the environment", async () => {
    vi.stubEnv(VARIABLE, "from the environment");
    await expect(read()).resolves.toBe("from the environment");
    vi.stubEnv(`${VARIABLE}_FILE`, secretFile());
    await expect(read()).resolves.toBe(SECRET);
  });

  it("is nowhere where nothing names one", async () => {
    await expect(read()).resolves.toBeUndefined();
    vi.stubEnv(VARIABLE, "");
    vi.stubEnv(`${VARIABLE}_FILE`, "");
    await expect(read()).resolves.toBeUndefined();
  });
});

describe("the environment's secret", () => {
  it("is taken out of it, and still read as often as it is wanted", async () => {
    vi.stubEnv(VARIABLE, "from the environment");
    await expect(read()).resolves.toBe("from the environment");
    expect(VARIABLE in process.env).toBe(false);
    const first = await readSecret({ file: undefined, variable: VARIABLE });
    first?.wipe();
    await expect(read()).resolves.toBe("from the environment");
  });

  it("counts as it was set last", async () => {
    vi.stubEnv(VARIABLE, "from the environment");
    await read();
    vi.stubEnv(VARIABLE, "another");
    await expect(read()).resolves.toBe("another");
    vi.stubEnv(VARIABLE, "");
    await expect(read()).resolves.toBeUndefined();
  });

  it("is nothing that a program inherits, whether it was read or not", async () => {
    vi.stubEnv(VARIABLE, "from the environment");
    vi.stubEnv("BLOCKHAUL_CHAP_TARGET_SECRET", "another");
    vi.stubEnv("BLOCKHAUL_TEST_OTHER", "kept");
    const environment = environmentWithoutSecrets();
    expect(environment).toMatchObject({ BLOCKHAUL_TEST_OTHER: "kept", PATH: process.env.PATH });
    expect(Object.keys(environment).filter((name) => name.endsWith("SECRET"))).toEqual([]);
    takeSecretsFromEnvironment();
    expect(Object.keys(process.env).filter((name) => name.endsWith("SECRET"))).toEqual([]);
    await expect(read()).resolves.toBe("from the environment");
    process.env.BLOCKHAUL_CHAP_TARGET_SECRET = "";
    takeSecretsFromEnvironment();
  });

  it("is nowhere in the environment block that the kernel shows", () => {
    const module = new URL("../../../out/modules/system/read-secret.js", import.meta.url).href;
    const script = `const { takeSecretsFromEnvironment } = await import(${JSON.stringify(module)});
      const { readFileSync } = await import("node:fs");
      const shows = () => readFileSync("/proc/self/environ", "latin1").includes(process.argv[1]);
      const before = shows();
      takeSecretsFromEnvironment();
      console.log(before, shows(), readFileSync("/proc/self/environ", "latin1").includes("KEPT=kept"));`;
    const canary = "canary-of-the-block";
    const said = execFileSync(process.execPath, ["--input-type=module", "-e", script, canary], {
      env: { ...process.env, [VARIABLE]: canary, KEPT: "kept" },
      encoding: "utf8",
    });
    expect(said).toBe("true false true\n");
  });

  it("of a worker is taken out of its copy", async () => {
    const module = new URL("../../../out/modules/system/read-secret.js", import.meta.url).href;
    const script = `const { parentPort } = require("node:worker_threads");
      import(${JSON.stringify(module)}).then(async ({ readSecret }) => {
        const secret = await readSecret({ file: undefined, variable: "${VARIABLE}" });
        parentPort.postMessage([secret.bytes.toString(), "${VARIABLE}" in process.env]);
      });`;
    const worker = new Worker(script, { eval: true, env: { [VARIABLE]: "of the worker" } });
    expect(await once(worker, "message")).toEqual([["of the worker", false]]);
    await worker.terminate();
  });
});

describe("a secret's file", () => {
  it.each([
    ["as it is", SECRET, SECRET],
    ["without the newline at its end", `${SECRET}\n`, SECRET],
    ["without one of Windows", `${SECRET}\r\n`, SECRET],
    ["with all newlines but that one", `\n${SECRET}\n\n`, `\n${SECRET}\n`],
    ["with the spaces around it", ` ${SECRET} `, ` ${SECRET} `],
    ["in UTF-8", "Schlüssel€", "Schlüssel€"],
    ["as long as one may be", "x".repeat(4096), "x".repeat(4096)],
  ])("is read %s", async (_, content, secret) => {
    await expect(read(secretFile(content))).resolves.toBe(secret);
  });

  it.each([0o400, 0o600, 0o700])("may have the mode %o", async (mode) => {
    await expect(read(secretFile(SECRET, mode))).resolves.toBe(SECRET);
  });

  it.each([0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o777])(
    "of mode %o is refused",
    async (mode) => {
      const file = secretFile(SECRET, mode);
      await refuses(file, "ERR_PERMISSION", new RegExp(`can be read by others.*chmod 600 ${file}`));
    },
  );

  it("counts as what a link leads to", async () => {
    const link = workspace.path("link");
    symlinkSync(secretFile(SECRET, 0o644), link);
    await refuses(link, "ERR_PERMISSION", /can be read by others/);
  });

  itWhere(needsRoot)("of somebody else is refused", async () => {
    const file = secretFile();
    chownSync(file, 65_534, 65_534);
    await refuses(file, "ERR_PERMISSION", /belongs to another user/);
  });

  it("that is a pipe, a folder or a device is refused, and not waited for", async () => {
    const pipe = workspace.path("pipe");
    execFileSync("mkfifo", ["-m", "600", pipe]);
    const folder = workspace.path("folder");
    mkdirSync(folder, { mode: 0o700 });
    for (const file of [pipe, folder, "/dev/zero"]) {
      await refuses(file, "ERR_PERMISSION", /is no file/);
    }
  });

  it.each([
    ["an empty one", "", /is empty/],
    ["a mere newline", "\n", /is empty/],
    ["one that is too long", "x".repeat(4097), /is too long/],
    ["one that is much too long", SECRET.repeat(10_000), /is too long/],
    ["one that is no text", Buffer.from([0x80, 0xff, 0x61]), /is no text in UTF-8/],
  ])("refuses %s", async (_, content, says) => {
    await refuses(secretFile(content), "ERR_INVALID_ARGUMENT", says);
  });

  it("that is not there is named", async () => {
    const file = workspace.path("nowhere");
    await refuses(file, "ERR_NOT_FOUND", new RegExp(`the secret's file is ${file}`));
  });
});
