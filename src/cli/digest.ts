import { digestVolume, formatDuration, formatSize, openVolume } from "../index.js";
import type { CommandRun } from "./command.js";
import type { digestOptions } from "./command-options.js";
import { StoppedBySignal } from "./error-report.js";
import { engineOptions } from "./transfer.js";
import { Watch } from "./watch.js";

export const runDigest: CommandRun<typeof digestOptions> = async ([ref = ""], options, context) => {
  const { stdout } = context;
  const watch = new Watch(ref, options, context);
  try {
    const volume = await openVolume(ref, { signal: watch.signal });
    try {
      const { digest, size, seconds } = await digestVolume(volume, {
        ...engineOptions(options),
        ...watch.options,
        // It compares nothing.
        onProgress: (progress) => watch.onProgress({ ...progress, phase: "copy" }),
        digest: options.digest,
      });
      watch.clear();
      if (options.json) stdout.json({ type: "digest", volume: ref, size, digest, seconds });
      else if (options.quiet) stdout.line(digest);
      else {
        stdout.line(digest);
        stdout.line(`  ${ref}: ${formatSize(size)} in ${formatDuration(seconds)}`);
      }
    } finally {
      await volume.close().catch(() => {});
    }
    return 0;
  } catch (error) {
    watch.clear();
    throw watch.received === undefined ? error : new StoppedBySignal(watch.received, "stopped");
  } finally {
    watch.release();
  }
};
