import { digestVolume, formatDuration, formatSize, openVolume } from "../index.js";
import type { CommandRun } from "./command.js";
import type { digestOptions } from "./command-options.js";
import { writesUnknownLine } from "./copy-report.js";
import { StoppedBySignal } from "./error-report.js";
import { engineOptions } from "./transfer.js";
import { readText } from "./verify.js";
import { Watch } from "./watch.js";

export const runDigest: CommandRun<typeof digestOptions> = async ([ref = ""], options, context) => {
  const { stdout } = context;
  const watch = new Watch(ref, options, context);
  try {
    const volume = await openVolume(ref, { signal: watch.signal, size: options.size });
    try {
      const { seconds, ...found } = await digestVolume(volume, {
        ...engineOptions(options),
        ...watch.options,
        fast: options.fast,
        // It compares nothing.
        onProgress: (progress) => watch.onProgress({ ...progress, phase: "copy" }),
        digest: options.digest,
      });
      watch.clear();
      const { digest, size, read, fast } = found;
      if (options.json) stdout.json({ type: "digest", volume: ref, ...found, seconds });
      else if (options.quiet) stdout.line(digest);
      else {
        stdout.line(digest);
        const time = `${formatSize(size)} in ${formatDuration(seconds)}`;
        stdout.line(`  ${ref}: ${time}, ${readText(read, fast)}`);
        for (const one of found.writesUnknown) stdout.line(writesUnknownLine(one));
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
