/**
 * The text of a record of open-iscsi's database. A CHAP secret is a value in it, ours or somebody else's: so it is never a
 * string here, but bytes, in memory of which no core dump has anything. Secrets are written into the file: iscsiadm would
 * take them as arguments only, for everybody on the host to read.
 *
 * iscsiadm reads a record line by line: "name = value", spaces around the value stripped, and nothing
 * of it quoted. Its buffers hold 255 bytes of a value, unchecked.
 */
import { BlockhaulError } from "../../errors.js";
import { Secret } from "../../system/secret.js";
import { faultOfChapSecret, faultOfValue } from "./chap.js";

/** Names of settings, and what they are set to; undefined: to nothing. */
export type RecordValues = Readonly<Record<string, string | Secret | undefined>>;

const BEGIN = Buffer.from("# BEGIN RECORD");
const END = Buffer.from("# END RECORD");
const EMPTY = Buffer.from("<empty>");
const NEWLINE = 0x0a;
const EQUALS = 0x3d;
const HASH = 0x23;

/**
 * A record's text with settings added or replaced; every other line stays as it is.
 *
 * @param heading a line that comes first
 * @returns one that the caller wipes
 * @throws BlockhaulError ERR_INVALID_ARGUMENT where a value cannot stand in a record, or the text is
 *   none: never with a value in its message
 */
export function setRecordValues(record: Secret, values: RecordValues, heading?: string): Secret {
  for (const [name, value] of Object.entries(values)) checkSetting(name, value);
  const lines = linesOf(record.bytes);
  const { begin, end } = boundsOf(lines);
  if (begin === -1 || end === -1) throw refused("the text is no record of open-iscsi");
  const kept: Line[] = [];
  const left = new Map(Object.entries(values));
  for (const line of lines.slice(begin + 1, end)) {
    const name = nameIn(line);
    // In the first place where the setting stands; of several lines the last one would count.
    if (Object.hasOwn(values, name)) kept.push(...settingLine(name, left.get(name)));
    else kept.push([line]);
    left.delete(name);
  }
  const added = [...left].flatMap(([name, value]) => settingLine(name, value));
  const whole: Line[] = [
    ...(heading === undefined ? [] : [[heading]]),
    ...lines.slice(0, begin + 1).map((line) => [line]),
    ...kept,
    ...added,
    ...lines.slice(end).map((line) => [line]),
  ];
  return Secret.concat(whole.flatMap((line, index) => (index === 0 ? line : ["\n", ...line])));
}

/**
 * Whether a record says all of this, and nothing of what is undefined. Of several lines the last one counts, of several
 * records the first.
 */
export function recordSays(record: Secret, values: RecordValues): boolean {
  return Object.entries(values).every(([name, value]) => {
    const found = settingIn(record, name);
    if (found === undefined || value === undefined) return found === value;
    return found.equals(typeof value === "string" ? Buffer.from(value) : value.bytes);
  });
}

/** Whether a line of a text begins so. */
export function hasLine(record: Secret, beginning: string): boolean {
  return linesOf(record.bytes).some((line) => startsWith(line, Buffer.from(beginning)));
}

/** Parts of a line, without its end. */
type Line = (Uint8Array | string)[];

/** A setting of the record's, as it stands there; undefined where it does not. */
function settingIn(record: Secret, name: string): Buffer | undefined {
  const lines = linesOf(record.bytes);
  const { begin, end } = boundsOf(lines);
  if (begin === -1) return undefined;
  let found: Buffer | undefined;
  for (const line of lines.slice(begin + 1, end === -1 ? undefined : end)) {
    const at = line.indexOf(EQUALS);
    if (at === -1 || nameIn(line) !== name) continue;
    const value = trimmed(line.subarray(at + 1));
    if (value.length > 0) found = value.equals(EMPTY) ? Buffer.alloc(0) : value;
  }
  return found;
}

function linesOf(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = text.indexOf(NEWLINE, at);
    lines.push(text.subarray(at, end === -1 ? undefined : end));
    if (end === -1) return lines;
    at = end + 1;
  }
}

/** The places of the lines at which the first record begins and ends; -1 where there is none. */
function boundsOf(lines: readonly Buffer[]): { begin: number; end: number } {
  const begin = lines.findIndex((line) => startsWith(line, BEGIN));
  const end = lines.findIndex((line, index) => index > begin && startsWith(line, END));
  return { begin, end };
}

function startsWith(line: Buffer, beginning: Buffer): boolean {
  return line.subarray(0, beginning.length).equals(beginning);
}

/** What stands before the "=", which is no secret; "" of a comment. */
function nameIn(line: Buffer): string {
  const before = line.subarray(0, Math.max(0, line.indexOf(EQUALS)));
  return before.includes(HASH) ? "" : before.toString("latin1").trim();
}

/** Without the spaces around it, as C has them. */
function trimmed(value: Buffer): Buffer {
  const isSpace = (byte = 0) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
  let [begin, end] = [0, value.length];
  while (begin < end && isSpace(value[begin])) begin += 1;
  while (end > begin && isSpace(value[end - 1])) end -= 1;
  return value.subarray(begin, end);
}

function settingLine(name: string, value: string | Secret | undefined): Line[] {
  if (value === undefined) return [];
  return [[`${name} = `, typeof value === "string" ? value : value.bytes]];
}

function checkSetting(name: string, value: string | Secret | undefined): void {
  if (!/^[a-z][a-z0-9_.[\]]{0,126}$/i.test(name)) throw refused("a setting has a malformed name");
  if (value === undefined) return;
  const fault = typeof value === "string" ? faultOfValue(value) : faultOfChapSecret(value);
  if (fault !== undefined) throw refused(`the value of ${name} ${fault}`);
}

function refused(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
