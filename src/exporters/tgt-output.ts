/** What `tgtadm --mode target --op show` prints; it has no other form. */
import { BlockhaulError } from "../errors.js";

/** A target of tgtd. */
export interface TgtTarget {
  readonly tid: number;
  readonly iqn: string;
  readonly luns: readonly TgtLun[];
  /** Addresses and names that are let in; with one of either an initiator is. */
  readonly admitted: readonly string[];
}

export interface TgtLun {
  readonly lun: number;
  /** "/dev/ubda"; "None" of the controller. */
  readonly path: string;
  readonly serial: string;
}

/**
 * The targets in it. An initiator's alias stands in it as the initiator gave it, and may hold line
 * breaks: a target that it feigns would make two of one number or name, and those are refused.
 *
 * @throws BlockhaulError ERR_INTERNAL where it is not as expected
 */
export function parseTargets(text: string): TgtTarget[] {
  const targets = text
    .split(/^(?=Target )/m)
    .filter((part) => part !== "")
    .map(parseTarget);
  if (hasTwice(targets.map(({ tid }) => tid)) || hasTwice(targets.map(({ iqn }) => iqn))) {
    throw unreadable("it lists a target twice");
  }
  return targets;
}

function parseTarget(text: string): TgtTarget {
  const [first = "", ...lines] = text.split("\n");
  const [, tid, iqn] = /^Target (\d{1,9}): (\S+)$/.exec(first) ?? [];
  if (tid === undefined || iqn === undefined) throw unreadable("a target has no number or name");
  return { tid: Number(tid), iqn, luns: parseLuns(lines), admitted: parseAdmitted(lines) };
}

function parseLuns(lines: readonly string[]): TgtLun[] {
  return sectionOf(lines, "LUN information")
    .join("\n")
    .split(/^(?= {8}LUN: )/m)
    .filter((part) => part !== "")
    .map((part) => ({
      lun: Number(field(part, /^ {8}LUN: (\d{1,9})$/m)),
      path: field(part, /^ {12}Backing store path: (\S.*)$/m),
      serial: field(part, /^ {12}SCSI SN: (.*)$/m).trim(),
    }));
}

function parseAdmitted(lines: readonly string[]): string[] {
  return sectionOf(lines, "ACL information").map((line) => line.trim());
}

/** The lines below a heading, up to the next one. */
function sectionOf(lines: readonly string[], heading: string): string[] {
  const start = lines.lastIndexOf(`    ${heading}:`);
  if (start < 0) throw unreadable(`a target has no ${heading}`);
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => !line.startsWith("        "));
  return end < 0 ? rest : rest.slice(0, end);
}

function field(text: string, pattern: RegExp): string {
  const value = pattern.exec(text)?.[1];
  if (value !== undefined) return value;
  throw unreadable("a LUN lacks its number, its path or its serial");
}

function hasTwice(values: readonly unknown[]): boolean {
  return new Set(values).size !== values.length;
}

function unreadable(reason: string): BlockhaulError {
  return new BlockhaulError("ERR_INTERNAL", {
    message: `what tgtadm says of its targets is not as expected: ${reason}`,
  });
}
