import { detachVolume } from "../index.js";
import type { CommandRun } from "./command.js";
import type { listingOptions } from "./command-options.js";

export const runDetach: CommandRun<typeof listingOptions> = async (
  [idOrRef = ""],
  options,
  { stdout },
) => {
  const { id, ref, undone } = await detachVolume(idOrRef);
  if (options.json) stdout.json({ type: "detached", id, ref, undone });
  else if (!options.quiet) {
    stdout.line(`detached ${ref}`);
    for (const step of undone) stdout.line(`  removed: ${step}`);
  }
  return 0;
};
