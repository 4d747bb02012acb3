/**
 * The grammars of the names that iSCSI knows. Whatever passes them can be handed to iscsiadm as an
 * argument and can be a part of a path in its database: none begins with a dash, and none holds a
 * slash, a space or a control character.
 */
import { isIPv4, isIPv6 } from "node:net";

import { BlockhaulError } from "../../errors.js";
import type { Portal } from "../connection.js";

export const DEFAULT_PORT = 3260;
/** Bytes; RFC 7143, 4.2.7.1. */
const LONGEST_NAME = 223;
const LARGEST_LUN = 16_383;
const LUN_RULE = `is no decimal number from 0 to ${LARGEST_LUN}`;

const DATE = String.raw`\d{4}-(?:0[1-9]|1[0-2])`;
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const DOMAIN = String.raw`${LABEL}(?:\.${LABEL})*`;
/** Targets put into their names what no domain has: Synology's have the machine's name as it is. */
const NAME_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?";
const IQN = new RegExp(
  String.raw`^iqn\.${DATE}\.${NAME_LABEL}(?:\.${NAME_LABEL})*(?::[A-Za-z0-9_.:-]+)?$`,
);
const EUI = /^eui\.[0-9a-f]{16}$/i;
const NAA = /^naa\.(?:[0-9a-f]{16}|[0-9a-f]{32})$/i;

const HOST_NAME = new RegExp(`^(?=.{1,253}$)${DOMAIN}$`, "i");
/** The resolver takes a name that ends so for an IPv4 address: "10.1" for 10.0.0.1. */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/i;

/** A text from outside for a message: on one line, and not longer than a person wants to read. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 60)}…` : text);
}

/**
 * A target's name as it is: "iqn.2026-01.org.example:disk-1", "eui." and 16 hexadecimal digits, or
 * "naa." and 16 or 32. Upper case and "_" stay as they are written, although RFC 3722 maps the one to lower case
 * and has no other: targets are called so, and know themselves by that very name. Names beyond ASCII are refused:
 * nobody could tell in which of its forms the target has them.
 *
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function checkTargetName(text: string): string {
  const fault = faultOfTargetName(text);
  if (fault !== undefined) throw invalid("target name", text, fault);
  return text;
}

/** What is wrong with a target's name, to be read after it; undefined: nothing. */
export function faultOfTargetName(text: string): string | undefined {
  if (text === "") return "is empty";
  if (text.length > LONGEST_NAME) {
    return `has ${text.length} characters; ${LONGEST_NAME} are the most`;
  }
  if (text.startsWith("iqn.")) {
    const odd = /[^A-Za-z0-9_.:-]/u.exec(text)?.[0];
    if (odd !== undefined)
      return `has the character ${quoted(odd)} (A-Z, a-z, 0-9, ".", ":", "-", "_" may be)`;
    return IQN.test(text) ? undefined : "is not iqn.YYYY-MM.REVERSED.DOMAIN[:NAME]";
  }
  if (text.startsWith("eui.")) {
    return EUI.test(text) ? undefined : "is not eui. and 16 hexadecimal digits";
  }
  if (text.startsWith("naa.")) {
    return NAA.test(text) ? undefined : "is not naa. and 16 or 32 hexadecimal digits";
  }
  return "begins with none of iqn., eui. and naa.";
}

/**
 * The portal that a text names: "10.0.0.1", "10.0.0.1:3260", "storage-1:3260", "[fd00::1]:3260",
 * "[fd00::1]", and "fd00::1", which without brackets is an address to its end. Host names come back
 * in lower case, IPv6 addresses in the form of RFC 5952.
 *
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function parsePortal(text: string): Portal {
  if (isIPv6(text)) return checkPortal({ host: text, port: DEFAULT_PORT });
  const [, bracketed, plain, port] =
    /^(?:\[([^[\]]*)\]|([^[\]:]*))(?::([^:]*))?$/s.exec(text) ?? [];
  if (bracketed === undefined && plain === undefined) {
    throw invalid(
      "portal",
      text,
      "is not HOST[:PORT] (an IPv6 address needs brackets: [::1]:3260)",
    );
  }
  if (bracketed !== undefined && !isIPv6(bracketed)) {
    throw invalid("portal", text, "has something other than an IPv6 address in its brackets");
  }
  if (port !== undefined && !/^[1-9]\d{0,4}$/.test(port)) {
    throw invalid("portal", text, "has no port from 1 to 65535 behind its colon");
  }
  return checkPortal(
    { host: bracketed ?? plain ?? "", port: port === undefined ? DEFAULT_PORT : Number(port) },
    text,
  );
}

/**
 * A portal in the one form in which it is used.
 *
 * @param text as which it was written, for the message
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function checkPortal({ host, port }: Portal, text = `${host}:${port}`): Portal {
  const fault = faultOfHost(host);
  if (fault !== undefined) throw invalid("portal", text, fault);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid("portal", text, "has no port from 1 to 65535");
  }
  return { host: canonicalHost(host), port };
}

function faultOfHost(host: string): string | undefined {
  if (host === "") return "names no host";
  // A link-local address counts on one interface of one host: no ref could say which.
  if (isIPv6(host)) return host.includes("%") ? "has a zone, which no portal can have" : undefined;
  if (isIPv4(host)) return undefined;
  if (!HOST_NAME.test(host)) return "has a host that is neither an IP address nor a host name";
  return ENDS_IN_NUMBER.test(host)
    ? "has a host that looks like an IPv4 address and is none"
    : undefined;
}

/**
 * "10.0.0.1:3260", "[fd00::1]:3260", "[fd00::1]:3260,1": how iscsiadm takes a portal. It looks for a
 * dot before it looks for brackets; so an IPv4 address must not stand in an IPv6 one, and does not in
 * the form of `checkPortal`.
 *
 * @param groupTag the target portal group, 0 to 65535, where it is known
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function formatPortal(portal: Portal, groupTag?: number): string {
  const { host, port } = checkPortal(portal);
  const text = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (groupTag === undefined) return text;
  return `${text},${checkGroupTag(groupTag)}`;
}

/**
 * The same text for the same portal, however it was written: other case, other forms of an IPv6
 * address. Of anything else too, such as what iscsiadm says of other people's sessions. A host name
 * and its address are two portals.
 */
export function portalKey({ host, port }: Portal): string {
  const bare = host.replace(/^\[(.*)\]$/s, "$1");
  const canonical = canonicalHost(bare);
  return `${canonical.includes(":") ? `[${canonical}]` : canonical}:${port}`;
}

function canonicalHost(host: string): string {
  const isPlainIPv6 = isIPv6(host) && !host.includes("%");
  return isPlainIPv6 ? new URL(`http://[${host}]/`).hostname.slice(1, -1) : host.toLowerCase();
}

/** @throws BlockhaulError ERR_INVALID_REF */
export function checkGroupTag(groupTag: number): number {
  if (Number.isInteger(groupTag) && groupTag >= 0 && groupTag <= 65_535) return groupTag;
  throw invalid("portal group", String(groupTag), "is no whole number from 0 to 65535");
}

/**
 * A logical unit's number: decimal, 0 to 16383.
 *
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function parseLun(text: string): number {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text)) throw invalid("LUN", text, LUN_RULE);
  return checkLun(Number(text));
}

/** @throws BlockhaulError ERR_INVALID_REF */
export function checkLun(lun: number): number {
  if (Number.isInteger(lun) && lun >= 0 && lun <= LARGEST_LUN) return lun;
  throw invalid("LUN", String(lun), LUN_RULE);
}

function invalid(part: string, text: string, fault: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_REF", { message: `the ${part} ${quoted(text)} ${fault}` });
}
