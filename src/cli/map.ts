import { formatSize, openVolume } from "../index.js";
import type { CommandRun } from "./command.js";
import type { mapOptions } from "./commands.js";
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
    if (!options.json && !options.summary) line("offset", "length", "kind");
    for await (const extent of volume.extents({ offset: options.offset, length: options.length })) {
      if (stdout.closed) return 0;
      addExtent(usage, extent);
      if (options.summary) continue;
      if (options.json) stdout.json({ type: "extent", ...extent });
      else line(String(extent.offset), String(extent.length), extent.kind);
      await stdout.drained();
    }
    if (options.summary) {
      if (options.json) stdout.json({ type: "summary", ...usage });
      else stdout.write(summaryText(usage));
    }
  } finally {
    await volume.close();
  }
  return 0;
};

function summaryText({ data, zero, hole, extents }: Usage): string {
  const total = data + zero + hole;
  const row = (kind: string, bytes: number) => [
    kind,
    String(bytes),
    formatSize(bytes),
    total === 0 ? "-" : `${((bytes / total) * 100).toFixed(1)}%`,
  ];
  const rows = [row("data", data), row("zero", zero), row("hole", hole), row("total", total)];
  return `${alignTable(["kind", ">bytes", ">size", ">share"], rows)}${plural(extents, "extent")}\n`;
}
