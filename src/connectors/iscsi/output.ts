/**
 * What iscsiadm prints, read. A line that is none of those looked for is passed over: messages and
 * lines of later versions stand between them, and whether a call worked is told by its exit status,
 * never by its text. Nothing here throws. Names and hosts come back as printed, other people's too:
 * they are for comparing (`portalKey`), not for arguments.
 */
import type { Portal } from "../connection.js";

/** A target at one of its portals, as a discovery or the database has it. */
export interface ListedNode {
  readonly portal: Portal;
  /** The target portal group; undefined where it is not known. */
  readonly groupTag?: number;
  readonly iqn: string;
}

const NODE = String.raw`(?:\[(\S+)\]|([^\s[\]]+)):(\d{1,5}),(-?\d{1,10}) (\S+)`;
const LISTED_NODE = new RegExp(`^${NODE}$`);

/** `iscsiadm -m discovery` and `iscsiadm -m node`: "[fd00::1]:3260,1 iqn.2026-01.test:a". */
export function parseNodes(output: string): ListedNode[] {
  return linesOf(output).flatMap((line) => {
    const [, ...node] = LISTED_NODE.exec(line) ?? [];
    return listedNode(node) ?? [];
  });
}

function listedNode(parts: readonly (string | undefined)[]): ListedNode | undefined {
  const [bracketed, plain, portText, tag, iqn] = parts;
  const host = bracketed ?? plain;
  const port = Number(portText);
  if (host === undefined || iqn === undefined || !(port >= 1 && port <= 65_535)) return undefined;
  // "Not known" is printed as -1, or as the same bits without a sign.
  const groupTag = Number(tag);
  const known = groupTag >= 0 && groupTag <= 65_535;
  return { portal: { host, port }, ...(known ? { groupTag } : {}), iqn };
}

function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.replace(/\r$/, ""));
}
