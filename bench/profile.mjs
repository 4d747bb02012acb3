// npm run bench:profile -- NAME COMMAND [ARGUMENT…]   Runs a command under perf, and draws where its processor time went:
// bench/profiles/NAME.svg, a flame graph. The lowest row is the threads.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { installPackages } from "../scripts/lib/prepare.mjs";
import { main, root, run, Stop } from "../scripts/lib/run.mjs";
import { nodeSettings } from "./measure.mjs";
import { fold } from "./stacks.mjs";

/** Brendan Gregg's, as Debian has it. */
const FLAMEGRAPH = "/usr/share/perl5/Devel/NYTProf/flamegraph.pl";

await main(async () => {
  const [name, ...command] = process.argv.slice(2);
  if (name === undefined || !/^[\w-]+$/.test(name) || command.length === 0) {
    throw new Stop("npm run bench:profile -- NAME COMMAND [ARGUMENT…]", 2);
  }
  await installPackages(["profile"]);
  const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-profile-"));
  try {
    const data = path.join(folder, "perf.data");
    const recording = ["record", "-q", "-F", "1999", "-g", "-o", data, "--", ...command];
    await run("perf", recording, { env: nodeSettings });
    const samples = await run("perf", ["script", "-i", data], { capture: true });
    const folded = path.join(folder, "folded");
    writeFileSync(folded, fold(samples));
    const title = command.join(" ").replaceAll(`${root}/`, "").replace(process.execPath, "node");
    const flags = ["--width=1000", "--minwidth=6", "--hash", `--title=${title}`];
    const svg = await run("perl", [FLAMEGRAPH, ...flags, folded], { capture: true });
    writeFileSync(path.join(root, "bench", "profiles", `${name}.svg`), svg);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
