import { accessSync, constants, statSync } from "node:fs";
import path from "node:path";

import { BlockhaulError } from "../errors.js";
import { canRename, type NamedVolume, nameIn } from "./target-name.js";
import { HOOK_NAMES, type MigrateOptions } from "./types.js";

/** Why what a migration is told cannot be done between these two ends. */
export function problemsOfSettings(
  options: MigrateOptions,
  source: NamedVolume | undefined,
  target: NamedVolume | undefined,
): BlockhaulError[] {
  return [
    ...problemsOfSource(options, source),
    ...problemsOfTarget(options, target),
    ...problemsOfNames(options, source, target),
    ...problemsOfSnapshots(options, source, target),
    ...problemsOfHooks(options),
  ];
}

function problemsOfSource(
  { deleteSource, rename, verify, digest }: MigrateOptions,
  source: NamedVolume | undefined,
): BlockhaulError[] {
  const problems: BlockhaulError[] = [];
  if (deleteSource && verify === false) {
    const message = "a source is removed only after a verification";
    problems.push(new BlockhaulError("ERR_INVALID_ARGUMENT", { message }));
  }
  if (digest === "none" && verify !== false) {
    const message = "a verification compares digests: there is none without them";
    problems.push(new BlockhaulError("ERR_INVALID_ARGUMENT", { message }));
  }
  if (source === undefined) return problems;
  if (deleteSource && !source.driver.supports.delete) {
    problems.push(lacks(source, "source", "removes no volumes, so that the source must be kept"));
  }
  if (rename && !canRename(source)) {
    problems.push(lacks(source, "source", "renames no volumes, so that none can be set aside"));
  }
  return problems;
}

/** With `rename`, the target has no other name than the source's. */
function problemsOfNames(
  { rename }: MigrateOptions,
  source: NamedVolume | undefined,
  target: NamedVolume | undefined,
): BlockhaulError[] {
  const name = source && nameIn(source);
  if (!rename || name === undefined || target === undefined) return [];
  const told = nameIn(target);
  if (told === undefined) {
    return [
      lacks(target, "target", `names no volumes, so that none gets the source's name, ${name}`),
    ];
  }
  if (told === name) return [];
  return [
    new BlockhaulError("ERR_INVALID_ARGUMENT", {
      side: "target",
      volume: target.ref,
      message: `the target is to be called ${told}, and to get the source's name, ${name}`,
      hint: "name only the target's backend, or do without the rename",
    }),
  ];
}

function problemsOfTarget(
  { provisioning, create = {} }: MigrateOptions,
  target: NamedVolume | undefined,
): BlockhaulError[] {
  if (target === undefined) return [];
  const { supports, name } = target.driver;
  const problems: BlockhaulError[] = [];
  if (supports.create !== false && !supports.delete) {
    problems.push(lacks(target, "target", "removes no volumes, so that none could be taken back"));
  }
  const kinds = supports.provisioning ?? [];
  if (provisioning !== undefined && !kinds.includes(provisioning)) {
    const can = kinds.length === 0 ? "cannot choose" : `makes only ${kinds.join(" and ")} volumes`;
    problems.push(lacks(target, "target", `${can}, none that is told to be ${provisioning}`));
  }
  for (const option of Object.keys(create)) {
    if (supports.createOptions.includes(option)) continue;
    problems.push(
      new BlockhaulError("ERR_INVALID_ARGUMENT", {
        side: "target",
        volume: target.ref,
        message: `"${option}" is no option of a new ${name} volume; known are ${supports.createOptions.join(", ") || "none"}`,
      }),
    );
  }
  return problems;
}

function problemsOfSnapshots(
  { withSnapshots }: MigrateOptions,
  source: NamedVolume | undefined,
  target: NamedVolume | undefined,
): BlockhaulError[] {
  if (!withSnapshots) return [];
  const problems: BlockhaulError[] = [];
  if (source !== undefined && source.driver.listSnapshots === undefined) {
    problems.push(lacks(source, "source", "cannot list snapshots, so that none is carried over"));
  }
  if (target !== undefined && !target.driver.supports.snapshots) {
    problems.push(lacks(target, "target", "takes no snapshots, so that none is carried over"));
  }
  return problems;
}

function problemsOfHooks({ hooks = {} }: MigrateOptions): BlockhaulError[] {
  return HOOK_NAMES.flatMap((name) => {
    const hook = hooks[name];
    if (hook === undefined || typeof hook === "function") return [];
    const fault = faultOfProgram(hook[0]);
    if (fault === undefined) return [];
    return new BlockhaulError("ERR_INVALID_ARGUMENT", { message: `the hook ${name} ${fault}` });
  });
}

function faultOfProgram(file: string | undefined): string | undefined {
  if (file === undefined || file === "") return "names no program";
  if (!path.isAbsolute(file)) return `names ${file}, which is no absolute path`;
  try {
    accessSync(file, constants.X_OK);
    // The same bit lets one into a folder.
    if (statSync(file).isFile()) return undefined;
  } catch {
    // The same answer as to what is no file.
  }
  return `names ${file}, which is no program that can be run`;
}

function lacks(
  { driver, ref }: NamedVolume,
  side: "source" | "target",
  what: string,
): BlockhaulError {
  const message = `the driver ${driver.name} ${what}`;
  return new BlockhaulError("ERR_UNSUPPORTED", { side, volume: ref, message });
}
