import { listAttachments } from "../index.js";
import type { CommandRun } from "./command.js";
import type { listingOptions } from "./command-options.js";
import { alignTable } from "./table.js";

export const runAttachments: CommandRun<typeof listingOptions> = async (
  _args,
  options,
  { stdout },
) => {
  const attachments = await listAttachments();
  if (options.json) {
    for (const attachment of attachments) stdout.json({ type: "attachment", ...attachment });
    return 0;
  }
  if (attachments.length === 0) {
    if (!options.quiet) stdout.line("nothing is attached");
    return 0;
  }
  stdout.lines(
    alignTable(
      ["id", "state", "device", "since", "process", "ref"],
      attachments.map(({ id, state, device, createdAt, pid, ref }) => [
        id,
        state,
        device ?? "-",
        createdAt.replace(/\.\d+Z$/, "Z"),
        state === "in use" ? String(pid) : "-",
        ref,
      ]),
    ),
  );
  for (const { id, steps, failure } of attachments) {
    if (options.verbose) for (const step of steps) stdout.line(`${id}: ${step}`);
    if (failure !== undefined) stdout.line(`${id}: ${failure}`);
  }
  if (attachments.some(({ state }) => state === "abandoned") && !options.quiet) {
    stdout.line("`blockhaul cleanup` undoes what is abandoned");
  }
  return 0;
};
