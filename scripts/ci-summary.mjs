// The end of .ci/run: what the proofs counted, and as the last line the tests of all runs, added up. Its argument: the
// number of steps that failed.

import { inWords, recorded, recordedCounts } from "./lib/results.mjs";
import { say } from "./lib/run.mjs";

const proofs = recordedCounts();
if (proofs.length > 0) {
  say("\n| proof | count | command |\n|---|---|---|");
  for (const { what, count, command } of proofs) {
    say(`| ${what} | ${count.toLocaleString("en")} | \`${command}\` |`);
  }
  say("");
}
const stepsFailed = Number(process.argv[2]);
const counts = recorded();
// A step without tests, or one that died before it counted any, must not pass unseen.
const failed = Math.max(counts.failed, stepsFailed);
say(inWords({ ...counts, failed }));
process.exitCode = failed > 0 || counts.passed === 0 ? 1 : 0;
