import { attachVolume, BlockhaulError, formatSize, type KeptAttachment } from "../index.js";
import type { CommandRun } from "./command.js";
import type { listingOptions } from "./command-options.js";
import { StoppedBySignal } from "./error-report.js";
import { type StopSignal, StopSignals } from "./stop-signals.js";
import { alignFields } from "./table.js";

export const runAttach: CommandRun<typeof listingOptions> = async (
  [ref = ""],
  options,
  context,
) => {
  const { stdout, stderr } = context;
  const signals = new StopSignals(() => {
    if (!options.quiet) stderr.line("stopping; once more ends it at once");
  });
  try {
    const attached = await attachVolume(ref, { signal: signals.signal });
    if (options.json)
      stdout.json({ type: "attached", ...attached, failures: failuresOf(attached) });
    else if (options.quiet) stdout.line(attached.path);
    else stdout.lines(attachedLines(attached));
    for (const failure of attached.failures)
      stderr.line(`warning: a path is missing: ${failure.message}`);
  } catch (error) {
    if (signals.received === undefined) throw error;
    throw stopped(signals.received, error);
  } finally {
    signals.release();
  }
  return 0;
};

/** Where it could not all be undone, that is what has to be said. */
function stopped(signal: StopSignal, error: unknown): StoppedBySignal {
  if (!(error instanceof BlockhaulError)) return new StoppedBySignal(signal, String(error));
  const isClean = error.code === "ERR_CANCELLED" && !(error.cause instanceof AggregateError);
  if (isClean) return new StoppedBySignal(signal, "stopped; nothing stays attached");
  return new StoppedBySignal(signal, error.message, error.hint);
}

function attachedLines(attached: KeptAttachment): string[] {
  const { wwid, serial, size } = attached.identity;
  return alignFields([
    ["device", attached.path],
    ["id", attached.id],
    ["size", `${formatSize(size)} (${size} bytes)`],
    ["wwid", wwid ?? "none"],
    ["serial number", serial ?? "none"],
    ["paths", String(attached.paths)],
    ["undo with", `blockhaul detach ${attached.id}`],
  ]);
}

function failuresOf({ failures }: KeptAttachment) {
  return failures.map((failure) => failure.toJSON());
}
