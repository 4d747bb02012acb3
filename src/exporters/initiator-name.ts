import { readFile } from "node:fs/promises";

import { faultOfTargetName } from "../connectors/iscsi/names.js";
import { BlockhaulError } from "../errors.js";

const FILE = "/etc/iscsi/initiatorname.iscsi";

/**
 * Who this host is to iSCSI targets.
 *
 * @throws BlockhaulError ERR_DRIVER_UNAVAILABLE where open-iscsi has not been told
 */
export async function readInitiatorName(): Promise<string> {
  const text = await readFile(FILE, "utf8").catch(() => "");
  const name = parseInitiatorName(text);
  if (name !== undefined) return name;
  throw new BlockhaulError("ERR_DRIVER_UNAVAILABLE", {
    message: `${FILE} gives this host no name that can be used`,
    hint: "install open-iscsi; the file has one line: InitiatorName=iqn.2026-01.org.example:host",
  });
}

/** The name in the file's text, as iscsid takes it: of the first line that has one. */
export function parseInitiatorName(text: string): string | undefined {
  const name = /^InitiatorName=(.*)$/m.exec(text)?.[1]?.trim();
  return name === undefined || faultOfTargetName(name) !== undefined ? undefined : name;
}
