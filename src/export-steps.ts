/** What an export driver's backend was asked for, and how it is taken back: by the driver itself. */
import type { StepKind } from "./attachments/step.js";
import { BlockhaulError } from "./errors.js";
import type { ExportDriver } from "./export-driver.js";
import { findDriver } from "./registry.js";

type ExportData = {
  /** The name of the driver that made it. */
  readonly driver: string;
  readonly ref: string;
  readonly id: string;
};

export const exportStep: StepKind<ExportData> = {
  name: "export",
  key: ({ driver, id }) => `${driver} ${id}`,
  describe: ({ ref }) => `export of ${ref}`,
  undo: (data) => undoBy(data, "removeExport"),
};

export const connectionStep: StepKind<ExportData> = {
  name: "connection",
  key: ({ driver, id }) => `${driver} ${id}`,
  describe: ({ ref }) => `access of this host to ${ref}`,
  undo: (data) => undoBy(data, "terminateConnection"),
};

async function undoBy(
  { driver: name, ref, id }: ExportData,
  method: "removeExport" | "terminateConnection",
): Promise<void> {
  const driver = (await findDriver(name)) as Partial<ExportDriver> | undefined;
  const undo = driver?.[method];
  // Only a driver that has the method records the step: one without is another of the same name.
  if (driver?.parseRef === undefined || undo === undefined) {
    throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
      message: `the driver ${name}, which made it, is not known to this process`,
      hint: "clean up where that driver is registered, with cleanUpAttachments()",
    });
  }
  await undo.call(driver, { location: driver.parseRef(ref), ref, id });
}
