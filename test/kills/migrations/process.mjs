// node process.mjs JSON   One migration, resume or abort in a process of its own, which may be killed at one of its
// moments. Prints what came of it as one line of JSON.

import {
  abortMigration,
  BlockhaulError,
  listDrivers,
  migrateVolume,
  registerBackend,
  registerDriver,
  resumeMigration,
} from "blockhaul";
import { momentousDriver } from "./driver.mjs";
import { countMoments } from "./moments.mjs";

/** @type {import("./case.mjs").Task} */
const task = JSON.parse(process.argv[2] ?? "");
const { variant, folder } = task;
/** @type {Parameters<typeof momentousDriver>[0]} */
const files = /** @type {never} */ ((await listDrivers()).find(({ name }) => name === "file"));
const moments = countMoments(folder, task.killAt, task.log);
const hidden = `${folder}/hidden`;
const from = { name: "momentous", hidden, ...variant.source };
registerDriver(momentousDriver(files, from, moments));
const to = variant.target === undefined ? from : { name: "other", hidden, ...variant.target };
if (variant.target !== undefined) registerDriver(momentousDriver(files, to, moments));
await registerBackend("from", { driver: from.name, directory: `${folder}/from` });
await registerBackend("to", { driver: to.name, directory: `${folder}/to` });

let progress = 0;
/** @type {import("blockhaul").MigrationWatch} */
const watch = {
  stateDirectory: `${folder}/state`,
  progressIntervalMs: 1,
  onEvent: (event) => {
    if (event.type === "state") moments.moment(`event ${event.state}`);
    if (event.type === "hook") moments.moment(`event ${event.hook} ${event.state}`);
    if (event.type !== "progress") return;
    progress += 1;
    if (progress === task.killAtProgress) process.kill(process.pid, "SIGKILL");
  },
};

/** @returns {Promise<import("blockhaul").MigrationReport>} */
function act() {
  if (task.action === "migrate") {
    const options = { ...variant.options, ...task.options, ...watch };
    return migrateVolume("from:disk", "to:disk", options);
  }
  const id = task.id ?? "";
  return task.action === "resume" ? resumeMigration(id, watch) : abortMigration(id, watch);
}

try {
  const { state, sourceIs } = await act();
  console.log(JSON.stringify({ state, sourceIs }));
} catch (error) {
  const isOurs = error instanceof BlockhaulError;
  console.log(JSON.stringify({ code: isOurs ? error.code : "none", message: String(error) }));
  if (!isOurs) console.error(error);
}
