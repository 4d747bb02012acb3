/**
 * The grammar of rbd refs, QEMU's: `rbd:[POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT][:OPTION=VALUE…]`. A
 * backslash takes the next character literally, as `mon_host=10.0.0.1\:6789` needs it.
 */
import { BlockhaulError } from "../errors.js";

export interface RbdLocation {
  readonly pool: string;
  /** "" is the pool's default namespace. */
  readonly namespace: string;
  readonly image: string;
  readonly snapshot?: string;
  /** The user without "client.": "admin". */
  readonly id?: string;
  readonly cluster?: string;
  /** Path of the cluster's configuration file. */
  readonly conf?: string;
  /** Seconds that a connection may take. */
  readonly timeout?: number;
  /** Any further options of librados: keyring, mon_host, … */
  readonly settings: Readonly<Record<string, string>>;
}

export const DEFAULT_POOL = "rbd";

const SPECIAL = /[\\:@/=]/g;
const SETTING_NAME = /^[a-z][a-z0-9_]*$/;
const NAMED = ["id", "cluster", "conf"] as const;

/**
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function parseRbdRef(ref: string): RbdLocation {
  if (!ref.startsWith("rbd:")) throw invalid(ref, "does not begin with rbd:");
  if (ref.includes("\0")) throw invalid(ref, "contains a NUL character");
  const [spec = "", ...options] = split(ref, ref.slice(4), ":");
  return { ...parseSpec(ref, spec), ...parseOptions(ref, options) };
}

/** The ref that `parseRbdRef` reads as this location. */
export function formatRbdRef(location: RbdLocation): string {
  const { pool, namespace, image, snapshot, timeout, settings } = location;
  const path = (namespace === "" ? [pool, image] : [pool, namespace, image]).map(protect).join("/");
  const options: [string, string][] = NAMED.flatMap((key) => {
    const value = location[key];
    return value === undefined ? [] : [[key, value]];
  });
  if (timeout !== undefined) options.push(["timeout", String(timeout)]);
  const tail = [...options, ...Object.entries(settings)].map(
    ([key, value]) => `:${key}=${protect(value)}`,
  );
  return `rbd:${path}${snapshot === undefined ? "" : `@${protect(snapshot)}`}${tail.join("")}`;
}

function parseSpec(
  ref: string,
  spec: string,
): Pick<RbdLocation, "pool" | "namespace" | "image" | "snapshot"> {
  const [path = "", snapshot, ...furtherSnapshots] = split(ref, spec, "@");
  if (furtherSnapshots.length > 0) throw invalid(ref, "has more than one @");
  if (snapshot === "") throw invalid(ref, "has an empty snapshot name");
  const parts = split(ref, path, "/").map(takeLiterally);
  if (parts.some((part) => part === "")) throw invalid(ref, "has an empty name in its path");
  if (snapshot !== undefined && split(ref, snapshot, "/").length > 1) {
    throw invalid(ref, "has a slash in its snapshot's name");
  }
  const [image = "", second, third, ...further] = parts.reverse();
  if (further.length > 0) throw invalid(ref, "has more than POOL/NAMESPACE/IMAGE in its path");
  return {
    pool: third ?? second ?? DEFAULT_POOL,
    namespace: third === undefined ? "" : (second ?? ""),
    image,
    ...(snapshot === undefined ? {} : { snapshot: takeLiterally(snapshot) }),
  };
}

function parseOptions(
  ref: string,
  options: readonly string[],
): Omit<RbdLocation, "pool" | "namespace" | "image" | "snapshot"> {
  const values = new Map<string, string>();
  for (const option of options) {
    const [key, value] = parseOption(ref, option);
    if (values.has(key)) throw invalid(ref, `has the option ${key} twice`);
    values.set(key, value);
  }
  const { id, cluster, conf, timeout, ...settings } = Object.fromEntries(values);
  const seconds = timeout === undefined ? undefined : parseTimeout(timeout);
  if (timeout !== undefined && seconds === undefined) {
    throw invalid(ref, `has a timeout of "${timeout}", which is no whole number of seconds`);
  }
  return {
    ...(id === undefined ? {} : { id }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(conf === undefined ? {} : { conf }),
    ...(seconds === undefined ? {} : { timeout: seconds }),
    settings,
  };
}

function parseOption(ref: string, option: string): [key: string, value: string] {
  const [rawKey = "", ...values] = split(ref, option, "=");
  const key = takeLiterally(rawKey).replaceAll("-", "_");
  // A value may hold further equals signs, as base64 does.
  const value = takeLiterally(values.join("="));
  if (!SETTING_NAME.test(key)) throw invalid(ref, `has a malformed option "${option}"`);
  if (key === "key") {
    throw new BlockhaulError("ERR_INVALID_REF", {
      volume: ref,
      message: "holds a secret, which everybody on this host could read",
      hint: "put the key into a keyring file and write :keyring=/path/to/it instead",
    });
  }
  if (value === "") throw invalid(ref, `has the option ${key} without a value`);
  return [key, value];
}

/** Seconds of `timeout=` and of BLOCKHAUL_CEPH_TIMEOUT: 1 to 999999; undefined of anything else. */
export function parseTimeout(text: string): number | undefined {
  return /^[1-9]\d{0,5}$/.test(text) ? Number(text) : undefined;
}

/** Splits at every separator that no backslash stands before; the parts keep their backslashes. */
function split(ref: string, text: string, separator: string): string[] {
  const parts = [""];
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === separator) {
      parts.push("");
      continue;
    }
    if (character === "\\" && index + 1 === text.length) throw invalid(ref, "ends in a backslash");
    parts[parts.length - 1] += character === "\\" ? text.slice(index, index + 2) : character;
    if (character === "\\") index += 1;
  }
  return parts;
}

function takeLiterally(text: string): string {
  return text.replace(/\\(.)/gsu, "$1");
}

function protect(text: string): string {
  return text.replace(SPECIAL, "\\$&");
}

function invalid(ref: string, message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_REF", {
    volume: ref,
    message,
    hint: "the form is rbd:[POOL/[NAMESPACE/]]IMAGE[@SNAPSHOT][:id=USER][:conf=PATH][:OPTION=VALUE]",
  });
}
