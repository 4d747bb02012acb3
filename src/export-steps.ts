/** What an export driver's backend was asked for, and how it is taken back: by the driver itself. */
import type { StepKind } from "./attachments/step.js";
import { BlockhaulError } from "./errors.js";
import type { ExportDriver, ExportRequest } from "./export-driver.js";
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
  undo: async (data) => {
    const { driver, request } = await requestOf(data);
    await driver.removeExport?.(request);
  },
};

export const connectionStep: StepKind<ExportData> = {
  name: "connection",
  key: ({ driver, id }) => `${driver} ${id}`,
  describe: ({ ref }) => `this host's access to ${ref}`,
  undo: async (data) => {
    const { driver, request } = await requestOf(data);
    await driver.terminateConnection?.(request);
  },
};

async function requestOf({
  driver: name,
  ref,
  id,
}: ExportData): Promise<{ driver: ExportDriver; request: ExportRequest<unknown> }> {
  const driver = await findDriver(name);
  if (driver === undefined) {
    throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
      message: `the driver ${name}, which made it, is not known to this process`,
      hint: "run the clean-up where that driver is registered: cleanUpAttachments()",
    });
  }
  return { driver: driver as ExportDriver, request: { location: driver.parseRef(ref), ref, id } };
}
