// The end of .ci/run: what the proofs counted, what failed, and as the last line the tests of all runs, added up. Its
// arguments: the steps that failed.

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
const stepsFailed = process.argv.slice(2);
const counts = recorded();
if (stepsFailed.length > 0) say(`Failed: ${stepsFailed.join("; ")}`);
for (const failure of counts.failures) say(`- ${failure}`);
// A step without tests, or one that died before it counted any, must not pass unseen.
const failed = Math.max(counts.failed, stepsFailed.length);
say(inWords({ ...counts, failed }));
process.exitCode = failed > 0 || counts.passed === 0 ? 1 : 0;
