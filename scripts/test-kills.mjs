// npm run test:kills [-- --count N] [-- --seed S]   copies that are killed with SIGKILL at random moments, to
//                                                   files, block devices and RBD images, then resumed
//                                                   and compared: until N kills were made; S alone.
//                                                   Then migrations, at the moments that leave something
//                                                   else on disk, resumed, and aborted: this week's part
// … -- --only copies|migrations                     one of the two
// … -- --part 2/5                                   another part of the moments
// … -- --all                                        migrations at every moment

import { execFileSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync } from "node:fs";
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
import { nothing, record, recordCount } from "./lib/results.mjs";
import {
  chosenPart,
  isTimeOver,
  partInWords,
  partOption,
  rotationOptions,
} from "./lib/rotation.mjs";
import { main, root, Stop, say } from "./lib/run.mjs";
import { keepTemporaryFolder, withTemporaryFolder } from "./lib/temporary.mjs";
import { withCeph } from "./lib/test-ceph.mjs";

const KINDS = /** @type {const} */ (["file", "block", "rbd"]);

await main(async () => {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "220" },
      seed: { type: "string" },
      only: { type: "string" },
      ...rotationOptions,
    },
  });
  const { only = "all", seed } = values;
  const part = chosenPart("kills of migrations", values);
  if (!["all", "copies", "migrations"].includes(only)) {
    throw new Stop("--only is copies or migrations", 2);
  }
  const wanted = Number(values.count);
  if (!Number.isInteger(wanted) || wanted < 1) throw new Stop("--count is a whole number", 2);
  await prepare(["build", "demo", "ceph", "test"]);
  await withTemporaryFolder(async () => {
    if (only !== "migrations") await withCeph(() => killMany(wanted, seed));
    if (only !== "copies") await killAtMoments(seed ?? String(randomInt(2 ** 31)), part);
  });
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
    while (
      only === undefined
        ? total.kills < wanted && failures.length === 0 && !isTimeOver()
        : number === 0
    ) {
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

  const { kills, resumes, again, cases } = total;
  say(
    `${kills} kills in ${cases} copies: ${resumes} resumed, ${again} begun anew, compared by cmp`,
  );
  const failed = failures.length;
  record("kills", { ...nothing, passed: cases - failed, failed, failures });
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
 * @param {string} seed decides which resumes and aborts are killed as well
 * @param {import("./lib/rotation.mjs").Part} part
 */
async function killAtMoments(seed, part) {
  const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-kills-"));
  const { moments, cases, left, kills, resumed, aborted, unknown, faults } = await killMigrations({
    folder,
    variants: VARIANTS,
    seed,
    part,
    atOnce: availableParallelism(),
    isTimeOver,
    onFault: say,
    onProgress: say,
  });
  say(
    `${kills} kills of migrations of ${VARIANTS.length} kinds, of ${moments} moments and ${cases} cases ${partInWords(part)}: ${resumed} resumed, ${aborted} aborted; ${unknown} times somebody had to look at a target first`,
  );
  const command = `npm run test:kills -- --only migrations ${partOption(part)}`;
  const without = left === 0 ? "" : `; ${left} more cases not run, for lack of time`;
  if (left > 0) say(`${left} cases were not run: no time was left. All of them: ${command}`);
  const failed = faults.length;
  record("migration-kills", { ...nothing, passed: resumed + aborted, failed, failures: faults });
  recordCount("migration-kills", {
    what: `SIGKILLs of migrations, each resumed or aborted, and compared: ${partInWords(part)} of their moments${without}`,
    count: kills,
    command,
  });
  if (faults.length > 0) {
    keepTemporaryFolder();
    throw new Stop(
      `${faults.join("\n")}\n  what is left is in ${folder}; again: ${command} --seed ${seed}`,
    );
  }
}
