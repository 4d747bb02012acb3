import {
  type DriverSupport,
  formatSize,
  openVolume,
  resolveRef,
  type Volume,
  type VolumeUsage,
} from "../index.js";
import type { CommandRun } from "./command.js";
import type { infoOptions } from "./command-options.js";
import { alignFields, plural } from "./table.js";
import { addExtent, emptyUsage, type Usage } from "./usage.js";

export const runInfo: CommandRun<typeof infoOptions> = async ([ref = ""], options, { stdout }) => {
  const { driver } = await resolveRef(ref);
  const volume = await openVolume(ref);
  try {
    const usage = options.noUsage ? undefined : await measureUsage(volume);
    const capabilities = capabilityNames(driver.supports);
    if (options.json) {
      const { name, usage: _, ...info } = volume.info;
      stdout.json({ type: "info", ...info, capabilities, ...(usage && { usage }) });
    } else {
      stdout.lines(infoLines(volume, capabilities, usage));
    }
  } finally {
    await volume.close();
  }
  return 0;
};

function capabilityNames(supports: DriverSupport): string[] {
  const { write, create, extents, zero, snapshots } = supports;
  const names = {
    read: true,
    write,
    create: create !== false,
    extents,
    zero,
    snapshots,
    delete: supports.delete,
  };
  return Object.entries(names).flatMap(([name, has]) => (has ? [name] : []));
}

/** How much of it is allocated; undefined where it cannot tell. */
async function measureUsage(volume: Volume): Promise<Usage | VolumeUsage | undefined> {
  if (!volume.info.mapsExtents) return volume.info.usage;
  const usage = emptyUsage();
  for await (const extent of volume.extents()) addExtent(usage, extent);
  return usage;
}

function infoLines(
  volume: Volume,
  capabilities: string[],
  usage: Usage | VolumeUsage | undefined,
): string[] {
  const { info } = volume;
  const preferred = info.preferredSize === 0 ? "any" : formatSize(info.preferredSize);
  return alignFields([
    ["ref", info.ref],
    ["driver", info.kind === info.driver ? info.driver : `${info.driver} (${info.kind})`],
    ["size", `${formatSize(info.size)} (${info.size} bytes)`],
    ["block size", formatSize(info.blockSize)],
    ["preferred I/O", preferred],
    ["identity", info.identity],
    ["zero state", info.zeroState],
    ["page cache", info.direct ? "bypassed" : "used, or none"],
    ["can", capabilities.join(", ")],
    ["allocated", usage === undefined ? "not known" : usageText(usage, info.size)],
  ]);
}

function usageText(usage: Usage | VolumeUsage, size: number): string {
  const allocated = "allocated" in usage ? usage.allocated : usage.data + usage.zero;
  const share = size === 0 ? 0 : Math.round((allocated / size) * 100);
  const extents = "extents" in usage ? `, in ${plural(usage.extents, "extent")}` : "";
  return `${formatSize(allocated)} (${share}%)${extents}`;
}
