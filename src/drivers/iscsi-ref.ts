/**
 * The grammar of iSCSI refs, libiscsi's:
 * `iscsi://[USER@]HOST[:PORT][,HOST2[:PORT]…]/IQN/LUN[?OPTION=VALUE&…]`. An IPv6 address stands in
 * brackets. `%xx` counts in the values of options, and nowhere else. Secrets never stand in a ref.
 */
import type { ExpectedDevice, Portal, SessionTimeouts } from "../connectors/connection.js";
import { faultOfChapUser, faultOfValue } from "../connectors/iscsi/chap.js";
import {
  checkTargetName,
  DEFAULT_PORT,
  formatPortal,
  parseLun,
  parsePortal,
  portalKey,
  quoted,
} from "../connectors/iscsi/names.js";
import { faultOfTimeout, TIMEOUT_NAMES, type TimeoutName } from "../connectors/iscsi/timeouts.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { exactSize, parseSize } from "../units.js";

/** What an iSCSI ref names. */
export interface IscsiLocation {
  /** The first is the one that is named first; none is there twice. */
  readonly portals: readonly Portal[];
  readonly iqn: string;
  readonly lun: number;
  /** The CHAP user of this host. */
  readonly user?: string;
  /** Path of the file that holds the user's secret. */
  readonly secretFile?: string;
  /** The CHAP user that the target has to prove to be. */
  readonly targetUser?: string;
  /** Path of the file that holds the target's secret. */
  readonly targetSecretFile?: string;
  readonly expected?: ExpectedDevice;
  readonly timeouts?: SessionTimeouts;
}

const SCHEME = "iscsi://";
const FORM =
  "the form is iscsi://[USER@]HOST[:PORT][,HOST2[:PORT]]/IQN/LUN[?secret-file=PATH&OPTION=VALUE]";
const SECRETS =
  "put the secret into a file that only you can read and write ?secret-file=PATH, or set " +
  "BLOCKHAUL_CHAP_SECRET_FILE or BLOCKHAUL_CHAP_SECRET; any other @ is written %40";

const TIMEOUT_OPTIONS: Readonly<Record<TimeoutName, string>> = {
  replacementSeconds: "replacement-timeout",
  noopIntervalSeconds: "noop-interval",
  noopTimeoutSeconds: "noop-timeout",
  loginSeconds: "login-timeout",
};

/** The names of the options, in the order in which they are written. */
export const ISCSI_OPTIONS: readonly string[] = [
  "user",
  "secret-file",
  "target-user",
  "target-secret-file",
  "wwid",
  "serial",
  "size",
  ...TIMEOUT_NAMES.map((name) => TIMEOUT_OPTIONS[name]),
];

/** What may stand before the @: users with anything else, such as an IQN, go into the option. */
const PLAIN_USER = /^[A-Za-z0-9._~+=!*][A-Za-z0-9._~+=!*-]{0,254}$/;

/**
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function parseIscsiRef(ref: string): IscsiLocation {
  if (!ref.startsWith(SCHEME)) throw invalid(ref, "does not begin with iscsi://");
  const at = ref.lastIndexOf("@");
  const before = at === -1 ? undefined : ref.slice(SCHEME.length, at);
  if (before !== undefined && /[:%]/.test(before)) {
    throw invalid(ref, "seems to hold a secret, which everybody on this host could read", SECRETS);
  }
  if (before !== undefined && !PLAIN_USER.test(before)) {
    throw invalid(ref, "has an @ behind no plain user: write %40, and such a user as ?user=USER");
  }
  const odd = /[\p{Cc}\p{Cs}\s#]/u.exec(ref)?.[0];
  if (odd !== undefined) throw invalid(ref, `has the character ${quoted(odd)} in it`);
  const [target = "", ...query] = ref.slice(at === -1 ? SCHEME.length : at + 1).split("?");
  const options = parseOptions(ref, query.length === 0 ? undefined : query.join("?"));
  return { ...parseTarget(ref, target), ...readOptions(ref, before, options) };
}

/** The ref that `parseIscsiRef` reads as this location. */
export function formatIscsiRef(location: IscsiLocation): string {
  const { portals, iqn, lun, user, expected = {}, timeouts = {} } = location;
  const isPlain = user !== undefined && PLAIN_USER.test(user);
  const values: readonly (string | undefined)[] = [
    isPlain ? undefined : user,
    location.secretFile,
    location.targetUser,
    location.targetSecretFile,
    expected.wwid,
    expected.serial,
    expected.size === undefined ? undefined : exactSize(expected.size),
    ...TIMEOUT_NAMES.map((name) => timeouts[name]?.toString()),
  ];
  const options = ISCSI_OPTIONS.flatMap((name, index) => {
    const value = values[index];
    return value === undefined ? [] : [`${name}=${encode(value)}`];
  });
  const hosts = portals.map(shortPortal).join(",");
  const query = options.length === 0 ? "" : `?${options.join("&")}`;
  return `${SCHEME}${isPlain ? `${user}@` : ""}${hosts}/${iqn}/${lun}${query}`;
}

function parseTarget(ref: string, text: string): Pick<IscsiLocation, "portals" | "iqn" | "lun"> {
  const [hosts = "", iqn, lun, ...further] = text.split("/");
  if (iqn === undefined || lun === undefined) throw invalid(ref, "names no target and LUN");
  if (further.length > 0) throw invalid(ref, "has more than HOST/IQN/LUN in it");
  if (hosts === "") throw invalid(ref, "names no portal");
  const portals = new Map<string, Portal>();
  for (const host of hosts.split(",")) {
    if (!host.startsWith("[") && /:.*:/.test(host)) {
      throw invalid(ref, `has an IPv6 address without brackets: ${quoted(host)}`);
    }
    const portal = inRef(ref, () => parsePortal(host));
    if (portals.has(portalKey(portal))) throw invalid(ref, `has the portal ${host} twice`);
    portals.set(portalKey(portal), portal);
  }
  return {
    portals: [...portals.values()],
    iqn: inRef(ref, () => checkTargetName(iqn)),
    lun: inRef(ref, () => parseLun(lun)),
  };
}

function parseOptions(ref: string, query: string | undefined): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  for (const option of query?.split("&") ?? []) {
    const [name = "", ...values] = option.split("=");
    if (!ISCSI_OPTIONS.includes(name)) throw unknownOption(ref, name);
    if (options.has(name)) throw invalid(ref, `has the option ${name} twice`);
    const value = decode(values.join("="));
    const fault = value === undefined ? "has a malformed %xx" : faultOfOption(name, value);
    if (value === undefined || fault !== undefined) {
      throw invalid(ref, `has an option ${name} that ${fault}`);
    }
    options.set(name, value);
  }
  return options;
}

function unknownOption(ref: string, name: string): BlockhaulError {
  // libiscsi's target_password, and what else people try; the name could itself be a secret.
  if (/secret|passw|key|chap/i.test(name))
    return invalid(ref, "has an option for a secret", SECRETS);
  const known = `the options are ${ISCSI_OPTIONS.join(", ")}`;
  return invalid(ref, `has an unknown option ${quoted(name)}`, known);
}

function faultOfOption(name: string, value: string): string | undefined {
  if (name === "user" || name === "target-user") return faultOfChapUser(value);
  if (name.endsWith("-file")) {
    if (value === "") return "names no file";
    return /[\p{Cc}\p{Cs}]/u.test(value) ? "has a control character" : undefined;
  }
  return faultOfValue(value);
}

function readOptions(
  ref: string,
  plainUser: string | undefined,
  options: ReadonlyMap<string, string>,
): Omit<IscsiLocation, "portals" | "iqn" | "lun"> {
  if (plainUser !== undefined && options.has("user")) throw invalid(ref, "names two users");
  const user = plainUser ?? options.get("user");
  const secretFile = options.get("secret-file");
  const targetUser = options.get("target-user");
  const targetSecretFile = options.get("target-secret-file");
  if (user === undefined && (secretFile ?? targetUser ?? targetSecretFile) !== undefined) {
    throw invalid(ref, "has a secret or a target's user, but no user of this host");
  }
  if (targetUser === undefined && targetSecretFile !== undefined) {
    throw invalid(ref, "has a target's secret, but no target-user");
  }
  const expected = readExpected(ref, options);
  const timeouts = readTimeouts(ref, options);
  return {
    ...(user === undefined ? {} : { user }),
    ...(secretFile === undefined ? {} : { secretFile }),
    ...(targetUser === undefined ? {} : { targetUser }),
    ...(targetSecretFile === undefined ? {} : { targetSecretFile }),
    ...(Object.keys(expected).length === 0 ? {} : { expected }),
    ...(Object.keys(timeouts).length === 0 ? {} : { timeouts }),
  };
}

function readExpected(ref: string, options: ReadonlyMap<string, string>): ExpectedDevice {
  const [wwid, serial, sizeText] = ["wwid", "serial", "size"].map((name) => options.get(name));
  const size = sizeText === undefined ? undefined : inRef(ref, () => parseSize(sizeText));
  if (size === 0) throw invalid(ref, "has a size of 0");
  return {
    ...(wwid === undefined ? {} : { wwid }),
    ...(serial === undefined ? {} : { serial }),
    ...(size === undefined ? {} : { size }),
  };
}

function readTimeouts(ref: string, options: ReadonlyMap<string, string>): SessionTimeouts {
  const timeouts: Partial<Record<TimeoutName, number>> = {};
  for (const name of TIMEOUT_NAMES) {
    const option = TIMEOUT_OPTIONS[name];
    const text = options.get(option);
    if (text === undefined) continue;
    const seconds = /^(?:0|-?[1-9]\d{0,8})$/.test(text) ? Number(text) : Number.NaN;
    const fault = faultOfTimeout(name, seconds);
    if (fault !== undefined)
      throw invalid(ref, `has a ${option} of ${quoted(text)}, which ${fault}`);
    timeouts[name] = seconds;
  }
  return timeouts;
}

/** A portal without the port that goes without saying. */
function shortPortal(portal: Portal): string {
  const text = formatPortal(portal);
  return portal.port === DEFAULT_PORT ? text.slice(0, text.lastIndexOf(":")) : text;
}

function encode(value: string): string {
  // These three are easier to read as they are, and mean nothing here.
  return encodeURIComponent(value).replace(/%(?:2F|3A|2C)/g, decodeURIComponent);
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What a grammar of a part says, as a fault of the ref. */
function inRef<Part>(ref: string, read: () => Part): Part {
  try {
    return read();
  } catch (thrown) {
    throw invalid(ref, toBlockhaulError(thrown).message);
  }
}

function invalid(ref: string, message: string, hint = FORM): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_REF", { volume: withoutSecret(ref), message, hint });
}

/** Rather too much is hidden than too little: up to the last @ if a colon or a % stands before it. */
function withoutSecret(ref: string): string {
  return ref.replace(/^(iscsi:\/\/[^:%]*)[:%].*@/s, "$1:***@");
}
