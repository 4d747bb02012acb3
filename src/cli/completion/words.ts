import type { CommandSpec } from "../command.js";

/** What a ref may begin with, besides a path. */
export const REF_SCHEMES: readonly string[] = [
  "rbd:",
  "file:",
  "block:",
  "lvm:",
  "iscsi:",
  "null:",
  "zero:",
  "pattern:",
];

/** Those that a path follows. */
export const PATH_SCHEMES: readonly string[] = ["file", "block"];

/** Every option of a command as it is typed. */
export function optionWords({ options }: CommandSpec): string[] {
  const words = options.flatMap(({ name, short }) =>
    short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`],
  );
  return [...words, "-h", "--help"];
}
