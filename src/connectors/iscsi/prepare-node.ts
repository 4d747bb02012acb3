import type { Attachment } from "../../attachments/attachment.js";
import { BlockhaulError } from "../../errors.js";
import type { CheckedChapAuth, SessionTimeouts } from "../connection.js";
import { type IscsiNode, newNodeArguments } from "./arguments.js";
import { iscsiadm } from "./iscsiadm.js";
import { formatPortal } from "./names.js";
import { completeRecord, DATABASES, findRecord, type NodeRecord } from "./node-database.js";
import { nodeAuthValues } from "./node-record.js";
import { type RecordValues, recordSays } from "./record-text.js";
import { nodeStep } from "./steps.js";
import { settingsOfTimeouts } from "./timeouts.js";

export interface NodeWish extends IscsiNode {
  /** The target portal group, where the portal told. */
  readonly groupTag?: number | undefined;
  readonly auth?: CheckedChapAuth | undefined;
  readonly timeouts: SessionTimeouts;
}

/**
 * The record that a login reads: somebody's that is there already and says the same, else a new one,
 * which is then a step of the attachment.
 *
 * @returns whether a login from it brings the devices of all LUNs along
 * @throws BlockhaulError ERR_IN_USE where somebody's record has other credentials: it is not changed
 */
export async function ensureNodeRecord(
  wish: NodeWish,
  attachment: Attachment,
): Promise<{ scansAll: boolean }> {
  const { iqn, portal } = wish;
  const data = { iqn, host: portal.host, port: portal.port };
  const { record, groupTag } = await findRecord(wish);
  if (record !== undefined) {
    try {
      await attachment.share(nodeStep, data);
      return useRecord(record, wish);
    } finally {
      record.text.wipe();
    }
  }
  await attachment.record(nodeStep, data);
  // Without its group, it would take the place of everybody's records of that portal.
  await iscsiadm("new-node", newNodeArguments(wish, wish.groupTag ?? groupTag), { node: wish });
  const made = (await findRecord(wish)).record;
  if (made === undefined) {
    throw new BlockhaulError("ERR_IO", {
      message: `iscsiadm made a node record of ${iqn}, but it is in none of ${DATABASES.join(", ")}`,
    });
  }
  try {
    await completeRecord(made, settingsOf(wish));
  } finally {
    made.text.wipe();
  }
  await attachment.amend(nodeStep, { ...data, marked: true });
  return { scansAll: false };
}

function useRecord({ text }: NodeRecord, wish: NodeWish): { scansAll: boolean } {
  if (wish.auth !== undefined && !recordSays(text, nodeAuthValues(wish.auth))) {
    throw new BlockhaulError("ERR_IN_USE", {
      message: `a node record of ${wish.iqn} at ${formatPortal(wish.portal)} is there already, with other credentials`,
      hint: "it is not ours to change: give it these credentials, or delete it with iscsiadm",
    });
  }
  return { scansAll: !recordSays(text, { "node.session.scan": "manual" }) };
}

/** What our record says beyond the host's defaults: one LUN is scanned by hand, and nothing at boot. */
function settingsOf({ auth, timeouts }: NodeWish): RecordValues {
  const numbers = Object.entries(settingsOfTimeouts(timeouts));
  return {
    "node.startup": "manual",
    "node.conn[0].startup": "manual",
    "node.session.scan": "manual",
    // How often a login is tried is for us to say, who know what the portal answered.
    "node.session.initial_login_retry_max": "1",
    "node.session.nr_sessions": "1",
    ...Object.fromEntries(numbers.map(([name, value]) => [name, String(value)])),
    // Without credentials of its own, it has those that the host's iscsid.conf has for everybody.
    ...(auth === undefined ? {} : nodeAuthValues(auth)),
  };
}
