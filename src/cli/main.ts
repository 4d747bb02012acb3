#!/usr/bin/env node
import { closeDebugger, ProgressRequests } from "./progress-requests.js";

// Before all else, and before anything else is loaded: see there.
const requests = new ProgressRequests();
const args = process.argv.slice(2);

// Asked for by scripts and shells again and again: nothing else is loaded for it.
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  const { packageVersion } = await import("./version.js");
  process.stdout.write(`blockhaul ${packageVersion()}\n`);
} else {
  const { runProgram } = await import("./program.js");
  // Node takes a moment to heed the signal.
  closeDebugger();
  await runProgram(args, requests);
}
