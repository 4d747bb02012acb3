/** What a copy may surprise somebody with, though it is right. */
import { BlockhaulError } from "../errors.js";
import { sizeInWords } from "../units.js";
import { holdVolume, type Volume } from "../volume.js";
import { type Signature, signaturesOf } from "./probe.js";

export interface CopyNotice {
  readonly notice: "larger-target" | "gpt-backup" | "sector-size" | "not-kept";
  readonly text: string;
}

const SECTORS: readonly number[] = [512, 4096];

export interface NoticeOptions {
  /** The backup of a GPT will be moved, which leaves nothing to say of it; false unless told. */
  readonly fixGpt?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Looks at sizes and, where that matters, at the source's partition table. */
export async function noticesOf(
  source: Volume,
  target: Volume,
  options: NoticeOptions = {},
): Promise<CopyNotice[]> {
  if (target.info.ephemeral) return [];
  const lost = (target.info.notKept ?? []).map(noticeOfLost);
  return [...lost, ...(await noticesOfSizes(source, target, options))];
}

/** What a new target does not have of its source, beside bytes. */
function noticeOfLost(what: string): CopyNotice {
  return { notice: "not-kept", text: `not kept of the source: ${what}` };
}

function noticeOfGpt(target: string): CopyNotice {
  const text =
    "the source has a GPT, whose backup will not be at the target's end: " +
    `--fix-gpt moves it there, or afterwards \`sgdisk -e\` on ${target}`;
  return { notice: "gpt-backup", text };
}

/**
 * Of a target that is not there yet: whether a GPT of the source's will have its backup in the wrong place.
 *
 * @param size of the target that will be made, in bytes
 */
export async function noticesOfNew(
  source: Volume,
  { ref, size }: { readonly ref: string; readonly size: number },
  { fixGpt, signal }: NoticeOptions = {},
): Promise<CopyNotice[]> {
  if (size <= source.size || fixGpt) return [];
  return (await partitionTablesOf(source, signal)).some(isGpt) ? [noticeOfGpt(ref)] : [];
}

async function noticesOfSizes(
  source: Volume,
  target: Volume,
  { fixGpt, signal }: NoticeOptions,
): Promise<CopyNotice[]> {
  const isLarger = target.size > source.size;
  const [from, to] = [source.info.blockSize, target.info.blockSize];
  const sectorsDiffer = from !== to && SECTORS.includes(from) && SECTORS.includes(to);
  if (!isLarger && !sectorsDiffer) return [];
  const tables = await partitionTablesOf(source, signal);
  const notices: CopyNotice[] = [];
  if (isLarger) {
    const rest = sizeInWords(target.size - source.size);
    const text = `the target is ${rest} larger than the source: what lies behind is left as it is`;
    notices.push({ notice: "larger-target", text });
  }
  if (isLarger && !fixGpt && tables.some(isGpt)) notices.push(noticeOfGpt(target.ref));
  const [table] = tables;
  if (sectorsDiffer && table !== undefined) {
    const text =
      `the source's sectors have ${from} bytes and the target's ${to}: its partition table ` +
      `(${isGpt(table) ? "gpt" : table.type}) counts in sectors, and will not be understood there`;
    notices.push({ notice: "sector-size", text });
  }
  return notices;
}

/** Nothing where nobody can say: it is only a notice. */
async function partitionTablesOf(source: Volume, signal?: AbortSignal): Promise<Signature[]> {
  if (source.info.ephemeral) return [];
  try {
    const found = await holdVolume(source, "read", (native) =>
      signaturesOf({ volume: source, native }, signal),
    );
    return found.filter(({ usage }) => usage === "partition-table");
  } catch (error) {
    if (error instanceof BlockhaulError && error.code !== "ERR_CANCELLED") return [];
    throw error;
  }
}

/** A PMBR is what stands before a GPT, which is not seen where its sectors have 4096 bytes. */
function isGpt({ type }: Signature): boolean {
  return type === "gpt" || type === "PMBR";
}
