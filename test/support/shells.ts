/** What interactive shells make of a command line whose end is still being typed. */
import { spawn, spawnSync } from "node:child_process";

export type Shell = "bash" | "zsh" | "fish";
export type TerminalShell = "bash" | "zsh";

export interface ShellSetting {
  /** What the shell has read at its start. */
  readonly script: string;
  /** Where it stands; its user's home, too. */
  readonly folder: string;
}

export function isInstalled(shell: Shell): boolean {
  return spawnSync(shell, ["-c", "true"]).status === 0;
}

/**
 * For each line everything that the shell would complete its last word to. Fish is asked; bash and zsh
 * are made to insert all of it on a terminal, and to say which words they then would run.
 */
export async function completions(
  shell: Shell,
  setting: ShellSetting,
  lines: readonly string[],
): Promise<string[][]> {
  if (shell === "fish") return lines.map((line) => askFish(setting, line));
  const all = await typed(
    shell,
    setting,
    lines.map((line) => `${line}${INSERT_ALL[shell]}`),
  );
  return all.map((words, index) => words.slice((lines[index] ?? "").split(" ").length - 1));
}

function askFish({ script, folder }: ShellSetting, line: string): string[] {
  const program = 'eval "$SCRIPT"; complete --do-complete "$LINE"';
  const env = { ...process.env, HOME: folder, SCRIPT: script, LINE: line };
  const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", program], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  if (stderr !== "") throw new Error(`fish: ${stderr}`);
  // Lines of a word, a tab, and what it means.
  return stdout.split("\n").flatMap((text) => text.split("\t")[0] || []);
}

/** Each says so when it is ready for the next line; what it does to its prompt says nothing of that. */
const SETUP: Readonly<Record<TerminalShell, string>> = {
  bash: 'PROMPT_COMMAND="echo \\<ready\\>"; eval "$SCRIPT"',
  zsh: [
    "bindkey -e; precmd() echo \\<ready\\>; unsetopt prompt_sp",
    "autoload -Uz compinit; compinit -D -u",
    "zstyle ':completion:*' completer _all_matches _complete",
    "zstyle ':completion:*' insert true; zstyle ':completion:*' old-matches false",
    'eval "$SCRIPT"',
  ].join("; "),
};

/** Bash has a key that inserts every completion; in zsh, _all_matches makes one of Tab. */
const INSERT_ALL = { bash: "\u001b*", zsh: "\t" } as const;
const LINE_START = "\u0001";
const PROGRAMS = { bash: "bash --noprofile --norc -i", zsh: "zsh -f -i" } as const;

/** For each sequence of keys the words of the line that it makes, in one shell after another. */
export async function typed(
  shell: TerminalShell,
  { script, folder }: ShellSetting,
  sequences: readonly string[],
): Promise<string[][]> {
  // So wide that no line of the screen is ever wrapped.
  const terminal = spawn("script", ["-qec", `stty cols 4000; ${PROGRAMS[shell]}`, "/dev/null"], {
    cwd: folder,
    env: { ...process.env, HOME: folder, TERM: "dumb", SCRIPT: script },
  });
  let screen = "";
  terminal.stdout.on("data", (data: Buffer) => {
    screen += data.toString();
  });
  const enter = async (keys: string) => {
    screen = "";
    const deadline = Date.now() + 240_000;
    terminal.stdin.write(keys);
    while (!/^<ready>\r?$/m.test(screen)) {
      if (Date.now() > deadline) throw new Error(`${shell} is stuck: ${screen}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return [...screen.matchAll(/^\[([^\r\n]*)\]\r?$/gm)].map(([, word]) => word ?? "");
  };
  try {
    await enter(`${SETUP[shell]}\n`);
    const all: string[][] = [];
    for (const keys of sequences) all.push(await enter(`${keys}${LINE_START}printf '[%s]\\n' \n`));
    return all;
  } finally {
    terminal.stdin.end();
    terminal.kill();
  }
}
