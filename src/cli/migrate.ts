import {
  BlockhaulError,
  type Hook,
  type HookName,
  migrateVolume,
  planMigration,
} from "../index.js";
import type { CommandContext, CommandRun } from "./command.js";
import type { migrateOptions } from "./command-options.js";
import { creationOf, creationOptions } from "./creation-options.js";
import { allowedGuards, guardOptions } from "./guard-options.js";
import { runMigrateMany } from "./migrate-many.js";
import { migrationPlanLines, problemLines } from "./migrate-text.js";
import { runWatched } from "./migrating.js";
import { firstGiven, type OptionValues } from "./options.js";
import { engineOptions } from "./transfer.js";

type Options = OptionValues<typeof migrateOptions>;

export const runMigrate: CommandRun<typeof migrateOptions> = async (args, options, context) => {
  const [source, target] = args;
  checkOptions(options, args);
  if (options.plan !== undefined) return runMigrateMany(options.plan, options, context);
  if (source === undefined || target === undefined) {
    throw invalid("a migration takes a source and a target: BACKEND, BACKEND:NAME, or a ref");
  }
  const migrateOptions = optionsOf(options);
  if (options.dryRun) return showPlan(source, target, options, context);
  return runWatched(`${source} to ${target}`, options, context, (watch) =>
    migrateVolume(source, target, {
      ...migrateOptions,
      ...watch,
      onEvent: (event) => {
        if (event.type === "planned" && !options.json && !options.quiet) {
          context.stderr.lines(migrationPlanLines(event.plan));
          if (event.plan.problems.length > 1) {
            context.stderr.lines(problemLines(event.plan.problems));
          }
        }
        watch.onEvent?.(event);
      },
    }),
  );
};

async function showPlan(
  source: string,
  target: string,
  options: Options,
  { stdout, stderr }: CommandContext,
): Promise<number> {
  const plan = await planMigration(source, target, optionsOf(options));
  const { problems } = plan;
  if (options.json) {
    stdout.json({ ...plan, type: "plan", problems: problems.map((problem) => problem.toJSON()) });
  } else if (!options.quiet) {
    stdout.lines(migrationPlanLines(plan));
  }
  const [first] = problems;
  if (first === undefined) return 0;
  if (problems.length > 1 && !options.json) stderr.lines(problemLines(problems));
  throw first;
}

/** What the flags say, as the library's options. */
export function optionsOf(options: Options) {
  return {
    deleteSource: options.deleteSource,
    rename: options.rename,
    withSnapshots: options.withSnapshots,
    freeze: options.freeze,
    method: options.method,
    provisioning: options.provisioning,
    size: options.size,
    fixGpt: options.fixGpt,
    create: creationOf(options),
    verify: options.noVerify ? false : undefined,
    allow: allowedGuards(options),
    hooks: hooksOf(options),
    digest: options.digest,
    ...engineOptions(options),
  };
}

function hooksOf({ beforeCopy, beforeHandover, afterHandover }: Options) {
  const given = { beforeCopy, beforeHandover, afterHandover };
  const hooks = Object.entries(given).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, parseHook(name, text)] as const],
  );
  return Object.fromEntries(hooks) as Partial<Record<HookName, Hook>>;
}

function parseHook(name: string, text: string): readonly string[] {
  if (!text.startsWith("[")) return [text];
  try {
    const value: unknown = JSON.parse(text);
    if (
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((part) => typeof part === "string")
    ) {
      return value;
    }
  } catch {
    // The same answer as to any other text that is no array of texts.
  }
  throw invalid(`the hook ${name} is no JSON array of texts: ["/usr/bin/systemctl", "stop", "vm"]`);
}

function checkOptions(options: Options, volumes: readonly string[]): void {
  if (options.keepSource && options.deleteSource) {
    throw invalid("--keep-source and --delete-source exclude each other");
  }
  if (options.plan === undefined) {
    const stray = firstGiven(options, PLAN_ONLY);
    if (stray !== undefined) throw invalid(`--${stray} is of a --plan`);
    return;
  }
  if (volumes.length > 0) {
    throw invalid("a --plan lists what is moved; it takes no source and no target beside it");
  }
  const stray = firstGiven(options, OF_A_MOVE);
  if (stray === undefined) return;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `--${stray} is of a single move: a --plan says by itself how each volume is moved`,
    hint: "put it into the plan, under a move or under `defaults` (docs/MIGRATE-PLAN.md)",
  });
}

const PLAN_ONLY = ["parallel", "continue-on-error"] as const;

/** What is a matter of each move. How the engine works, a command may say for all that do not say it. */
const OF_A_MOVE = [
  ...[
    "delete-source",
    "keep-source",
    "rename",
    "with-snapshots",
    "provisioning",
    "size",
    "fix-gpt",
    "freeze",
    "method",
  ],
  ...["no-verify", "before-copy", "before-handover", "after-handover"],
  ...[...guardOptions, ...creationOptions].map(({ name }) => name),
];

function invalid(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
