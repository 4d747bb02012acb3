import {
  BlockhaulError,
  type ComparisonReport,
  formatDuration,
  formatSize,
  openVolume,
  type Volume,
  verifyManifest,
  verifyVolumes,
} from "../index.js";
import type { CommandContext, CommandRun } from "./command.js";
import type { verifyOptions } from "./command-options.js";
import { closeAll } from "./copy-ends.js";
import { notIdentifiedLine, writesUnknownLine } from "./copy-report.js";
import { StoppedBySignal } from "./error-report.js";
import type { OptionValues } from "./options.js";
import { sizeForStream } from "./streams.js";
import { engineOptions } from "./transfer.js";
import { Watch } from "./watch.js";

type Options = OptionValues<typeof verifyOptions>;

export const runVerify: CommandRun<typeof verifyOptions> = async (args, options, context) => {
  const [source = "", target] = args;
  const { manifest } = options;
  checkEnds(target, options);
  const other = target ?? manifest ?? "";
  const watch = new Watch(`${source} and ${other}`, options, context);
  const volumes: Volume[] = [];
  try {
    const { signal } = watch;
    const open = async (ref: string, against = ref) => {
      const size = await sizeForStream(ref, { size: options.size, other: against, signal });
      const volume = await openVolume(ref, { signal, size });
      volumes.push(volume);
      return volume;
    };
    const reading = { ...engineOptions(options), ...watch.options, fast: options.fast };
    const report =
      target === undefined
        ? await verifyManifest(await open(source), other, reading)
        : await verifyVolumes(await open(source, target), await open(target, source), {
            ...reading,
            digest: options.digest,
          });
    watch.clear();
    say(report, source, other, options, context);
    return 0;
  } catch (error) {
    watch.clear();
    if (watch.received !== undefined) throw new StoppedBySignal(watch.received, "stopped");
    throw withHint(error);
  } finally {
    // They were only read: what a close meets says nothing of their bytes.
    await closeAll(volumes).catch(() => {});
    watch.release();
  }
};

function checkEnds(target: string | undefined, { manifest, digest }: Options): void {
  const refuse = (message: string) => new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
  if ((target === undefined) === (manifest === undefined)) {
    throw refuse("name either a target or a --manifest to compare with");
  }
  if (manifest !== undefined && digest !== undefined) {
    throw refuse("--digest goes with a target: a manifest has one of its own");
  }
}

function say(
  { size, read, fast, seconds, digest, notIdentified, writesUnknown }: ComparisonReport,
  source: string,
  other: string,
  options: Options,
  { stdout }: CommandContext,
): void {
  if (options.json) {
    const { manifest } = options;
    const ends = manifest === undefined ? { target: other } : { manifest };
    const how = { size, read, fast, digest, notIdentified, writesUnknown, seconds };
    stdout.json({ type: "verified", source, ...ends, ...how });
  } else if (!options.quiet) {
    stdout.lines([
      `${source} is what ${other} ${options.manifest === undefined ? "is" : "says"}`,
      `  ${formatSize(size)} compared in ${formatDuration(seconds)}, ${readText(read, fast)}`,
      `  ${digest}`,
      ...notIdentified.map(notIdentifiedLine),
      ...writesUnknown.map(writesUnknownLine),
    ]);
  }
}

/** Bytes that were really read, of all volumes together. */
export function readText(read: number, fast: boolean): string {
  const bytes = `${formatSize(read)} read`;
  return fast ? `${bytes}: the rest was said to hold nothing, which nobody checked` : bytes;
}

function withHint(error: unknown): unknown {
  if (!(error instanceof BlockhaulError) || error.code !== "ERR_VERIFICATION") return error;
  return error.withContext({ hint: "`blockhaul copy --verify` copies it anew, and reads it back" });
}
