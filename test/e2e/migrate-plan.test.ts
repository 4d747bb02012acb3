import { execFile } from "node:child_process";
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import { checkPlan, type ManyEvent, migrateVolumes, readPlan, registerBackend } from "blockhaul";
import { afterAll, describe, expect, inject, it } from "vitest";

import { type MigrateManyFlags, runMigrateMany } from "../../src/cli/migrate-many.js";
import { Output } from "../../src/cli/output.js";
import { Random } from "../support/random.js";
import { RbdPool } from "../support/rbd-pool.js";
import { Workspace } from "../support/workspace.js";

const execute = promisify(execFile);
const MiB = 1024 ** 2;

const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

let places = 0;

/** Two backends of image files, and a state of their own. */
class Place {
  readonly number = places++;
  readonly images = this.#folder("images");
  readonly store = this.#folder("store");
  readonly state = this.#folder("state");

  static async create(): Promise<Place> {
    const place = new Place();
    const { number } = place;
    await registerBackend(`images${number}`, { driver: "file", directory: place.images });
    await registerBackend(`store${number}`, { driver: "file", directory: place.store });
    return place;
  }

  #folder(name: string): string {
    const folder = workspace.path(`${name}-${this.number}`);
    mkdirSync(folder);
    return folder;
  }

  /** Of random bytes, with holes among them. */
  makeImage(name: string, size: number): void {
    const random = new Random(`${this.number} ${name}`);
    const file = openSync(`${this.images}/${name}`, "wx");
    for (const offset of [0, size / 2]) {
      writeSync(file, random.bytes(size / 4), 0, size / 4, offset);
    }
    ftruncateSync(file, size);
    fsyncSync(file);
    closeSync(file);
  }

  /** A file with a plan; `images:` and `store` are this place's. */
  plan(text: string): string {
    const file = workspace.path(`plan-${this.number}.yaml`);
    const { number } = this;
    writeFileSync(file, text.replace(/\b(images|store)(?=[:},\n])/g, `$1${number}`));
    return file;
  }

  /** What the command does with `--plan`, and what it says. */
  async migrate(file: string, flags: MigrateManyFlags = {}) {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const context = { stdout: new Output(stdout, {}), stderr: new Output(stderr, {}) };
    const options = { stateDir: this.state, ...flags };
    const ended = await runMigrateMany(file, options, { ...context, environment: {} }).then(
      (status) => ({ status }),
      (error: unknown) => ({ error }),
    );
    const text = (stream: PassThrough) => String(stream.read() ?? "");
    return {
      status: undefined,
      error: undefined,
      ...ended,
      stdout: text(stdout),
      stderr: text(stderr),
    };
  }
}

const same = (a: string, b: string) => execute("cmp", [a, b]);

/** Of all files in a folder. */
async function digests(folder: string): Promise<string> {
  return (await execute("sha256sum", ["--", ...readdirSync(folder)], { cwd: folder })).stdout;
}

describe("many volumes at once", () => {
  it("are moved by plan, four at a time, byte by byte, and nothing is left behind", async () => {
    const place = await Place.create();
    const names = Array.from({ length: 20 }, (_, index) => `disk-${index}`);
    for (const [index, name] of names.entries()) place.makeImage(name, (1 + (index % 3)) * 4 * MiB);
    const moves = names.map(
      (name, at) => `  - {source: "images:${name}", target: store, group: g${at % 2}}`,
    );
    const file = place.plan(
      `parallel: 4\ngroups: {g1: {parallel: 1}}\nmoves:\n${moves.join("\n")}\n`,
    );
    const running = { all: 0, g1: 0 };
    const most = { all: 0, g1: 0 };
    const count = ({ name, state }: Extract<ManyEvent, { type: "moveState" }>) => {
      const step = state === "running" ? 1 : -1;
      running.all += step;
      if (Number(name.split("-")[1]) % 2 === 1) running.g1 += step;
      most.all = Math.max(most.all, running.all);
      most.g1 = Math.max(most.g1, running.g1);
    };
    const report = await migrateVolumes(await readPlan(file), {
      stateDirectory: place.state,
      onEvent: (event) => {
        if (event.type === "moveState" && event.state !== "waiting") count(event);
      },
    });
    expect(report).toMatchObject({ done: 20, failed: 0, skipped: 0, interrupted: 0 });
    expect(most).toEqual({ all: 4, g1: 1 });
    for (const { report: migration, state } of report.moves) {
      expect(state).toBe("done");
      expect(migration).toMatchObject({ verified: true, sourceIs: "kept" });
    }
    for (const name of names) await same(`${place.images}/${name}`, `${place.store}/${name}`);
    expect(readdirSync(place.store).sort()).toEqual(names.toSorted());
    expect(readdirSync(place.images).sort()).toEqual(names.toSorted());

    const again = await place.migrate(file);
    expect(again.status).toBe(0);
    expect(again.stdout.match(/done before/g)).toHaveLength(20);
    expect(again.stdout).toMatch(/^20 done: 0 B in /m);
  });

  it("go on without one that fails, and the same plan ends what it left", async () => {
    const place = await Place.create();
    for (const name of ["a", "b", "c", "d"]) place.makeImage(name, 4 * MiB);
    const text = (hook: string) => `
continueOnError: true
moves:
  - {name: a, source: "images:a", target: store}
  - {name: b, source: "images:b", target: store, hooks: {beforeHandover: [${hook}]}}
  - {name: c, source: "images:c", target: store, after: [b]}
  - {name: d, source: "images:d", target: store}
`;
    const file = place.plan(text("/bin/false"));
    const failed = await place.migrate(file, { json: true });
    expect(failed.status).toBe(7);
    const report = JSON.parse(failed.stdout.trimEnd().split("\n").at(-1) ?? "");
    expect(report).toMatchObject({ type: "moves", done: 2, failed: 1, skipped: 1 });
    expect(report.moves[1]).toMatchObject({ state: "failed", error: { code: "ERR_HOOK" } });
    expect(report.moves[2]).toMatchObject({ reason: "it needs b, which failed" });
    expect(failed.stderr).toMatch(/hint: `blockhaul migrate --plan .* goes on/);
    await same(`${place.images}/d`, `${place.store}/d`);

    place.plan(text("/bin/true"));
    const ended = await place.migrate(file);
    expect(ended.stdout).toMatch(/^b +done +4 MiB .*resumed$/m);
    expect(ended.stdout).toMatch(/^a +done .*done before$/m);
    expect(ended.status).toBe(0);
    for (const name of ["b", "c"]) await same(`${place.images}/${name}`, `${place.store}/${name}`);
    expect(readdirSync(place.store).sort()).toEqual(["a", "b", "c", "d"]);
  });

  it("that are stopped are resumed by the same plan", async () => {
    const place = await Place.create();
    for (const name of ["a", "b", "c"]) place.makeImage(name, 32 * MiB);
    const file = place.plan(`
parallel: 2
defaults: {method: copy, bandwidth: 8MiB}
moves:
  - {source: "images:a", target: store}
  - {source: "images:b", target: store}
  - {source: "images:c", target: store}
`);
    const stop = new AbortController();
    const stopped = await migrateVolumes(await readPlan(file), {
      stateDirectory: place.state,
      signal: stop.signal,
      progressIntervalMs: 20,
      onEvent: (event) => {
        if (event.type !== "move" || event.event.type !== "progress") return;
        if (event.event.progress.done > MiB) stop.abort();
      },
    });
    expect(stopped.moves.map(({ state }) => state)).toEqual([
      "interrupted",
      "interrupted",
      "skipped",
    ]);

    writeFileSync(file, readFileSync(file, "utf8").replace("bandwidth: 8MiB", "bandwidth: 0"));
    const checked = await checkPlan(await readPlan(file), { stateDirectory: place.state });
    expect(checked.moves.map(({ earlier }) => earlier?.state)).toEqual([
      "cut short",
      "cut short",
      undefined,
    ]);
    const report = await migrateVolumes(checked, { stateDirectory: place.state });
    expect(report.moves.map(({ state, reason }) => [state, reason])).toEqual([
      ["done", "resumed"],
      ["done", "resumed"],
      ["done", undefined],
    ]);
    for (const name of ["a", "b", "c"])
      await same(`${place.images}/${name}`, `${place.store}/${name}`);
    expect(readdirSync(place.store).sort()).toEqual(["a", "b", "c"]);
  });

  it("go to a cluster", async () => {
    await using pool = await RbdPool.create(inject("cephConf"), "many");
    const place = await Place.create();
    const names = ["a", "b", "c", "d"];
    for (const name of names) place.makeImage(name, 8 * MiB);
    const moves = names.map(
      (name) => `  - {source: "images:${name}", target: "${pool.ref(name)}"}`,
    );
    const file = place.plan(`parallel: 4\nmoves:\n${moves.join("\n")}\n`);
    const { status, stdout, error } = await place.migrate(file);
    expect({ status, error }).toEqual({ status: 0, error: undefined });
    expect(stdout).toMatch(/^4 done: 32 MiB in /m);
    for (const name of names) {
      await pool.rbd("export", "--no-progress", name, `${place.store}/${name}`);
      await same(`${place.images}/${name}`, `${place.store}/${name}`);
    }
    expect((await pool.rbd("ls")).trim().split("\n").sort()).toEqual(names);
  });
});

describe("a plan", () => {
  it("with ten mistakes in it reports all ten, and touches nothing", async () => {
    const place = await Place.create();
    for (const name of ["a", "b", "c", "d"]) place.makeImage(name, 4 * MiB);
    writeFileSync(`${place.store}/taken`, "somebody's");
    const before = await digests(place.images);
    const file = place.plan(`
parallel: 4
groups:
  web: {after: [nobody]}
moves:
  - {name: unknown-backend, source: "images:a", target: "nowhere:a"}
  - {name: missing, source: "images:nothing", target: store}
  - {name: taken, source: "images:a", target: "store:taken"}
  - {name: twice, source: "images:a", target: "store:x"}
  - {name: twice-again, source: "images:b", target: "${place.store}/x"}
  - {name: chicken, source: "images:c", target: store, after: [egg], group: web}
  - {name: egg, source: "images:d", target: store, after: [chicken]}
  - {name: egg, source: "images:d", target: "store:e"}
  - {name: misspelt, source: "images:b", target: "store:b2", verfy: false}
  - {name: thin, source: "images:b", target: "store:b3", hooks: {beforeCopy: [stop]}}
  - {name: takes, source: "${place.images}/a", target: "store:a2", deleteSource: true}
`);
    for (const dryRun of [true, false]) {
      const { error, stderr, stdout } = await place.migrate(file, { dryRun });
      expect(error).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
      for (const said of [
        /^ *1\. .*plan-\d+\.yaml:14:64: moves\[8\]: unknown key "verfy"$/m,
        /groups\.web\.after: there is no move and no group called nobody/,
        /unknown-backend: .*nowhere/,
        /missing: .*(No such|not exist)/,
        /taken: .*it exists already/,
        /twice-again: its target .*x is the target of twice, too/,
        /moves wait for each other: (egg after chicken after egg|chicken after egg after chicken)/,
        /egg: another move is called egg/,
        /thin: the hook beforeCopy names stop/,
        /takes: it removes its source/,
      ]) {
        expect(stderr).toMatch(said);
      }
      expect(stderr).not.toMatch(/undefined|\[object/);
      expect(stdout !== "").toBe(dryRun);
    }
    expect(await digests(place.images)).toBe(before);
    expect(readdirSync(place.store)).toEqual(["taken"]);
    expect(readdirSync(place.state)).toEqual([]);
  });

  it("is shown by a dry run, which changes nothing", async () => {
    const place = await Place.create();
    for (const name of ["a", "b"]) place.makeImage(name, 4 * MiB);
    const file = place.plan(`
moves:
  - {source: "images:a", target: store, method: copy}
  - {source: "images:b", target: "store:c", after: ["images:a"], bandwidth: 1MiB, verify: false, method: copy}
`);
    const { status, stdout, stderr } = await place.migrate(file, { dryRun: true });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^images\d+:a +images\d+:a +store\d+:a +4 MiB +2 MiB +0\.02 s +copy$/m);
    expect(stdout).toMatch(
      /^images\d+:b .* store\d+:c +4 MiB +2 MiB +2\.0 s +copy, after images\d+:a$/m,
    );
    expect(stdout).toMatch(/^store\d+: 4 MiB will be taken, .* free$/m);
    expect(stdout).toMatch(/^2 moves, 8 MiB: 4 MiB to move, about 2\.0 s at 200 MiB\/s/m);
    const json = await place.migrate(file, { dryRun: true, json: true });
    const [first, , forecast] = json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(first).toMatchObject({ type: "moveplan", bytesToMove: 2 * MiB, size: 4 * MiB });
    expect(forecast).toMatchObject({ type: "forecast", moves: 2, bytesToMove: 4 * MiB });
    expect(readdirSync(place.store)).toEqual([]);
    expect(readdirSync(place.state)).toEqual([]);
  });
});
