import type { CommandSpec } from "../command.js";
import { type OptionSpec, placeholderOf } from "../options.js";
import { REF_SCHEMES } from "./words.js";

const BACKENDS = "blockhaul list --quiet 2>/dev/null";

/** Completes commands, options with their help, choices, and paths. */
export function fishScript(commands: readonly CommandSpec[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const none = `not __fish_seen_subcommand_from ${names}`;
  return [
    "# fish completion of blockhaul; made by `blockhaul completion fish`",
    ...commands.map(
      ({ name, summary }) =>
        `complete -c blockhaul -n ${quote(none)} -f -a ${name} -d ${quote(summary)}`,
    ),
    `complete -c blockhaul -n ${quote(none)} -f -l version -d 'print the version'`,
    "complete -c blockhaul -f -s h -l help -d 'print this help'",
    ...commands.flatMap(commandLines),
    "",
  ].join("\n");
}

function commandLines(command: CommandSpec): string[] {
  const seen = `complete -c blockhaul -n ${quote(`__fish_seen_subcommand_from ${command.name}`)}`;
  const choices = command.arguments.flatMap((argument) => argument.choices ?? []);
  const takesRefs = command.arguments.some(({ kind }) => kind === "ref");
  const takesBackends = command.arguments.some(({ kind }) => kind === "backend");
  const takesJobs = command.arguments.some(({ kind }) => kind === "job");
  return [
    takesRefs ? `${seen} -F -a ${quote(`${REF_SCHEMES.join(" ")} (${BACKENDS}):`)}` : `${seen} -f`,
    ...(takesBackends ? [`${seen} -f -a '(${BACKENDS})'`] : []),
    ...(takesJobs ? [`${seen} -f -a '(blockhaul jobs --quiet 2>/dev/null)'`] : []),
    ...(choices.length === 0 ? [] : [`${seen} -f -a ${quote(choices.join(" "))}`]),
    ...command.options.map((option) => `${seen} ${optionWords(option)}`),
  ];
}

function optionWords(option: OptionSpec): string {
  const value =
    placeholderOf(option) === undefined
      ? ""
      : option.choices === undefined
        ? " -x"
        : ` -x -a ${quote(option.choices.join(" "))}`;
  const short = option.short === undefined ? "" : `-s ${option.short} `;
  return `${short}-l ${option.name} -d ${quote(option.help)}${value}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
