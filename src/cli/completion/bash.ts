import type { CommandSpec } from "../command.js";
import { type OptionSpec, placeholderOf } from "../options.js";
import { optionWords, PATH_SCHEMES, REF_SCHEMES } from "./words.js";

/** Completes commands, options, their choices, and paths. */
export function bashScript(commands: readonly CommandSpec[]): string {
  return `# bash completion of blockhaul; made by \`blockhaul completion bash\`
_blockhaul_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}
_blockhaul_ref() {
  local schemes
  case "$scheme" in
    "") mapfile -t schemes < <(compgen -W "${REF_SCHEMES.join(" ")} $(_blockhaul_backends | sed 's/$/:/')" -- "$current") ;;
    ${PATH_SCHEMES.join("|")}) schemes=() ;;
    *) return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
  # A scheme is not the end of a word. "filenames" would protect its colon, too.
  if ((\${#COMPREPLY[@]})); then compopt -o filenames; else compopt -o nospace; fi
  COMPREPLY+=("\${schemes[@]}")
}
_blockhaul_backends() {
  blockhaul list --quiet 2>/dev/null
}
_blockhaul_jobs() {
  blockhaul jobs --quiet 2>/dev/null
}
_blockhaul() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" scheme="" word index
  COMPREPLY=()
  # Bash takes --option=value and scheme:path apart.
  case "$current" in
    =) current="" ;;
    :) current="" scheme="$previous" ;;
    *) case "$previous" in
      =) previous="\${COMP_WORDS[COMP_CWORD-2]}" ;;
      :) scheme="\${COMP_WORDS[COMP_CWORD-2]}" ;;
    esac ;;
  esac
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if [[ $word != -* ]]; then command="$word"; break; fi
  done
  if [[ -z $command ]]; then
    _blockhaul_words "${commands.map(({ name }) => name).join(" ")} --help --version"
    return
  fi
  case "$command:$previous" in
${commands.flatMap(valueCases).join("\n")}
  esac
  if [[ $current == -* ]]; then
    case "$command" in
${commands.map((command) => `      ${command.name}) _blockhaul_words "${optionWords(command).join(" ")}" ;;`).join("\n")}
    esac
    return
  fi
  case "$command" in
${commands.map(argumentCase).join("\n")}
  esac
}
complete -o bashdefault -F _blockhaul blockhaul
`;
}

/** Of each option that takes a value: its choices, or nothing. */
function valueCases({ name, options }: CommandSpec): string[] {
  return options
    .filter((option: OptionSpec) => placeholderOf(option) !== undefined)
    .map(({ name: option, choices = [] }) => {
      const offer = choices.length === 0 ? "" : `_blockhaul_words "${choices.join(" ")}"; `;
      return `    ${name}:--${option}) ${offer}return ;;`;
    });
}

function argumentCase(command: CommandSpec): string {
  if (command.arguments.some(({ kind }) => kind === "ref")) {
    return `    ${command.name}) _blockhaul_ref ;;`;
  }
  const words = command.arguments.flatMap(({ kind, choices = [] }) =>
    kind === "job" || kind === "backend" ? `$(_blockhaul_${kind}s)` : choices,
  );
  return `    ${command.name}) _blockhaul_words "${words.join(" ")}" ;;`;
}
