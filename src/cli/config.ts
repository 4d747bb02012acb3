import { BlockhaulError, type Config, type ConfigFile, readConfig } from "../index.js";
import type { CommandContext, CommandRun } from "./command.js";
import type { configOptions } from "./command-options.js";
import type { OptionValues } from "./options.js";
import { plural } from "./table.js";
import { visible } from "./visible.js";

type Options = OptionValues<typeof configOptions>;
type Action = (config: Config, options: Options, context: CommandContext) => Promise<void> | void;

const ACTIONS: Readonly<Record<string, Action>> = { check, show };

export const runConfig: CommandRun<typeof configOptions> = async (
  [word = ""],
  options,
  context,
) => {
  const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
  if (action === undefined) {
    throw invalid(`"${word}" is none of ${Object.keys(ACTIONS).join(", ")}`);
  }
  if (options.origin && word !== "show") throw invalid("--origin goes with `config show`");
  await action(await readConfig(), options, context);
  return 0;
};

function check({ files, backends }: Config, options: Options, { stdout }: CommandContext): void {
  const isRead = ({ found, skipped }: ConfigFile) => found && skipped === undefined;
  const read = files.filter(isRead).map(({ path }) => path);
  if (options.json) stdout.json({ type: "checked", files: read, backends: [...backends.keys()] });
  else if (options.quiet) return;
  else if (read.length === 0) {
    stdout.line(
      `ok: no configuration: there is none of ${files.map(({ path }) => path).join(", ")}`,
    );
  } else stdout.line(`ok: ${plural(backends.size, "backend")} from ${read.join(", ")}`);
}

async function show(config: Config, options: Options, { stdout }: CommandContext): Promise<void> {
  const { files, settings, origins } = config;
  if (options.json) {
    stdout.json({ type: "configuration", files, settings, ...(options.origin && { origins }) });
    return;
  }
  if (!options.quiet) {
    for (const file of files) stdout.line(`# ${file.path}${stateOf(file)}`);
  }
  stdout.lines(await settingsLines(config, options.origin === true));
}

function stateOf({ found, skipped }: ConfigFile): string {
  if (skipped !== undefined) return " (not read)";
  return found ? "" : " (missing)";
}

/** The settings as one YAML file, which would be read as they are. */
async function settingsLines(
  { settings, origins }: Config,
  withOrigins: boolean,
): Promise<string[]> {
  const { Document, isScalar, visit } = await import("yaml");
  const document = new Document(settings, { aliasDuplicateObjects: false });
  for (const { path, file, line } of withOrigins ? origins : []) {
    const value = document.getIn(path, true);
    if (isScalar(value)) value.comment = ` ${visible(`${file}:${line}`)}`;
  }
  visit(document, {
    // What the output escapes is YAML's own escape only between double quotes.
    Scalar: (_, scalar) => {
      const { value } = scalar;
      if (typeof value === "string" && visible(value) !== value) scalar.type = "QUOTE_DOUBLE";
    },
  });
  return document
    .toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: Number.MAX_SAFE_INTEGER })
    .trimEnd()
    .split("\n");
}

function invalid(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
