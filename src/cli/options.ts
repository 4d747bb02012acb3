/**
 * The options of a command as a typed table. Help, parsing, settings from the environment and shell
 * completion are all made from it; the values that a command gets have the types that it implies.
 */
import { BlockhaulError, exactSize, parseSize } from "../index.js";

export type OptionKind = "flag" | "text" | "size" | "count" | "seconds" | "choice" | "list";

export interface OptionSpec {
  /** Long name without the dashes; "no-" in front of it means the same as everywhere. */
  readonly name: string;
  readonly short?: string;
  readonly kind: OptionKind;
  /** Of a value, in the help; derived from the kind unless told. */
  readonly placeholder?: string;
  /** Of kind "choice"; of kind "list", what may be listed; of kind "flag", what it may be told besides: --verify=source. */
  readonly choices?: readonly string[];
  /** Of kind "size", "count" and "seconds": what it may be; from 1 on, or any size or time, unless told. */
  readonly range?: { readonly least: number; readonly most: number };
  /** Of kind "size": only 64KiB, 128KiB, 256KiB… */
  readonly powerOfTwo?: boolean;
  /** The variable that sets it where no flag does. */
  readonly environment?: string;
  readonly help: string;
  readonly heading?: string;
}

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type ValueOf<Spec extends OptionSpec> = Spec["kind"] extends "flag"
  ? Spec["choices"] extends readonly (infer Choice)[]
    ? boolean | Choice
    : boolean
  : Spec["kind"] extends "size" | "count" | "seconds"
    ? number
    : Spec["kind"] extends "list"
      ? readonly string[]
      : Spec["choices"] extends readonly (infer Choice)[]
        ? Choice
        : string;

/** The values of a table's options, by their names in camel case; absent where nobody set them. */
export type OptionValues<Table extends readonly OptionSpec[]> = {
  readonly [Spec in Table[number] as CamelCase<Spec["name"]>]?: ValueOf<Spec>;
};

/** "request-size" as "requestSize". */
export function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The first of these options that was given, by its long name. */
export function firstGiven(
  values: Readonly<Record<string, unknown>>,
  names: readonly string[],
): string | undefined {
  return names.find((name) => {
    const value = values[camelCase(name)];
    return value !== undefined && value !== false;
  });
}

/** What stands for an option's value in help: "SIZE", "xxh3|sha256|none"; undefined of a flag. */
export function placeholderOf(spec: OptionSpec): string | undefined {
  if (spec.kind === "flag") return undefined;
  if (spec.placeholder !== undefined) return spec.placeholder;
  if (spec.kind === "choice") return (spec.choices ?? []).join("|");
  return { size: "SIZE", count: "N", seconds: "SECONDS", text: "TEXT", list: "A,B" }[spec.kind];
}

/**
 * The values of a command's options: what its flags say, else the environment.
 *
 * @param flags the texts of the flags that were given, by name; `true` of a flag without a value
 * @throws BlockhaulError ERR_INVALID_ARGUMENT, which names the flag or the variable
 */
export function readOptions<Table extends readonly OptionSpec[]>(
  table: Table,
  flags: ReadonlyMap<string, string | boolean>,
  environment: Readonly<Record<string, string | undefined>>,
): OptionValues<Table> {
  const values: Record<string, unknown> = {};
  for (const spec of table) {
    const flag = flags.get(spec.name);
    const variable = spec.environment === undefined ? undefined : environment[spec.environment];
    if (flag !== undefined) {
      values[camelCase(spec.name)] = parseValue(spec, flag, `--${spec.name}`);
    } else if (variable !== undefined && variable !== "") {
      values[camelCase(spec.name)] = parseValue(spec, variable, spec.environment ?? "");
    }
  }
  return values as OptionValues<Table>;
}

function parseValue(spec: OptionSpec, given: string | boolean, place: string): unknown {
  if (typeof given === "boolean") return given;
  const refuse = (reason: string) =>
    new BlockhaulError("ERR_INVALID_ARGUMENT", { message: `${place}: ${reason}` });
  switch (spec.kind) {
    case "flag":
      if (/^(1|true|yes|on)$/i.test(given)) return true;
      if (/^(0|false|no|off)$/i.test(given)) return false;
      if (spec.choices?.includes(given)) return given;
      throw refuse(`"${given}" is ${["neither 1", ...(spec.choices ?? [])].join(" nor ")} nor 0`);
    case "size":
      return sizeInRange(parsedSize(given, place), spec, refuse);
    case "count": {
      const range = spec.range ?? COUNTS;
      if (/^\d+$/.test(given) && isWithin(Number(given), range)) return Number(given);
      throw refuse(`"${given}" is not a whole number from ${range.least} to ${range.most}`);
    }
    case "seconds": {
      const range = spec.range ?? TIMES;
      if (/^\d+(\.\d+)?$/.test(given) && isWithin(Number(given), range)) return Number(given);
      throw refuse(`"${given}" is not a number of seconds from ${range.least} to ${range.most}`);
    }
    case "choice":
      if (spec.choices?.includes(given)) return given;
      throw refuse(`"${given}" is none of ${(spec.choices ?? []).join(", ")}`);
    case "list":
      return given.split(",").filter((item) => item !== "");
    case "text":
      if (given !== "") return given;
      throw refuse("the value is empty");
  }
}

const COUNTS = { least: 1, most: 999_999_999 };
/** What fits the library's milliseconds. */
const TIMES = { least: 0, most: 2_000_000 };

function isWithin(value: number, { least, most }: { least: number; most: number }): boolean {
  return value >= least && value <= most;
}

function sizeInRange(
  bytes: number,
  { range, powerOfTwo = false }: OptionSpec,
  refuse: (reason: string) => BlockhaulError,
): number {
  if (range === undefined) return bytes;
  if (isWithin(bytes, range) && (!powerOfTwo || Number.isInteger(Math.log2(bytes)))) return bytes;
  const kind = powerOfTwo ? "a power of two" : "a size";
  throw refuse(
    `${exactSize(bytes)} is not ${kind} from ${exactSize(range.least)} to ${exactSize(range.most)}`,
  );
}

function parsedSize(text: string, place: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    if (!(error instanceof BlockhaulError)) throw error;
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `${place}: ${error.message}`,
      hint: error.hint,
    });
  }
}
