import type { ArgumentSpec, CommandSpec } from "../command.js";
import { type OptionSpec, placeholderOf } from "../options.js";
import { REF_SCHEMES } from "./words.js";

/** Completes commands, options with their help, choices, and paths. */
export function zshScript(commands: readonly CommandSpec[]): string {
  return `#compdef blockhaul
# zsh completion of blockhaul; made by \`blockhaul completion zsh\`
_blockhaul_ref() {
  _alternative 'refs:ref:compadd -S "" -- ${REF_SCHEMES.join(" ")}' 'files:file:_files'
}
_blockhaul() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    _arguments '--help[print this help]' '--version[print the version]'
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${commands.map(commandCase).join("\n")}
  esac
}
compdef _blockhaul blockhaul
`;
}

function commandCase(command: CommandSpec): string {
  const lines = [
    ...command.options.flatMap(optionWords),
    `${quote("(-h --help)")}{-h,--help}${quote("[print this help]")}`,
    ...command.arguments.map(argumentWord),
  ];
  return `    ${command.name}) _arguments -s \\\n${lines.map((line) => `      ${line}`).join(" \\\n")} ;;`;
}

function optionWords(option: OptionSpec): string[] {
  const placeholder = placeholderOf(option);
  const help = `[${option.help.replace(/[[\]:]/g, "\\$&")}]`;
  const values = option.choices === undefined ? "" : `(${option.choices.join(" ")})`;
  const value = placeholder === undefined ? "" : `:${option.name}:${values}`;
  if (option.short === undefined) return [quote(`--${option.name}${help}${value}`)];
  const both = `-${option.short},--${option.name}`;
  return [`${quote(`(-${option.short} --${option.name})`)}{${both}}${quote(`${help}${value}`)}`];
}

function argumentWord({ name, kind, choices = [] }: ArgumentSpec): string {
  return quote(`:${name}:${kind === "ref" ? "_blockhaul_ref" : `(${choices.join(" ")})`}`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
