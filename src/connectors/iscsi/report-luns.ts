/**
 * REPORT LUNS, read (SPC; SAM, "LUN structure"). A unit's number and the address that it is reached at are
 * two things: unit 300 is at 0x412c for a target that uses flat addressing, and at 0x012c for one that just counts.
 * One that was asked at 0x012c and knows peripheral addressing only answers for its unit 44.
 */
import { BlockhaulError } from "../../errors.js";

/** The first two bits of an address: how the rest of its first two bytes is to be read. */
const METHOD = 0xc000;
const PERIPHERAL = 0x0000;
const FLAT = 0x4000;
const NUMBER = 0x3fff;
/** What peripheral addressing can tell on one bus. */
const LARGEST_PERIPHERAL = 0xff;

const HEADER = 8;
const ENTRY = 8;
/** Units that an error names: nobody reads thousands. */
const MOST_LISTED = 20;

/** A logical unit that a target reports. */
export interface ReportedLun {
  /** As people and targets' tools count it; undefined where its address is none that a number tells. */
  readonly number: number | undefined;
  /** The kernel's number of it: the address's first two bytes. undefined where further bytes count. */
  readonly address: number | undefined;
  /** "0x412c000000000000" */
  readonly hex: string;
}

/** How a target writes its numbers. */
export interface LunCounting {
  /**
   * It counts through all 16 bits of the address, as Linux's LIO does: 0x412c is its unit 16684. Others mean
   * unit 300 by that.
   */
  readonly linear: boolean;
}

/**
 * @param answer the parameter data, header and all
 * @throws BlockhaulError ERR_IO where it is none, or has been cut short: what it lacks may be the unit in question
 */
export function parseReportLuns(answer: Uint8Array, { linear }: LunCounting): ReportedLun[] {
  const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength);
  if (view.byteLength < HEADER) throw unreadable("it is too short");
  const length = view.getUint32(0);
  if (length % ENTRY !== 0) throw unreadable(`its list has ${length} bytes`);
  if (view.byteLength < HEADER + length) throw unreadable("it is cut short");
  const luns: ReportedLun[] = [];
  for (let at = HEADER; at < HEADER + length; at += ENTRY) {
    const whole = view.getBigUint64(at);
    const first = view.getUint16(at);
    const hex = `0x${whole.toString(16).padStart(2 * ENTRY, "0")}`;
    const address = whole === BigInt(first) << 48n ? first : undefined;
    luns.push({ number: numberAt(address, linear), address, hex });
  }
  return luns;
}

function numberAt(address: number | undefined, linear: boolean): number | undefined {
  if (address === undefined || linear) return address;
  const method = address & METHOD;
  return method === FLAT || method === PERIPHERAL ? address & NUMBER : undefined;
}

/**
 * Where a unit may be, the likelier first: flat addressing is for those that peripheral addressing cannot tell.
 * Only the target's own list says which.
 */
export function addressesOf(lun: number): readonly [number, number] {
  return lun <= LARGEST_PERIPHERAL ? [lun, FLAT | lun] : [FLAT | lun, lun];
}

/** Whether an address can mean one unit only, whatever a target's ways are. */
export function isPlainAddress(address: number): boolean {
  return address <= LARGEST_PERIPHERAL;
}

/**
 * The address of a unit, by the target's list; undefined where it is not in it.
 *
 * @throws BlockhaulError ERR_UNSUPPORTED where two addresses mean the same number
 */
export function addressIn(luns: readonly ReportedLun[], lun: number): number | undefined {
  const found = luns.filter(({ number }) => number === lun);
  if (found.length > 1) {
    throw new BlockhaulError("ERR_UNSUPPORTED", {
      message: `the target reports LUN ${lun} at two addresses: ${found.map(({ hex }) => hex).join(", ")}`,
      hint: "give one of them another number at the target",
    });
  }
  return found[0]?.address;
}

/** "the LUNs 0, 1 and 300", for an error. */
export function listLuns(luns: readonly ReportedLun[]): string {
  const names = luns
    .toSorted((one, other) => (one.number ?? Infinity) - (other.number ?? Infinity))
    .map(({ number, hex }) => (number === undefined ? hex : String(number)));
  const more = names.length - MOST_LISTED;
  if (more > 0) return `the LUNs ${names.slice(0, MOST_LISTED).join(", ")} and ${more} more`;
  const last = names.pop();
  if (last === undefined) return "no LUN";
  return names.length === 0 ? `LUN ${last} only` : `the LUNs ${names.join(", ")} and ${last}`;
}

function unreadable(reason: string): BlockhaulError {
  return new BlockhaulError("ERR_IO", {
    message: `the target's answer to REPORT LUNS is not as expected: ${reason}`,
  });
}
