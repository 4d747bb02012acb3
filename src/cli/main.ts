#!/usr/bin/env node
import { packageVersion } from "./version.js";

const args = process.argv.slice(2);

// Asked for by scripts and shells again and again: nothing else is loaded for it.
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  process.stdout.write(`blockhaul ${packageVersion()}\n`);
} else {
  const { runProgram } = await import("./program.js");
  await runProgram(args);
}
