import { BlockhaulError } from "../errors.js";
import type { NativeCephConnection } from "../native-rbd.js";
import { parseTimeout, type RbdLocation } from "./rbd-ref.js";

/**
 * What CEPH_ARGS, the options of every Ceph program, says of whom to connect to. The rest of it is
 * librados' own to read: it does so before it connects.
 */
export interface CephArguments {
  /** "client.admin" */
  readonly name?: string;
  readonly cluster?: string;
  /** Paths of configuration files. */
  readonly conf?: string;
}

/** The environment variables that decide how a cluster is reached. */
export interface CephEnvironment {
  readonly CEPH_ARGS?: string | undefined;
  readonly CEPH_CONF?: string | undefined;
  readonly BLOCKHAUL_CEPH_TIMEOUT?: string | undefined;
}

const OPTIONS: Readonly<Record<string, "name" | "id" | "cluster" | "conf">> = {
  "-n": "name",
  "--name": "name",
  "-i": "id",
  "--id": "id",
  "--user": "id",
  "--cluster": "cluster",
  "-c": "conf",
  "--conf": "conf",
};

/**
 * Reads CEPH_ARGS as the Ceph tools do: words between spaces, without quotes; of an option given
 * twice, the last counts; `--id x` is short for `--name client.x`.
 */
export function parseCephArgs(text: string): CephArguments {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const found: { name?: string; cluster?: string; conf?: string } = {};
  for (let index = 0; index < words.length; index += 1) {
    const [word = "", ...afterEquals] = (words[index] ?? "").split("=");
    const key = Object.hasOwn(OPTIONS, word) ? OPTIONS[word] : undefined;
    if (key === undefined) continue;
    if (afterEquals.length === 0) index += 1;
    const value = afterEquals.length === 0 ? words[index] : afterEquals.join("=");
    if (value === undefined) continue;
    if (key === "id") found.name = `client.${value}`;
    else found[key] = value;
  }
  return found;
}

/** What a ref or a backend says of whom to connect to, and how. */
export type CephSettings = Pick<RbdLocation, "id" | "cluster" | "conf" | "timeout" | "settings">;

/**
 * How a ref's cluster is reached: what the ref says, then CEPH_ARGS, then CEPH_CONF, then librados'
 * defaults.
 *
 * @throws BlockhaulError ERR_INVALID_ARGUMENT where BLOCKHAUL_CEPH_TIMEOUT makes no sense
 */
export function cephConnection(
  location: CephSettings,
  environment: CephEnvironment,
): NativeCephConnection {
  const fromArgs = parseCephArgs(environment.CEPH_ARGS ?? "");
  const conf = location.conf ?? fromArgs.conf ?? (environment.CEPH_CONF || undefined);
  const timeout = location.timeout ?? timeoutOfEnvironment(environment);
  return {
    cluster: location.cluster ?? fromArgs.cluster ?? "ceph",
    name: location.id === undefined ? (fromArgs.name ?? "client.admin") : `client.${location.id}`,
    ...(conf === undefined ? {} : { conf }),
    overrides: {
      ...(timeout === undefined ? {} : { client_mount_timeout: String(timeout) }),
      ...location.settings,
    },
  };
}

function timeoutOfEnvironment({ BLOCKHAUL_CEPH_TIMEOUT }: CephEnvironment): number | undefined {
  if (BLOCKHAUL_CEPH_TIMEOUT === undefined || BLOCKHAUL_CEPH_TIMEOUT === "") return undefined;
  const seconds = parseTimeout(BLOCKHAUL_CEPH_TIMEOUT);
  if (seconds !== undefined) return seconds;
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `BLOCKHAUL_CEPH_TIMEOUT="${BLOCKHAUL_CEPH_TIMEOUT}" is no whole number of seconds`,
  });
}
