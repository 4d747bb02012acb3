import { formatSize, openVolume } from "../index.js";
import type { CommandRun } from "./command.js";
import type { mapOptions } from "./command-options.js";
import { alignTable, plural } from "./table.js";
import { addExtent, emptyUsage, type Usage } from "./usage.js";

export const runMap: CommandRun<typeof mapOptions> = async ([ref = ""], options, { stdout }) => {
  const volume = await openVolume(ref);
  try {
    const usage = emptyUsage();
    // Every number fits this width: lines can be printed as they come.
    const width = Math.max("offset".length, String(volume.size).length);
    const line = (offset: string, length: string, kind: string) =>
      stdout.line(`${offset.padStart(width)}  ${length.padStart(width)}  ${kind}`);
    const isTable = !options.json && !options.summary;
    for await (const extent of volume.extents({ offset: options.offset, length: options.length })) {
      if (stdout.closed) return 0;
      // Not before the first extent: a bad range has no table.
      if (isTable && usage.extents === 0) line("offset", "length", "kind");
      addExtent(usage, extent);
      if (isTable) line(String(extent.offset), String(extent.length), extent.kind);
      else if (options.json && !options.summary) stdout.json({ type: "extent", ...extent });
      await stdout.drained();
    }
    if (options.summary) {
      if (options.json) stdout.json({ type: "summary", ...usage });
      else stdout.lines(summaryLines(usage));
    }
  } finally {
    await volume.close();
  }
  return 0;
};

function summaryLines({ data, zero, hole, extents }: Usage): string[] {
  const total = data + zero + hole;
  const row = (kind: string, bytes: number) => [
    kind,
    String(bytes),
    formatSize(bytes),
    total === 0 ? "-" : `${((bytes / total) * 100).toFixed(1)}%`,
  ];
  const rows = [row("data", data), row("zero", zero), row("hole", hole), row("total", total)];
  return [...alignTable(["kind", ">bytes", ">size", ">share"], rows), plural(extents, "extent")];
}
