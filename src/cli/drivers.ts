import { type DriverStatus, listDrivers, type VolumeDriver } from "../index.js";
import type { CommandRun } from "./command.js";
import type { listingOptions } from "./command-options.js";
import { alignTable } from "./table.js";

export const runDrivers: CommandRun<typeof listingOptions> = async (_args, options, { stdout }) => {
  const drivers = await listDrivers();
  const described = await Promise.all(
    drivers.map(async (driver) => ({ driver, status: await statusOf(driver) })),
  );
  if (options.json) {
    for (const { driver, status } of described) {
      const { name, schemes, summary, refForms, supports } = driver;
      const described = { name, schemes, summary, refForms, supports, attach: attaches(driver) };
      stdout.json({ type: "driver", ...described, ...status });
    }
    return 0;
  }
  stdout.lines(
    alignTable(
      ["driver", "write", "create", "extents", "zero", "snapshots", "delete", "attach", "here"],
      described.map(({ driver, driver: { name, supports }, status }) => [
        name,
        yesOrNo(supports.write),
        { "when-missing": "yes", "when-asked": "--create", no: "-" }[supports.create || "no"],
        yesOrNo(supports.extents),
        yesOrNo(supports.zero),
        yesOrNo(supports.snapshots),
        yesOrNo(supports.delete),
        yesOrNo(attaches(driver)),
        status.available ? ["yes", status.version].filter(Boolean).join(", ") : "no",
      ]),
    ),
  );
  for (const { driver, status } of described) {
    stdout.lines(["", `${driver.name}: ${driver.summary}`]);
    for (const form of driver.refForms) stdout.line(`  ${form}`);
    if (!status.available)
      stdout.line(`  not available here: ${status.reason ?? "no reason given"}`);
  }
  return 0;
};

/** A driver that cannot even say so is not available either. */
async function statusOf(driver: VolumeDriver): Promise<DriverStatus> {
  try {
    return (await driver.status?.()) ?? { available: true };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Whether `blockhaul attach` makes a block device of its volumes. */
function attaches({ attach }: VolumeDriver): boolean {
  return attach !== undefined;
}

function yesOrNo(value: boolean): string {
  return value ? "yes" : "-";
}
