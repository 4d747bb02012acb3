// npm run test:kills [-- --count N] [-- --seed S]   copies that are killed with SIGKILL at random moments, to
//                                                   files, block devices and RBD images, then resumed
//                                                   and compared: until N kills were made; S alone.
//                                                   Then migrations, at the moments that leave something
//                                                   else on disk, resumed, and aborted: a fifth of them,
//                                                   another each week
// … -- --only copies|migrations                     one of the two
// … -- --shard 2/5                                  another fifth of the moments
// … -- --all                                        migrations at every moment

import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

import { killAndResume } from "../test/kills/case.mjs";
import { killMigrations } from "../test/kills/migrations/enumerate.mjs";
import { VARIANTS } from "../test/kills/migrations/variants.mjs";
import { writeSource } from "../test/kills/source.mjs";
import { blockTargets, fileTargets, rbdTargets } from "../test/kills/targets.mjs";
import { digestOf } from "../test/support/file-digest.mjs";
import { prepare } from "./lib/prepare.mjs";
import { record, recordCount } from "./lib/results.mjs";
import { main, root, Stop, say } from "./lib/run.mjs";
import { withCeph } from "./lib/test-ceph.mjs";

const KINDS = /** @type {const} */ (["file", "block", "rbd"]);
/** Within as many weeks, migrations are killed at every moment. Odd: each part has resumes and aborts. */
const SHARDS = 5;

await main(async () => {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "220" },
      seed: { type: "string" },
      only: { type: "string" },
      shard: { type: "string" },
      all: { type: "boolean" },
    },
  });
  const { only = "all", seed } = values;
  const part = values.all ? undefined : partOf(values.shard ?? shardOfWeek(new Date()));
  if (!["all", "copies", "migrations"].includes(only)) {
    throw new Stop("--only is copies or migrations", 2);
  }
  const wanted = Number(values.count);
  if (!Number.isInteger(wanted) || wanted < 1) throw new Stop("--count is a whole number", 2);
  await prepare(["build", "demo", "ceph", "test"]);
  if (only !== "migrations") await withCeph(() => killMany(wanted, seed));
  if (only !== "copies") await killAtMoments(seed ?? String(randomInt(2 ** 31)), part);
});

/**
 * @param {number} wanted
 * @param {string | undefined} only
 */
async function killMany(wanted, only) {
  const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-kills-"));
  const conf = process.env.BLOCKHAUL_TEST_CEPH_CONF ?? "";
  // A client that was killed watches its image until the OSD gives it up.
  execFileSync("ceph", ["-c", conf, "config", "set", "osd", "osd_client_watch_timeout", "3"]);
  const targets = {
    file: fileTargets(folder),
    block: blockTargets(folder),
    rbd: rbdTargets(conf),
  };
  const sources = ["a", "b", "c"].map((name) => {
    const file = path.join(folder, `${name}.img`);
    return { file, size: writeSource(file, name) };
  });
  const before = await Promise.all(sources.map(({ file }) => digestOf(file)));
  const base = only ?? String(randomInt(2 ** 31));
  const total = { kills: 0, resumes: 0, again: 0, cases: 0 };
  /** @type {string[]} */
  const failures = [];
  let number = 0;
  const work = async () => {
    while (only === undefined ? total.kills < wanted && failures.length === 0 : number === 0) {
      const seed = only ?? `${base}.${number}`;
      const index = only === undefined ? number : Number(seed.split(".")[1] ?? 0);
      number += 1;
      const kind = KINDS[index % KINDS.length] ?? "file";
      const source = sources[Math.floor(index / KINDS.length) % sources.length] ?? sources[0];
      if (source === undefined) return;
      const command = path.join(root, "dist/cli/main.js");
      const makeTarget = targets[kind];
      const done = await killAndResume({ seed, command, folder, source, makeTarget });
      total.cases += 1;
      total.kills += done.kills;
      total.resumes += done.resumes;
      total.again += done.again;
      for (const fault of done.faults) failures.push(`${kind}, seed ${seed}: ${fault}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const after = await Promise.all(sources.map(({ file }) => digestOf(file)));
  if (after.join() !== before.join()) failures.push("a source was changed");
  rmSync(folder, { recursive: true, force: true });

  const { kills, resumes, again, cases } = total;
  say(
    `${kills} kills in ${cases} copies: ${resumes} resumed, ${again} begun anew, compared by cmp`,
  );
  record("kills", {
    passed: cases - failures.length,
    failed: failures.length,
    skipped: 0,
    failures,
  });
  recordCount("kills", {
    what: "SIGKILLs, each resumed and compared",
    count: kills,
    command: "npm run test:kills",
  });
  if (failures.length === 0) return;
  const again_ = failures.map(
    (line) =>
      `${line}\n  again: npm run test:kills -- --only copies --seed ${/seed (\S+):/.exec(line)?.[1] ?? base}`,
  );
  throw new Stop(again_.join("\n"));
}

/**
 * @param {Date} date
 * @returns {string}
 */
function shardOfWeek(date) {
  const week = Math.floor(date.getTime() / (7 * 24 * 3600 * 1000));
  return `${(week % SHARDS) + 1}/${SHARDS}`;
}

/**
 * @param {string} shard "2/5"
 * @returns {import("../test/kills/migrations/enumerate.mjs").Part}
 */
function partOf(shard) {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(shard) ?? [];
  const part = { index: Number(index), of: Number(of) };
  if (part.index >= 1 && part.index <= part.of) return part;
  throw new Stop("--shard is a part of all: 2/5", 2);
}

/**
 * @param {string} seed decides which resumes and aborts are killed as well
 * @param {import("../test/kills/migrations/enumerate.mjs").Part | undefined} part
 */
async function killAtMoments(seed, part) {
  const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-kills-"));
  const { moments, cases, kills, resumed, aborted, unknown, faults } = await killMigrations({
    folder,
    variants: VARIANTS,
    seed,
    ...(part === undefined ? {} : { part }),
    atOnce: availableParallelism(),
    onFault: say,
  });
  const shard = part === undefined ? "" : `${part.index}/${part.of}`;
  const which = part === undefined ? "all" : `part ${shard}`;
  say(
    `${kills} kills of migrations of ${VARIANTS.length} kinds, of ${moments} moments and ${cases} cases ${which}: ${resumed} resumed, ${aborted} aborted; ${unknown} times somebody had to look at a target first`,
  );
  const passed = resumed + aborted;
  record("migration-kills", { passed, failed: faults.length, skipped: 0, failures: faults });
  recordCount("migration-kills", {
    what: `SIGKILLs of migrations at ${part === undefined ? "every moment" : `a part (${shard}) of all moments, another each week`}, each resumed or aborted, and compared`,
    count: kills,
    command: `npm run test:kills -- --only migrations ${part === undefined ? "--all" : `--shard ${shard}`}`,
  });
  if (faults.length > 0) {
    const again = `npm run test:kills -- --only migrations --seed ${seed} ${part === undefined ? "--all" : `--shard ${shard}`}`;
    throw new Stop(`${faults.join("\n")}\n  what is left is in ${folder}; again: ${again}`);
  }
  rmSync(folder, { recursive: true, force: true });
}
