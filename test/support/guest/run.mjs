// Runs one scenario in a guest, or any command, and shows what it says.
//
//   node test/support/guest/run.mjs test/guest/scenarios/smoke.test.mjs
//   node test/support/guest/run.mjs [OPTION]... -- COMMAND [ARGUMENT]...
//
// Options, on top of what a scenario's `// @guest` line says: --memory MIB, --disk MIB (again for more), --module NAME
// (again for more), --limit SECONDS, --cpu NUMBER, and --console to see the guest's kernel too. The guest's root is this
// machine's files, changed by nobody outside of the guest; the exit status is the command's, 125 where the guest died.

import { parseArgs } from "node:util";

import { whyNoGuest } from "./machine/availability.mjs";
import { runGuest } from "./machine/machine.mjs";
import { runScenario } from "./machine/scenario.mjs";

const exitNoStatus = 125;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    memory: { type: "string" },
    disk: { type: "string", multiple: true },
    module: { type: "string", multiple: true },
    limit: { type: "string" },
    cpu: { type: "string" },
    console: { type: "boolean" },
  },
});

/** @type {import("./machine/machine.mjs").GuestOptions & import("./machine/machine.mjs").RunOptions} */
const options = {
  ...(values.memory && { memoryMiB: Number(values.memory) }),
  ...(values.disk && { disksMiB: values.disk.map(Number) }),
  ...(values.module && { modules: values.module }),
  ...(values.limit && { timeLimitS: Number(values.limit) }),
  ...(values.cpu && { cpu: Number(values.cpu) }),
  ...(values.console && { onConsole: (text) => process.stderr.write(text) }),
  onOutput: (text) => process.stdout.write(text),
};

// Ctrl-C: what is to be removed is removed at this process's exit, and the guest ends with it.
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.once(signal, () => process.exit(exitNoStatus));
}

const [file] = positionals;
const missing = await whyNoGuest();
if (missing !== undefined) {
  process.stderr.write(`No guest can run here: ${missing}\n`);
  process.exitCode = 8;
} else if (process.argv.includes("--")) {
  const { status, how } = await runGuest(positionals, options);
  if (status === undefined) process.stderr.write(`the guest: ${how}\n`);
  process.exitCode = status ?? exitNoStatus;
} else if (file !== undefined) {
  const cases = await runScenario(file, options);
  const failed = cases.filter(({ result }) => result === "failed");
  // node has shown the others.
  for (const { path, error, outside } of failed) {
    if (outside) process.stderr.write(`\n✖ ${path.join(" > ")}\n${error?.stack}\n`);
  }
  process.stdout.write(`${cases.length} cases, ${failed.length} failed\n`);
  process.exitCode = failed.length > 0 ? 1 : 0;
} else {
  process.stderr.write("usage: run.mjs [OPTION]... SCENARIO | run.mjs [OPTION]... -- COMMAND...\n");
  process.exitCode = 2;
}
