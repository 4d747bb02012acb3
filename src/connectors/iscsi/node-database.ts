/** open-iscsi's node records: made by iscsiadm, and completed in their file, for secrets are no arguments. */
import { open, rm } from "node:fs/promises";
import path from "node:path";

import { fileOfDraft, removeDrafts, writeDurably } from "../../system/durable-file.js";
import { readAsSecret, type Secret } from "../../system/secret.js";
import { listFolder } from "../../system/sysfs.js";
import type { Portal } from "../connection.js";
import {
  deleteDiscoveryArguments,
  deleteNodeArguments,
  INTERFACE,
  type IscsiNode,
} from "./arguments.js";
import { iscsiadm } from "./iscsiadm.js";
import { formatPortal } from "./names.js";
import { discoveryRecordPaths, parseRecordPath } from "./node-record.js";
import { hasLine, type RecordValues, setRecordValues } from "./record-text.js";

/** Where open-iscsi keeps it: up to 2.1.9 and Debian, and from then on. */
export const DATABASES = ["/etc/iscsi", "/var/lib/iscsi"] as const;

/** In a record that we made. iscsiadm drops it when it writes the record anew, for whoever that is. */
const MARK = "# made by blockhaul; it is removed with the session";

/** Bytes; one of iscsiadm's has some 3000. */
const LONGEST = 256 * 1024;

/** Completes a record that we made, and marks it as ours: in its file, for secrets are no arguments. */
export async function completeRecord(
  { file, text }: NodeRecord,
  values: RecordValues,
): Promise<void> {
  const completed = setRecordValues(text, values, MARK);
  try {
    await writeDurably(file, completed.bytes);
  } finally {
    completed.wipe();
  }
}

/**
 * Removes a record of ours.
 *
 * @param marked our mark was put into it: one without it was made anew by somebody else
 */
export async function removeNodeRecord(node: IscsiNode, marked: boolean): Promise<void> {
  await removeNodeDrafts(node);
  const { record } = await findRecord(node);
  if (record === undefined || !isOurs(record, marked)) return;
  await iscsiadm("delete-node", deleteNodeArguments(node), { node });
}

/** A node record, as its file has it: secret, and to be wiped by whoever asked for it. */
export interface NodeRecord {
  readonly file: string;
  readonly text: Secret;
}

/** Wipes the record, of which nothing else is wanted. */
function isOurs({ text }: NodeRecord, marked: boolean): boolean {
  const isOurs = !marked || hasLine(text, MARK);
  text.wipe();
  return isOurs;
}

/** Removes a discovery record of ours; `marked` as for a node's. */
export async function removeDiscoveryRecord(portal: Portal, marked: boolean): Promise<void> {
  const files = discoveryRecordFiles(portal);
  for (const folder of new Set(files.map((file) => path.dirname(file)))) {
    // Who completes one has the host's lock, as we have.
    await removeDrafts(folder, (file) => files.includes(file), 0);
  }
  const record = await findDiscoveryRecord(portal);
  if (record === undefined || !isOurs(record, marked)) return;
  await iscsiadm("delete-discovery", deleteDiscoveryArguments(portal), { node: { portal } });
}

export async function findDiscoveryRecord(portal: Portal): Promise<NodeRecord | undefined> {
  for (const file of discoveryRecordFiles(portal)) {
    const text = await readRecord(file);
    if (text !== undefined) return { file, text };
  }
  return undefined;
}

/** Undefined where there is none, or a folder. */
async function readRecord(file: string): Promise<Secret | undefined> {
  const handle = await open(file, "r").catch(() => undefined);
  try {
    return handle && (await readAsSecret(handle, LONGEST));
  } catch {
    return undefined;
  } finally {
    await handle?.close();
  }
}

function discoveryRecordFiles(portal: Portal): string[] {
  const { bound, old } = discoveryRecordPaths(portal);
  return DATABASES.flatMap((database) => [bound, old].map((name) => path.join(database, name)));
}

/** What a process left that was killed while it completed a record: iscsiadm would take it for one. */
async function removeNodeDrafts({ iqn, portal }: IscsiNode): Promise<void> {
  for (const database of DATABASES) {
    for (const file of await recordFiles(database, iqn)) {
      const record = fileOfDraft(file);
      const place = record === undefined ? undefined : parseRecordPath(record);
      if (place?.iqn !== iqn || formatPortal(place.portal) !== formatPortal(portal)) continue;
      await rm(path.join(database, file), { force: true });
    }
  }
}

/** The record of a node, of both forms, and the group that other records of it name. */
export async function findRecord({
  iqn,
  portal,
}: IscsiNode): Promise<{ record?: NodeRecord; groupTag?: number }> {
  let groupTag: number | undefined;
  for (const database of DATABASES) {
    for (const file of await recordFiles(database, iqn)) {
      const place = parseRecordPath(file);
      if (place?.iqn !== iqn || formatPortal(place.portal) !== formatPortal(portal)) continue;
      groupTag ??= place.bound?.groupTag;
      if (place.bound !== undefined && place.bound.interface !== INTERFACE) continue;
      const absolute = path.join(database, file);
      const text = await readRecord(absolute);
      if (text !== undefined) return { record: { file: absolute, text } };
    }
  }
  return groupTag === undefined ? {} : { groupTag };
}

/** Paths from the database's folder on: records of the old form are files where others are folders. */
async function recordFiles(database: string, iqn: string): Promise<string[]> {
  const folder = path.join("nodes", iqn);
  const files: string[] = [];
  for (const portal of await listFolder(path.join(database, folder))) {
    const inside = await listFolder(path.join(database, folder, portal));
    const names = inside.map((name) => path.join(folder, portal, name));
    files.push(...(names.length === 0 ? [path.join(folder, portal)] : names));
  }
  return files;
}
