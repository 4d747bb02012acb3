/** Standard input and output, and named pipes, as ends of a copy: judged by cmp and sha256sum. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

import { openVolume } from "../../src/index.js";
import { blockhaul, ownStateDirectory, RunningCommand } from "../support/command.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 20 * MiB + 513;
const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

const image = workspace.path("disk.img");
execFileSync("sh", ["-c", `head -c 9000000 /dev/urandom > ${image}`]);
// Zeros in the middle, and an odd end: what is left out or put elsewhere shifts all that follows.
truncateSync(image, SIZE - 1);
writeFileSync(image, "\x07", { flag: "a" });
const digestOf = (file: string) => execFileSync("sha256sum", [file]).toString().slice(0, 64);

/** A command line with real pipes, as a user types it. */
function shell(line: string, cwd = workspace.folder) {
  const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  const ended = spawnSync("bash", ["-c", `set -o pipefail; ${line}`], {
    cwd,
    encoding: "utf8",
    env: {
      ...process.env,
      NODE_OPTIONS: undefined,
      BLOCKHAUL_STATE_DIR: ownStateDirectory(),
      BH: `${process.execPath} ${main}`,
    },
  });
  return { status: ended.status, stdout: ended.stdout, stderr: ended.stderr };
}

let count = 0;
function newPath(): string {
  count += 1;
  return workspace.path(`new-${count}.img`);
}

describe("standard output", () => {
  test("gets the volume's bytes, all and in order, and nothing else", () => {
    const { status, stdout, stderr } = shell(`$BH copy --requests 16 ${image} - | sha256sum`);
    expect(status).toBe(0);
    expect(stdout.slice(0, 64)).toBe(digestOf(image));
    expect(stderr).toContain(`copied ${image} to -`);
  });

  test("as a file, and with lines of JSON beside it", () => {
    const target = newPath();
    const { status, stdout, stderr } = shell(`$BH copy --json ${image} - > ${target}`);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    execFileSync("cmp", [image, target]);
    const types = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).type);
    expect(types).toContain("done");
  });

  test("whose reader goes away is no success", () => {
    const { status, stderr } = shell(
      `{ $BH copy ${image} -; echo "ended with $?" >&2; } | head -c 9`,
    );
    expect(status).toBe(0);
    expect(stderr).toContain("whoever read the stream went away before its end");
    expect(stderr).toContain("ended with 1");
  });

  test("keeps nothing that could be read back", () => {
    const { status, stderr } = shell(`$BH copy --verify ${image} - | cat > /dev/null`);
    expect(status).toBe(2);
    expect(stderr).toContain("- keeps nothing that could be read back");
  });
});

describe("standard input", () => {
  test("fills a new target of the size that is told, and is verified", () => {
    const target = newPath();
    const line = `cat ${image} | $BH copy --create --verify --size ${SIZE} - ${target}`;
    const { status, stdout } = shell(line);
    expect(status).toBe(0);
    execFileSync("cmp", [image, target]);
    expect(stdout).toContain("verified: ");
  });

  test("is to be as large as a target that is there", () => {
    const target = newPath();
    writeFileSync(target, "");
    truncateSync(target, SIZE);
    const { status } = shell(`cat ${image} | $BH copy - ${target}`);
    expect(status).toBe(0);
    execFileSync("cmp", [image, target]);
  });

  test("tells its size where it is a file, read from where it stands", () => {
    const target = newPath();
    const { status } = shell(
      `{ head -c 0; dd bs=4096 count=1 of=/dev/null status=none; $BH copy - ${target}; } < ${image}`,
    );
    expect(status).toBe(0);
    expect(statSync(target).size).toBe(SIZE - 4096);
    execFileSync("cmp", ["-i", "4096:0", image, target]);
  });

  test("that ends early is an error, however it is piped", () => {
    const target = newPath();
    const told = shell(`head -c ${5 * MiB} ${image} | $BH copy --size ${SIZE} - ${target}`);
    expect(told.status).toBe(4);
    expect(told.stderr).toContain("the stream ended after 5 MiB, and ");
    expect(told.stderr).toContain(`--size ${5 * MiB} says so`);
    writeFileSync(target, "");
    truncateSync(target, SIZE);
    const found = shell(`head -c ${5 * MiB} ${image} | $BH copy - ${target}`);
    expect(found).toMatchObject({ status: 4, stdout: "" });
  });

  test("that goes on behind the target's end is an error", () => {
    const target = newPath();
    writeFileSync(target, "");
    truncateSync(target, 5 * MiB);
    const { status, stderr } = shell(`cat ${image} | $BH copy - ${target}`);
    expect(status).toBe(4);
    expect(stderr).toContain("the stream goes on behind the 5 MiB");
  });

  test("without a size makes nothing", () => {
    const target = newPath();
    for (const create of ["", "--create "]) {
      const { status, stderr } = shell(`cat ${image} | $BH copy ${create}- ${target}`);
      expect(status).toBe(2);
      expect(stderr).toContain("a pipe does not tell how many bytes will come");
      expect(existsSync(target)).toBe(false);
    }
  });

  test("as a socket, from which a program's child is fed", async () => {
    const target = newPath();
    const command = new RunningCommand(["copy", "--size", String(SIZE), "-", target]);
    command.process.stdin.end(readFileSync(image));
    expect(await command.ended).toMatchObject({ status: 0 });
    execFileSync("cmp", [image, target]);
  });

  test("of which nothing comes is given up at a signal", async () => {
    const target = newPath();
    const command = new RunningCommand(["copy", "--size", "1MiB", "--verbose", "-", target]);
    await command.said(/plan: /);
    command.process.kill("SIGTERM");
    expect(await command.ended).toMatchObject({ status: 143 });
  });

  test("is read once: what would need it again is refused before anything is made", () => {
    const target = newPath();
    for (const [flag, says] of [
      ["--verify=source", "would read it again"],
      ["--repair", "would read it again"],
      ["--salvage", "would read what comes after an error"],
    ] as const) {
      const { status, stderr } = shell(
        `cat ${image} | $BH copy ${flag} --size ${SIZE} - ${target}`,
      );
      expect({ flag, status }).toEqual({ flag, status: 2 });
      expect(stderr).toContain(says);
    }
  });

  test("is compared with a volume, and has a digest", async () => {
    expect(shell(`cat ${image} | $BH verify ${image} -`)).toMatchObject({ status: 0 });
    expect(shell(`cat ${image} | $BH verify - ${image}`)).toMatchObject({ status: 0 });
    const other = shell(`{ head -c ${SIZE - 1} ${image}; printf x; } | $BH verify ${image} -`);
    expect(other).toMatchObject({ status: 6 });
    const { stdout } = await blockhaul(["digest", "-q", image]);
    expect(shell(`cat ${image} | $BH digest -q --size ${SIZE} -`)).toMatchObject({ stdout });
  });

  test("migrates nowhere", async () => {
    const { status, stderr } = await blockhaul(["migrate", "-", newPath()]);
    expect(status).toBe(2);
    expect(stderr).toContain("`blockhaul copy` reads and writes pipes");
    expect(await blockhaul(["migrate", image, "-"])).toMatchObject({ status: 2 });
  });
});

describe("a named pipe", () => {
  test("is read and written like standard input and output", async () => {
    const pipe = path.join(workspace.folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const target = newPath();
    // The writer waits for its reader: which of the two begins first does not matter.
    const writer = new RunningCommand(["copy", image, pipe]);
    const reader = new RunningCommand(["copy", "--size", String(SIZE), pipe, target]);
    expect(await reader.ended).toMatchObject({ status: 0 });
    expect(await writer.ended).toMatchObject({ status: 0 });
    execFileSync("cmp", [image, target]);
    expect(await blockhaul(["info", pipe])).toMatchObject({ status: 2 });
  });

  test("of a process substitution", () => {
    const target = newPath();
    const line = `$BH copy --size ${SIZE} <(cat ${image}) ${target} && $BH copy ${target} >(sha256sum >&2)`;
    const { status, stderr } = shell(`${line}; wait $!`);
    expect(status).toBe(0);
    execFileSync("cmp", [image, target]);
    expect(stderr).toContain(digestOf(image));
  });

  test("that nobody reads is waited for until a signal comes", async () => {
    const pipe = path.join(workspace.folder, "unread");
    execFileSync("mkfifo", [pipe]);
    const stop = new AbortController();
    const opening = openVolume(pipe, { mode: "write", signal: stop.signal });
    await nextTurn();
    stop.abort();
    await expect(opening).rejects.toMatchObject({ code: "ERR_CANCELLED" });
  });
});
