import type { ArgumentSpec, CommandSpec } from "../command.js";
import { type OptionSpec, placeholderOf } from "../options.js";
import { PATH_SCHEMES, REF_SCHEMES } from "./words.js";

/** Completes commands, options with their help, choices, and paths. */
export function zshScript(commands: readonly CommandSpec[]): string {
  return `#compdef blockhaul
# zsh completion of blockhaul; made by \`blockhaul completion zsh\`
_blockhaul_ref() {
  if compset -P '(${PATH_SCHEMES.join("|")}):'; then
    _files
    return
  fi
  _alternative 'refs:ref:compadd -S "" -- ${REF_SCHEMES.join(" ")} \${^\${(f)"$(blockhaul list --quiet 2>/dev/null)"}}:' 'files:file:_files'
}
_blockhaul_backends() {
  compadd -- \${(f)"$(blockhaul list --quiet 2>/dev/null)"}
}
_blockhaul_jobs() {
  compadd -- \${(f)"$(blockhaul jobs --quiet 2>/dev/null)"}
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
# As a file in $fpath this runs at the first completion; else it is sourced after compinit.
if [[ $funcstack[1] == _blockhaul ]]; then _blockhaul "$@"; else compdef _blockhaul blockhaul; fi
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
  // "=": the value may stand in the same word.
  const joined = placeholder === undefined ? "" : "=";
  if (option.short === undefined) return [quote(`--${option.name}${joined}${help}${value}`)];
  const both = `-${option.short},--${option.name}`;
  return [`${quote(`(-${option.short} --${option.name})`)}{${both}}${quote(`${help}${value}`)}`];
}

function argumentWord(argument: ArgumentSpec): string {
  const { name, kind, choices = [], optional = false, variadic = false } = argument;
  const place = variadic ? "*" : optional ? ":" : "";
  const offers = {
    ref: "_blockhaul_ref",
    job: "_blockhaul_jobs",
    backend: "_blockhaul_backends",
    choice: `(${choices.join(" ")})`,
  };
  return quote(`${place}:${name}:${offers[kind]}`);
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
