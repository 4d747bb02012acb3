/** attach, detach, attachments and cleanup, as far as they go without a target; the guest's tests go on. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";

import { findProgram } from "../../src/system/program.js";
import { AttachingProcess } from "../support/attaching-process.js";
import { blockhaul } from "../support/command.js";
import { itWhere, needsRoot } from "../support/needs.js";
import { refuses } from "../support/refusals.js";
import { StateDirectory } from "../support/state-directory.js";
import { Workspace } from "../support/workspace.js";

const LUN = "iscsi://127.0.0.1:1/iqn.2026-01.org.example:a/1";
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const state = new StateDirectory();
const workspace = new Workspace();
const id = "0123456789ab";

afterEach(() => state.clear());
afterAll(() => {
  state[Symbol.dispose]();
  workspace[Symbol.dispose]();
});

const eventsOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

describe("the commands of attachments", () => {
  it.each([
    ["attach", "volume"],
    ["detach", "attachment"],
    ["attachments", undefined],
    ["cleanup", undefined],
    ["targets", "portal"],
  ])("%s has a help with examples, and takes what it says", async (command, argument) => {
    const { status, stdout } = await blockhaul([command, "--help"]);
    expect(status).toBe(0);
    const takes = argument === undefined ? "" : ` <${argument}>`;
    expect(stdout).toContain(`Usage: blockhaul ${command} [options]${takes}\n`);
    expect(stdout).toMatch(/^Examples:\n {2}blockhaul /m);
    const says = argument === undefined ? /too many arguments/ : /missing required argument/;
    const args = argument === undefined ? [command, "x"] : [command];
    const wrong = await blockhaul(args);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toMatch(says);
  });

  it("have nothing to say where there is nothing, and make nothing", async () => {
    for (const [command, line] of [
      ["attachments", "nothing is attached\n"],
      ["cleanup", "nothing to clean up\n"],
    ] as const) {
      expect(await blockhaul([command])).toMatchObject({ status: 0, stdout: line, stderr: "" });
      for (const flag of ["--quiet", "--json"]) {
        expect(await blockhaul([command, flag])).toMatchObject({ status: 0, stdout: "" });
      }
    }
    expect(state.files).toEqual([]);
  });

  it("name what was not attached", async () => {
    for (const named of [id, LUN, "nonsense"]) {
      const says = new RegExp(`no attachment has the id or the ref ${named}`);
      await refuses(["detach", named], { status: 3, code: "ERR_NOT_FOUND", says });
    }
  });

  it("list what there is, for people and for programs", async () => {
    await using other = new AttachingProcess("hold");
    const used = await other.said;
    state.put({ id, ref: LUN, kept: true, createdAt: "2026-01-02T03:04:05.678Z" });
    const { status, stdout } = await blockhaul(["attachments", "--verbose"]);
    expect(status).toBe(0);
    const [headings, kept, inUse, ...further] = stdout.trimEnd().split("\n");
    expect(headings).toMatch(/^id +state +device +since +process +ref$/);
    expect(kept).toMatch(new RegExp(`^${id} +kept +- +2026-01-02T03:04:05Z +- +${LUN}$`));
    expect(inUse).toMatch(new RegExp(`^${used} +in use +- +\\S+ +${other.pid} +array:a$`));
    expect(further).toEqual([
      `${used}: export of array:a`,
      `${used}: access of this host to array:a`,
    ]);
    expect(eventsOf((await blockhaul(["attachments", "--json"])).stdout)).toMatchObject([
      { type: "attachment", id, ref: LUN, state: "kept", steps: [] },
      { type: "attachment", id: used, state: "in use", pid: other.pid },
    ]);
    const says = new RegExp(`used by the process ${other.pid}`);
    await refuses(["detach", used], { status: 4, code: "ERR_IN_USE", says });
  });

  it("detach what is kept, by its ref as it was typed", async () => {
    state.put({ id, ref: LUN, kept: true });
    const { status, stdout } = await blockhaul(["detach", LUN]);
    expect({ status, stdout }).toEqual({ status: 0, stdout: `detached ${LUN}\n` });
    state.put({ id, ref: LUN, kept: true });
    expect(eventsOf((await blockhaul(["detach", id, "--json"])).stdout)).toEqual([
      { type: "detached", id, ref: LUN, undone: [] },
    ]);
    expect(state.files).toEqual([]);
  });

  it("clean up what was abandoned", async () => {
    state.put({ id, ref: LUN });
    const { stdout } = await blockhaul(["attachments"]);
    expect(stdout).toMatch(/ abandoned .*\n`blockhaul cleanup` undoes what is abandoned\n$/);
    expect(await blockhaul(["cleanup"])).toMatchObject({ status: 0, stdout: `detached ${LUN}\n` });
    state.put({ id, ref: LUN });
    expect(eventsOf((await blockhaul(["cleanup", "--json"])).stdout)).toEqual([
      { type: "cleaned", id, ref: LUN, undone: [] },
    ]);
  });

  it("exit with 7 where something cannot be undone, and go on with the rest", async () => {
    const steps = [{ kind: "teleport", data: {} }];
    state.put({ id, ref: LUN, steps });
    state.put({ id: "ba9876543210", ref: "array:b", createdAt: "2026-01-01T00:00:00.000Z" });
    const { status, stdout, stderr } = await blockhaul(["cleanup"]);
    expect(status).toBe(7);
    expect(stdout).toBe("detached array:b\n");
    expect(stderr).toMatch(/^blockhaul: iscsi:.*: detach: .*"teleport"\nhint: /);
    expect((await blockhaul(["attachments"])).stdout).toContain(`${id}: `);
  });

  it("are loud about a file that is no record", async () => {
    state.write(`${id}.json`, "{");
    const refusal = { status: 4, code: "ERR_JOURNAL", says: /0123456789ab\.json is no record/ };
    for (const args of [["attachments"], ["cleanup"], ["detach", "x"]])
      await refuses(args, refusal);
  });
});

describe("blockhaul attach", () => {
  it.each(["file:/tmp/x.img", "/tmp/x.img", "null:", "rbd:rbd/x"])(
    "refuses %s, which has nothing to attach",
    async (ref) => {
      await refuses(["attach", ref], {
        status: 2,
        code: "ERR_UNSUPPORTED",
        says: /the driver \w+ has nothing to attach/,
      });
      expect(state.files).toEqual([]);
    },
  );

  it("refuses a malformed ref, and one with a secret, without showing it", async () => {
    const invalid = { status: 2, code: "ERR_INVALID_REF" };
    await refuses(["attach", "iscsi://10.0.0.1"], { ...invalid, says: /names no target/ });
    const secret = "iscsi://me:sesame@10.0.0.1/iqn.2026-01.org.example:a/1";
    const event = await refuses(["attach", secret], { ...invalid, says: /seems to hold a secret/ });
    expect(JSON.stringify(event)).not.toContain("sesame");
  });

  it("refuses a secret's file that others can read", async () => {
    const file = workspace.path("secret");
    writeFileSync(file, "open sesame");
    chmodSync(file, 0o644);
    await refuses(
      ["attach", `iscsi://me@127.0.0.1:1/iqn.2026-01.org.example:a/1?secret-file=${file}`],
      {
        status: 1,
        code: "ERR_PERMISSION",
        says: /can be read by others/,
      },
    );
    expect(state.files).toEqual([]);
  });

  const hidden = findProgram("iscsiadm");
  const hide = `${hidden === undefined ? "" : `mount --bind /dev/null ${hidden} && `}exec "$@"`;
  const withoutIscsiadm = ["unshare", "--mount", "sh", "-c", hide, "sh"];
  const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const whyNot = ([program = "", ...args]: readonly string[]) =>
    needsRoot ?? (spawnSync(program, args).status === 0 ? undefined : `${program} fails here`);

  itWhere(whyNot([...withoutIscsiadm, "true"]))(
    "says which package is missing where there is no iscsiadm",
    async () => {
      const refusal = {
        status: 8,
        code: "ERR_DRIVER_UNAVAILABLE",
        says: /attach: the program iscsiadm is missing/,
      };
      const event = await refuses(["attach", LUN], refusal, { under: withoutIscsiadm });
      expect(event.hint).toBe("install it: apt-get install open-iscsi");
      expect(state.files).toEqual([]);
      const { stdout } = await blockhaul(["drivers"], { under: withoutIscsiadm });
      expect(stdout).toMatch(/^iscsi .* no$/m);
      expect(stdout).toContain("iscsiadm is missing: apt-get install open-iscsi");
      const doctor = await blockhaul(["doctor"], { under: withoutIscsiadm });
      expect(doctor.status).toBe(0);
      expect(doctor.stdout).toMatch(
        /^warn {5}iscsiadm +missing, so .*: apt-get install open-iscsi$/m,
      );
    },
  );

  itWhere(whyNot([...asNobody, process.execPath, main, "--version"]))(
    "says that it needs root",
    async () => {
      const folder = workspace.path("of-nobody");
      mkdirSync(folder);
      chownSync(folder, 65534, 65534);
      chmodSync(workspace.folder, 0o755);
      const options = { under: asNobody, env: { BLOCKHAUL_STATE_DIR: `${folder}/state` } };
      for (const args of [
        ["attach", LUN],
        ["targets", "127.0.0.1:1"],
      ]) {
        const refusal = { status: 1, code: "ERR_PERMISSION", says: /only root can attach/ };
        const event = await refuses(args, refusal, options);
        expect(event.hint).toBe("run it as root");
      }
      expect(await blockhaul(["attachments"], options)).toMatchObject({ status: 0 });
    },
  );
});
