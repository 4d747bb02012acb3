import { Command, CommanderError, Option } from "commander";
import {
  BlockhaulError,
  SECRET_VARIABLES,
  takeSecretsFromEnvironment,
  useConfig,
} from "../index.js";
import type { ArgumentSpec, CommandContext, CommandSpec } from "./command.js";
import { COMMANDS } from "./commands.js";
import { describeError, exitCodeOf, explainError } from "./error-report.js";
import { camelCase, type OptionSpec, placeholderOf, readOptions } from "./options.js";
import { Output } from "./output.js";
import type { ProgressRequests } from "./progress-requests.js";
import { packageVersion } from "./version.js";

const AFTER_HELP = `
Refs:
  disk.img, /dev/vg0/a              a path: an image file or a block device
  rbd:[pool/[namespace/]]image[@snapshot][:id=user][:conf=path]
  lvm:vg/lv                         a logical volume of this host
  iscsi://[user@]host[:port][,host2[:port]...]/iqn/lun[?secret-file=path]
  null:, zero:SIZE, pattern:SIZE:SEED
  backend:volume                    a volume of a backend that blockhaul.yaml names
  \`blockhaul drivers\` shows them all.

Exit codes:
  0 done · 1 failed · 2 usage · 3 not found · 4 refused, in use · 5 temporary, a retry may help
  6 the bytes differ from what they should be · 7 done in part: \`copy --salvage\` met what it could
  not read, or \`cleanup\` could not undo all of it · 8 something is missing on this host
  130, 143 stopped by a signal; \`blockhaul resume\` goes on

SIGUSR1 (\`kill -USR1 PID\`) has it say how far it is.`;

/** Of ERR_TIMEOUT and its like. */
const TEMPORARY = 5;

/** Runs one command line and leaves its exit code with the process. */
export async function runProgram(
  args: readonly string[],
  requests: ProgressRequests,
): Promise<void> {
  const { env } = process;
  const context: CommandContext = {
    stdout: new Output(process.stdout, env),
    stderr: new Output(process.stderr, env),
    environment: env,
    requests,
  };
  keepSecretsOut(env);
  requests.otherwise = () => context.stderr.line("nothing is being copied");
  const isVerbose = args.some((argument) => /^(-[a-z]*v[a-z]*|--verbose)$/.test(argument));
  const fail = (error: unknown) => {
    if (args.includes("--json")) context.stdout.json(describeError(error));
    for (const line of explainError(error, isVerbose)) context.stderr.line(line);
    return exitCodeOf(error);
  };
  // The parser has told people already.
  const usageError = ({ exitCode, message }: CommanderError) => {
    if (exitCode === 0) return 0;
    const error = new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: message.replace(/^error: /, ""),
    });
    if (args.includes("--json")) context.stdout.json(describeError(error));
    return exitCodeOf(error);
  };
  process.once("uncaughtException", (error) => process.exit(fail(error)));

  try {
    process.exitCode = await parseAndRun(args, context);
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? usageError(error) : fail(error);
  }
  // What nobody waits for any more, a connection or a request that hangs, would keep the process up.
  if (process.exitCode > 128 || process.exitCode === TEMPORARY) process.exit();
}

/** From here on they are in no child's environment, no core dump and not in /proc/PID/environ, needed or not. */
function keepSecretsOut(env: NodeJS.ProcessEnv): void {
  // Without one, there is nothing to load the addon for.
  if (!SECRET_VARIABLES.some((variable) => variable in env)) return;
  try {
    takeSecretsFromEnvironment();
  } catch {
    // Without the addon, nothing can use them either.
    for (const variable of SECRET_VARIABLES) delete env[variable];
  }
}

async function parseAndRun(args: readonly string[], context: CommandContext): Promise<number> {
  let exitCode = 0;
  const program = new Command("blockhaul")
    .description("Moves block volumes between files, block devices, LVM, iSCSI and Ceph RBD.")
    .version(`blockhaul ${packageVersion()}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .addHelpText("after", AFTER_HELP);
  configure(program, context);
  // Who names a command is shown nothing of the others.
  const named = COMMANDS.filter(({ name }) => name === args[0]);
  for (const spec of named.length > 0 ? named : COMMANDS) {
    program.addCommand(
      toCommander(spec, context, async (run) => {
        exitCode = await run();
      }),
    );
  }
  await program.parseAsync(withoutValues(args), { from: "user" });
  return exitCode;
}

/** What a flag is told, as a flag of its own that no help shows: the parser knows no flags with values. */
function withoutValues(args: readonly string[]): string[] {
  const spec = COMMANDS.find(({ name }) => name === args[0]);
  const told = (spec?.options ?? []).flatMap(flagsTold);
  const end = args.indexOf("--");
  return args.map((argument, index) => {
    if (end !== -1 && index > end) return argument;
    return told.find(({ typed }) => typed === argument)?.flag ?? argument;
  });
}

/** "--verify=source" and "--verify-source" */
function flagsTold({ name, kind, choices = [] }: OptionSpec) {
  if (kind !== "flag") return [];
  return choices.map((choice) => ({
    choice,
    typed: `--${name}=${choice}`,
    flag: `--${name}-${choice}`,
    key: camelCase(`${name}-${choice}`),
  }));
}

function toCommander(
  spec: CommandSpec,
  context: CommandContext,
  perform: (run: () => Promise<number>) => Promise<void>,
): Command {
  const command = new Command(spec.name)
    .summary(spec.summary)
    .description(capitalize(spec.description ?? `${spec.summary}.`))
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", examplesHelp(spec));
  configure(command, context);
  for (const argument of spec.arguments) command.argument(argumentWord(argument), argument.help);
  for (const option of spec.options) {
    command.addOption(toCommanderOption(option));
    for (const { flag } of flagsTold(option)) command.addOption(new Option(flag).hideHelp());
  }
  return command.action((...parameters: unknown[]) =>
    perform(async () => {
      const given = parameters.slice(0, spec.arguments.length) as (string | string[] | undefined)[];
      const args = given.flat().filter((argument) => argument !== undefined);
      const values = readOptions(spec.options, givenFlags(command, spec), context.environment);
      const named = "config" in values && typeof values.config === "string";
      useConfig(named ? values.config : undefined, {
        onSkipped: ({ path, skipped }) => context.stderr.line(`${path} is not read: it ${skipped}`),
      });
      const run = await spec.load();
      return run(args, values, context);
    }),
  );
}

/** "<source>", "[target]", "[job...]" */
function argumentWord({ name, optional = false, variadic = false }: ArgumentSpec): string {
  const word = variadic ? `${name}...` : name;
  return optional ? `[${word}]` : `<${word}>`;
}

/** Every command by itself: commander does not hand these on to those that were built elsewhere. */
function configure(command: Command, { stdout, stderr }: CommandContext): void {
  command
    .exitOverride()
    .showHelpAfterError(`hint: \`${commandLine(command)} --help\` shows what it takes`)
    .configureOutput({
      writeOut: (text) => stdout.lines(linesOf(text)),
      writeErr: (text) => stderr.lines(linesOf(text)),
      outputError: (text) => stderr.lines(parserErrorLines(text)),
    });
}

/** Of a text of the parser's that nobody else's is a part of: help. */
function linesOf(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}

/** What was typed is a part of it, and may hold newlines: only what the parser itself puts behind one is a line. */
function parserErrorLines(text: string): string[] {
  const [, message = "", guess] =
    /^(?:error: )?(.*?)(?:\n(\(Did you mean [^\n]*\?\)))?\n?$/s.exec(text) ?? [];
  return [`blockhaul: ${message}`, ...(guess === undefined ? [] : [guess])];
}

function commandLine(command: Command): string {
  return command.name() === "blockhaul" ? "blockhaul" : `blockhaul ${command.name()}`;
}

function toCommanderOption(spec: OptionSpec): Option {
  const placeholder = placeholderOf(spec);
  const long = `--${spec.name}${placeholder === undefined ? "" : ` <${placeholder}>`}`;
  const variable = spec.environment === undefined ? "" : ` [${spec.environment}]`;
  const option = new Option(
    spec.short === undefined ? long : `-${spec.short}, ${long}`,
    `${spec.help}${variable}`,
  );
  return spec.heading === undefined ? option : option.helpGroup(`${spec.heading}:`);
}

function givenFlags(command: Command, spec: CommandSpec): Map<string, string | boolean> {
  const flags = new Map<string, string | boolean>();
  for (const option of spec.options) {
    const { name } = option;
    const told = flagsTold(option).find(({ key }) => command.getOptionValue(key) === true);
    if (told !== undefined) flags.set(name, told.choice);
    if (told !== undefined) continue;
    // Commander keeps --no-x as x = false.
    const negated = name.startsWith("no-");
    const key = camelCase(negated ? name.slice(3) : name);
    if (command.getOptionValueSource(key) !== "cli") continue;
    const value: unknown = command.getOptionValue(key);
    flags.set(name, negated ? value === false : (value as string | boolean));
  }
  return flags;
}

function examplesHelp({ examples }: CommandSpec): string {
  const lines = examples.map(([line, purpose]) => `  ${line}\n      ${purpose}`);
  return `\nExamples:\n${lines.join("\n")}`;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
