import type { OptionSpec, OptionValues } from "./options.js";
import type { Output } from "./output.js";
import type { ProgressRequests } from "./progress-requests.js";

/** What a command works with, besides its arguments. */
export interface CommandContext {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Who asks for progress by a signal. */
  readonly requests: ProgressRequests;
}

export interface ArgumentSpec {
  readonly name: string;
  readonly help: string;
  /**
   * For completion: refs are completed like paths, jobs by what `blockhaul jobs -q` lists, backends by what
   * `blockhaul list -q` does.
   */
  readonly kind: "ref" | "choice" | "job" | "backend";
  readonly choices?: readonly string[];
  /** May be left out; so may all that follow. */
  readonly optional?: boolean;
  /** May be given several times; only the last one. */
  readonly variadic?: boolean;
}

/** Does a command; resolves to its exit code. `args` has what was given, which may be less than there are. */
export type CommandRun<Table extends readonly OptionSpec[]> = (
  args: readonly string[],
  options: OptionValues<Table>,
  context: CommandContext,
) => Promise<number>;

export interface CommandSpec<Table extends readonly OptionSpec[] = readonly OptionSpec[]> {
  readonly name: string;
  readonly summary: string;
  /** Paragraphs of its help, below the summary. */
  readonly description?: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: Table;
  /** Command lines and what they are for. */
  readonly examples: readonly (readonly [line: string, purpose: string])[];
  /** Imported only when the command is run. */
  load(): Promise<CommandRun<Table>>;
}

/** Ties a command's options to the types that its `run` gets. */
export function defineCommand<const Table extends readonly OptionSpec[]>(
  spec: CommandSpec<Table>,
): CommandSpec {
  return spec as unknown as CommandSpec;
}
