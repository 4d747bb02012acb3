import { BlockhaulError } from "../index.js";
import type { CommandRun } from "./command.js";
import type { completionOptions } from "./command-options.js";
import { COMMANDS } from "./commands.js";
import { bashScript } from "./completion/bash.js";
import { fishScript } from "./completion/fish.js";
import { zshScript } from "./completion/zsh.js";

const SCRIPTS: Readonly<Record<string, (commands: typeof COMMANDS) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

export const runCompletion: CommandRun<typeof completionOptions> = async (
  [shell = ""],
  _options,
  { stdout },
) => {
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (script === undefined) {
    throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
      message: `no completion for "${shell}"; there is one for ${Object.keys(SCRIPTS).join(", ")}`,
    });
  }
  stdout.lines(script(COMMANDS).trimEnd().split("\n"));
  return 0;
};
