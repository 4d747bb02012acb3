/** What a SCSI disk says of itself (SPC, "vital product data"), read out of the pages that it gives. */
import { BlockhaulError } from "../errors.js";

/** The pages that name a unit. */
export const SERIAL_PAGE = 0x80;
export const NAMES_PAGE = 0x83;

const HEADER = 4;
/** Of the first byte. */
const TYPE = 0x1f;
const NO_TYPE = 0x1f;
const BINARY = 1;
/** Association: the name is the unit's. A port's and a target's are others on each path to it. */
const OF_UNIT = 0;
/** Kinds of names that a unit keeps for its life; SPC's "designator type". */
const KINDS: ReadonlyMap<number, string> = new Map([
  [1, "T10"],
  [2, "EUI-64"],
  [3, "NAA"],
  [8, "name"],
]);
const SERIAL = "serial number";

/**
 * In words, the same for each path to a unit: `NAA 600140500..., serial number "0001"`.
 *
 * @param pages of SERIAL_PAGE and NAMES_PAGE, header and all; without those that the disk does not have
 * @throws BlockhaulError ERR_IO of a page that is cut short: what it lacks may be what differs
 */
export function namesOf(pages: readonly Uint8Array[]): string {
  const texts = pages.flatMap((page) => {
    const [type = NO_TYPE, code] = page;
    if (code !== NAMES_PAGE && code !== SERIAL_PAGE) throw cutShort(code);
    const length = (page[2] ?? 0) * 0x100 + (page[3] ?? 0);
    if (page.length < HEADER + length || page.length < HEADER) throw cutShort(code);
    const content = page.subarray(HEADER, HEADER + length);
    // Of a unit that is not there any more, the target says that it is of no type. What else it says there is of the path.
    const state = (type & TYPE) === NO_TYPE ? ["no disk any more"] : [];
    return [...state, ...(code === NAMES_PAGE ? namesIn(content) : [serialIn(content)])];
  });
  return [...new Set(texts)].sort().join(", ");
}

function serialIn(content: Uint8Array): string {
  return `${SERIAL} "${textOf(content)}"`;
}

function namesIn(content: Uint8Array): string[] {
  const names: string[] = [];
  for (let at = 0; at < content.length; ) {
    const [set = 0, kind = 0, , length = 0] = content.subarray(at, at + HEADER);
    const name = content.subarray(at + HEADER, at + HEADER + length);
    if (at + HEADER > content.length || name.length < length) throw cutShort(NAMES_PAGE);
    at += HEADER + length;
    const label = KINDS.get(kind & 0x0f);
    if (label === undefined || ((kind >> 4) & 0x03) !== OF_UNIT) continue;
    const isBinary = (set & 0x0f) === BINARY;
    names.push(`${label} ${isBinary ? Buffer.from(name).toString("hex") : `"${textOf(name)}"`}`);
  }
  return names;
}

/** LIO ends texts with a NUL, tgt fills them up with spaces. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1").replaceAll("\0", " ").replace(/\s+/g, " ").trim();
}

function cutShort(page: number | undefined): BlockhaulError {
  const which = page === undefined ? "" : ` 0x${page.toString(16)}`;
  return new BlockhaulError("ERR_IO", {
    message: `the disk's page${which} of names is cut short: nobody can say which disk it is`,
  });
}
