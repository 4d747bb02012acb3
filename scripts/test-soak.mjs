// npm run test:soak [-- --minutes N] [-- --seed S]   copies with random faults, stops and resumes in one process for N
//                                                    minutes (10): memory, descriptors and threads must stay flat

import { randomInt } from "node:crypto";
import path from "node:path";
import { parseArgs } from "node:util";

import { prepare } from "./lib/prepare.mjs";
import { nothing, record, recordCount } from "./lib/results.mjs";
import { main, root, Stop, say, tryRun } from "./lib/run.mjs";
import { withTemporaryFolder } from "./lib/temporary.mjs";

await main(async () => {
  const { values } = parseArgs({
    options: { minutes: { type: "string", default: "10" }, seed: { type: "string" } },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Stop("--minutes is a number", 2);
  await prepare(["build", "test"]);
  const seed = values.seed ?? String(randomInt(2 ** 31));
  const soak = path.join(root, "test/soak/soak.mjs");
  const args = ["--expose-gc", soak, String(minutes), seed];
  const { status, output } = await withTemporaryFolder(() =>
    tryRun(process.execPath, args, { capture: true }),
  );
  say(output.trim());
  const counted = /^\{.*\}$/m.exec(output)?.[0];
  const copies = counted === undefined ? 0 : JSON.parse(counted).copies;
  const failures = status === 0 ? [] : [`soak: seed ${seed}`];
  const failed = failures.length;
  record("soak", { ...nothing, passed: 1 - failed, failed, failures });
  recordCount("soak", {
    what: "copies in one process, nothing of it left behind",
    count: copies,
    command: `npm run test:soak -- --minutes ${minutes}`,
  });
  if (status !== 0)
    throw new Stop(`again: npm run test:soak -- --minutes ${minutes} --seed ${seed}`);
});
