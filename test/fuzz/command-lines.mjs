// Command lines by the tables of options, with values that are right, nearly right and hostile. Their refs are files of
// the current folder, or lead nowhere.

import { readFileSync, writeFileSync } from "node:fs";

import { COMMANDS } from "../../out/modules/cli/commands.js";
import { bytesOf } from "../kills/source.mjs";
import { runCommand } from "./command.mjs";
import { HOSTILE_TEXTS } from "./mutate.mjs";

/** What would look at the host, or change it, whatever it is told. */
const NOT_HERE = new Set(["cleanup", "attach", "detach", "attachments", "targets", "doctor"]);
const COMMANDS_HERE = COMMANDS.filter(({ name }) => !NOT_HERE.has(name));

const FILES = ["a.img", "b.img", "c.img", "empty.img", "text.txt"];
const REFS = [
  ...FILES,
  ...["file:a.img", "new.img", "file:new.img", "block:a.img", ".", "missing/x.img", "null:"],
  ...["zero:64KiB", "zero:-1", "zero:", "pattern:64KiB:5", "pattern:1:x", "pattern:", "rbd:"],
  ...[
    "rbd:a/b/c/d",
    "rbd:p/i@:x",
    "lvm:",
    "lvm:a",
    "lvm:../x/y",
    "iscsi:",
    "iscsi://",
    "iscsi:///x",
  ],
  ...["nowhere:x", "file:", "a.img?x=1", "a.img@b"],
];
const VALUES = {
  size: ["0", "64KiB", "1MiB", "1GiB", "-1", "1.5MiB", "9EiB", "1e3", "1,000", "KiB"],
  count: ["0", "4", "64", "4097", "-1", "1.5", "1e3", "999999999999999999999"],
  seconds: ["0", "5", "0.5", "-1", "1e9", "2000000", "Infinity"],
  list: ["layering", "layering,,", ",", "a,b"],
  text: ["manifest", "file", "sub/x"],
};

/** @type {import("./worker.mjs").Fuzzer} */
export async function fuzz(random) {
  const content = bytesOf(300 * 1024 + 17, "a");
  writeFileSync("a.img", content);
  writeFileSync("b.img", content);
  writeFileSync("c.img", bytesOf(300 * 1024 + 17, "c"));
  writeFileSync("empty.img", "");
  writeFileSync("text.txt", "no volume\n");
  const before = new Map(FILES.map((name) => [name, readFileSync(name)]));
  const any = (/** @type {readonly string[]} */ all) => all[random.below(all.length)] ?? "";
  const hostile = () => any(HOSTILE_TEXTS.filter((text) => text !== "-"));

  const spec = COMMANDS_HERE[random.below(COMMANDS_HERE.length)];
  if (spec === undefined) throw new Error("there are no commands");
  /** @type {string[]} */
  const positionals = [];
  for (const argument of spec.arguments) {
    if (random.chance(0.1)) break;
    const known = argument.kind === "ref" ? REFS : (argument.choices ?? ["a", "abcdefgh"]);
    positionals.push(random.chance(0.12) ? hostile() : any(known));
  }
  if (random.chance(0.05)) positionals.push(hostile());
  /** @type {string[]} */
  const flags = [];
  const options = spec.options.filter(({ name }) => !/^(state-dir|config)$/.test(name));
  for (let left = random.below(5); left > 0; left -= 1) {
    const option = options[random.below(options.length)];
    if (option === undefined) break;
    // A rate of a byte a second would be right, and end tomorrow; a hook would be a program.
    const values = /limit|iops|^before|^after/.test(option.name)
      ? ["0", "1GiB", "-1", "x"]
      : (option.choices ?? VALUES[/** @type {keyof typeof VALUES} */ (option.kind)] ?? []);
    const isFlag = option.kind === "flag";
    if (isFlag && random.chance(0.9)) flags.push(`--${option.name}`);
    else if (isFlag) flags.push(`--${option.name}=${random.chance(0.5) ? "source" : hostile()}`);
    else if (random.chance(0.04)) flags.push(`--${option.name}`);
    else {
      const value = random.chance(0.15) ? hostile() : any(values);
      flags.push(
        ...(random.chance(0.5) ? [`--${option.name}=${value}`] : [`--${option.name}`, value]),
      );
    }
  }
  if (random.chance(0.04)) flags.push(`--${hostile()}`);
  const rest = random.chance(0.5) ? [...positionals, ...flags] : [...flags, ...positionals];
  const args = [random.chance(0.02) ? hostile() : spec.name, "-v", ...rest];

  const run = await runCommand(args);
  const { faults } = run;
  const [source = "", target = ""] = positionals;
  const bytes = before.get(source.replace(/^file:/, ""));
  const isPlain =
    positionals.length === 2 && !flags.some((flag) => /dry-run|help|manifest/.test(flag));
  const isTaken =
    rest
      .filter((arg) => !arg.startsWith("-"))
      .slice(0, 2)
      .join() === positionals.join();
  const isDone = run.exitCode === 0 && isPlain && bytes !== undefined;
  if (isDone && isTaken && (spec.name === "copy" || spec.name === "verify") && target !== "null:") {
    const there = readOrNothing(target.replace(/^file:/, ""));
    if (there !== undefined && !there.subarray(0, bytes.length).equals(bytes)) {
      faults.push(`${spec.name} ends with 0, and the target is not the source`);
    }
  }
  return {
    input: args.map((arg) => JSON.stringify(arg.slice(0, 400))).join(" "),
    ended: `exit ${run.exitCode} ${run.code ?? ""}`,
    isTired: run.isTired,
    faults,
  };
}

/** @param {string} file */
function readOrNothing(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
