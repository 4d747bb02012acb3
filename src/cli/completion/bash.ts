import type { CommandSpec } from "../command.js";
import { optionWords, REF_SCHEMES } from "./words.js";

/** Completes commands, options, their choices, and paths. */
export function bashScript(commands: readonly CommandSpec[]): string {
  return `# bash completion of blockhaul; made by \`blockhaul completion bash\`
_blockhaul() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="" word index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if [[ $word != -* ]]; then command="$word"; break; fi
  done
  COMPREPLY=()
  if [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} --help --version" -- "$current"))
    return
  fi
  case "$command:$previous" in
${commands.flatMap(choiceCases).join("\n")}
  esac
  if [[ $current == -* ]]; then
    case "$command" in
${commands.map((command) => `      ${command.name}) COMPREPLY=($(compgen -W "${optionWords(command).join(" ")}" -- "$current")) ;;`).join("\n")}
    esac
    return
  fi
  case "$command" in
${commands.map(argumentCase).join("\n")}
  esac
}
complete -o bashdefault -o nospace -F _blockhaul blockhaul
`;
}

function choiceCases({ name, options }: CommandSpec): string[] {
  return options.flatMap((option) =>
    option.choices === undefined
      ? []
      : [
          `    ${name}:--${option.name}) COMPREPLY=($(compgen -W "${option.choices.join(" ")}" -- "$current")); return ;;`,
        ],
  );
}

function argumentCase(command: CommandSpec): string {
  const choices = command.arguments.flatMap((argument) => argument.choices ?? []);
  const takesRefs = command.arguments.some(({ kind }) => kind === "ref");
  const words = takesRefs ? REF_SCHEMES : choices;
  const paths = takesRefs ? " -f" : "";
  return `    ${command.name}) COMPREPLY=($(compgen${paths} -W "${words.join(" ")}" -- "$current")) ;;`;
}
