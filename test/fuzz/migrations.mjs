// Records of migrations that were cut short, changed, with right checksums. Whatever they say, the source's bytes stay
// somewhere, what belongs to nobody's migration is not touched, and what ends well has moved or taken back all of it.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

import { HANDOVER_STEPS } from "../../out/modules/migrate/record.js";
import { parseMigration } from "../../out/modules/migrate/record-schema.js";
import { MIGRATION_STATES } from "../../out/modules/migrate/types.js";
import { seal, unseal } from "../../out/modules/system/sealed.js";
import { bytesOf } from "../kills/source.mjs";
import { runCommand } from "./command.mjs";
import { mutateJson } from "./mutate.mjs";

const SIZE = 300 * 1024;
/** Where a migration is cut short: by a hook that fails as long as a file is missing. */
const HOOKS = /** @type {const} */ (["before-copy", "before-handover", "after-handover"]);
const content = bytesOf(SIZE, "migration");
const other = bytesOf(SIZE, "bystander");

/** @type {import("./worker.mjs").Fuzzer} */
export async function fuzz(random) {
  const site = path.resolve("site");
  rmSync(site, { recursive: true, force: true });
  const folders = ["images", "store"].map((name) => path.join(site, name));
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "other"), other);
  }
  const [images = "", store = ""] = folders;
  writeFileSync(path.join(images, "a"), content);
  const config = path.join(site, "blockhaul.yaml");
  const backends = { images: images, store: store };
  const entries = Object.entries(backends).map(
    ([name, directory]) => `  ${name}: {driver: file, directory: ${directory}}`,
  );
  writeFileSync(config, ["backends:", ...entries, ""].join("\n"));
  process.env.BLOCKHAUL_CONFIG = config;

  const go = path.join(site, "go");
  const hook = random.pick(HOOKS);
  const told = ["--delete-source", "--rename"].filter(() => random.chance(0.4));
  const first = await runCommand([
    ...["migrate", "-v", "--progress", "none", "images:a", "store", ...told],
    ...[`--${hook}`, JSON.stringify(["/usr/bin/test", "-e", go])],
  ]);
  const state = path.resolve("state/jobs");
  const name = readdirSync(state).find((one) => one.endsWith(".migration"));
  if (name === undefined || first.exitCode === 0) throw new Error(first.stderr);
  const file = path.join(state, name);
  const unsealed = unseal(readFileSync(file, "utf8"));
  if ("fault" in unsealed) throw new Error(unsealed.fault);
  const value = mutateRecord(random, unsealed.value);
  writeFileSync(file, seal(value));
  writeFileSync(go, "");

  const id = name.slice(0, 8);
  const listed = await runCommand(["jobs", "-v"]);
  const shown = await runCommand(["jobs", "show", id, "-v"]);
  const isAbort = random.chance(0.4);
  const flags = isAbort ? [] : ["--progress", "none"];
  const run = await runCommand([isAbort ? "abort" : "resume", id, "-v", ...flags]);
  delete process.env.BLOCKHAUL_CONFIG;

  const faults = [first, listed, shown, run].flatMap((one) => one.faults);
  if (listed.exitCode !== 0) faults.push(`\`jobs\` ends with ${listed.exitCode}: ${listed.stderr}`);
  faults.push(...faultsOfFiles(folders, { isDone: run.exitCode === 0, isAbort }));
  return {
    input: `${hook} ${told.join(" ")}, ${isAbort ? "abort" : "resume"}: ${JSON.stringify(value).slice(0, 2500)}`,
    ended: `${isAbort ? "abort" : "resume"}: exit ${run.exitCode} ${run.code ?? ""}`,
    isTired: [first, listed, shown, run].some(({ isTired }) => isTired),
    faults: faults.map((fault) => `${fault}\n    ${run.stderr.slice(0, 600)}`),
  };
}

/**
 * Mostly into a record that could have been written: what has another form is refused before anything believes it.
 *
 * @param {import("./mutate.mjs").Random} random
 * @param {Readonly<Record<string, unknown>>} record
 */
function mutateRecord(random, record) {
  const anyForm = random.chance(0.2);
  for (;;) {
    const changed =
      random.chance(0.3) && !anyForm
        ? { ...record, ...elsewhere(random) }
        : mutateJson(random, record).value;
    if (anyForm || "record" in parseMigration(changed)) return changed;
  }
}

/**
 * Another place that a migration could have come to.
 *
 * @param {import("./mutate.mjs").Random} random
 */
function elsewhere(random) {
  const state = { state: random.pick([...MIGRATION_STATES, "aborting", "aborted"]) };
  const handover = { handover: HANDOVER_STEPS.filter(() => random.chance(0.4)) };
  return { ...(random.chance(0.7) ? state : {}), ...(random.chance(0.7) ? handover : {}) };
}

/**
 * @param {readonly string[]} folders of the source and of the target
 * @param {{ isDone: boolean, isAbort: boolean }} run
 */
function faultsOfFiles(folders, { isDone, isAbort }) {
  const [inImages = [], inStore = []] = folders.map((folder) =>
    readdirSync(folder).map((name) => ({
      name,
      bytes: readFileSync(path.join(folder, name)),
    })),
  );
  /** @type {string[]} */
  const faults = [];
  const has = (/** @type {typeof inImages} */ files) =>
    files.some(({ bytes }) => bytes.equals(content));
  if (!has([...inImages, ...inStore])) faults.push("the source's bytes are nowhere");
  for (const files of [inImages, inStore]) {
    const bystander = files.find(({ name }) => name === "other");
    if (!bystander?.bytes.equals(other)) faults.push("another file was changed or removed");
  }
  if (!isDone) return faults;
  if (isAbort && !inImages.some(({ name, bytes }) => name === "a" && bytes.equals(content))) {
    faults.push("taken back, and the source is not there under its name");
  }
  if (!isAbort && !has(inStore)) faults.push("done, and no target holds the source's bytes");
  return faults;
}
