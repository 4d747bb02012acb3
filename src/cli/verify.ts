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
import { StoppedBySignal } from "./error-report.js";
import type { OptionValues } from "./options.js";
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
    const open = async (ref: string) => {
      const volume = await openVolume(ref, { signal: watch.signal });
      volumes.push(volume);
      return volume;
    };
    const reading = { ...engineOptions(options), ...watch.options };
    const report =
      target === undefined
        ? await verifyManifest(await open(source), other, reading)
        : await verifyVolumes(await open(source), await open(target), {
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
  { size, seconds, digest }: ComparisonReport,
  source: string,
  other: string,
  options: Options,
  { stdout }: CommandContext,
): void {
  if (options.json) {
    const { manifest } = options;
    const ends = manifest === undefined ? { target: other } : { manifest };
    stdout.json({ type: "verified", source, ...ends, size, digest, seconds });
  } else if (!options.quiet) {
    stdout.write(
      `${source} is what ${other} ${options.manifest === undefined ? "is" : "says"}\n` +
        `  ${formatSize(size)} compared in ${formatDuration(seconds)}\n  ${digest}\n`,
    );
  }
}

function withHint(error: unknown): unknown {
  if (!(error instanceof BlockhaulError) || error.code !== "ERR_VERIFICATION") return error;
  return error.withContext({ hint: "`blockhaul copy --verify` copies it anew, and reads it back" });
}
