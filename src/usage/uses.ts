/** Who uses a file or a block device of this host, and what is built on it. */
import { native } from "../native.js";
import type { NativeFileUser } from "../native-host.js";
import { listBackstores } from "./lio-backstores.js";
import { listMounts, listSwaps, type MountOrigin } from "./mounts.js";
import { type HostNode, isDevice } from "./node.js";
import { type Layer, Stack, type StackedNode } from "./stack.js";
import { whyDevicesAreUnseen, whyProcessesAreUnseen } from "./unseen.js";

/** "reader": a process that has it open, and not to write to it. */
export type UseKind = "mount" | "swap" | "holder" | "writer" | "reader";

export interface Use {
  readonly kind: UseKind;
  /** "sdb1 is mounted on /data"; "it", where the node itself is meant. */
  readonly text: string;
  /** Whoever uses it so may write to it. */
  readonly writes: boolean;
}

/** What was seen of a node's uses. */
export interface Sight {
  readonly uses: readonly Use[];
  /** Why there may be more, a clause; undefined where all can be seen. */
  readonly unseen: string | undefined;
  /** This process itself may write to it. */
  readonly isOwn: boolean;
}

/**
 * Every use that this user is let know of but for readers; nothing of this process's own. Of a disk with several
 * paths, those of all of them.
 */
export async function usesOf(node: HostNode, stack = new Stack()): Promise<Use[]> {
  return (await usesSeenOf(node, stack)).uses.slice();
}

/** The same, with what could not be seen. */
export async function usesSeenOf(node: HostNode, stack = new Stack()): Promise<Sight> {
  const { uses, incomplete, isOwn } = await lookAt(node, stack);
  return {
    isOwn,
    uses: uses.filter(({ kind }) => kind !== "reader"),
    unseen:
      (await whyDevicesAreUnseen(node, stack)) ?? whyProcessesAreUnseen(incomplete, stack.host),
  };
}

/** What would break if this very device went: its readers too, and not what goes through its other paths. */
export async function usesOfPath(node: HostNode, stack = new Stack()): Promise<Use[]> {
  return (await lookAt(node, stack, ["path"])).uses;
}

async function lookAt(
  node: HostNode,
  stack: Stack,
  besides: readonly Layer[] = [],
): Promise<{ readonly uses: Use[]; readonly incomplete: boolean; readonly isOwn: boolean }> {
  const above = await stack.above(node, besides);
  const around = await stack.around(node);
  const layers = [...above, ...around];
  const named = await nameLayers(above, stack);
  const all = new Map([...named, ...(await nameLayers(around, stack))]);
  const [mounts, swaps, backstores, scan, holders] = await Promise.all([
    stack.mounts(),
    listSwaps(stack.host),
    listBackstores(stack.host),
    native().scanProcesses(
      layers.map((layer) => layer.node),
      stack.host.proc,
    ),
    describeHolders(above, named, stack),
  ]);
  const mounted = describeMounts(mounts, named);
  const elsewhere = await mountsElsewhere(scan.namespaces, named, stack);
  const uses = [
    ...mounted,
    ...elsewhere.filter(({ text }) => !mounted.some((own) => text.startsWith(own.text))),
    ...swaps.flatMap(({ key }) => {
      const name = named.get(key);
      return name === undefined ? [] : [use("swap", `${name} is used as swap`)];
    }),
    ...holders,
    ...backstores.flatMap(({ key, name: store }) => {
      const name = all.get(key);
      return name === undefined
        ? []
        : [use("holder", `${name} is offered by this host's iSCSI target as ${store}`)];
    }),
    ...scan.writers.map((user) => use("writer", `${has(user)} open for writing`)),
    ...scan.readers.map((user) => use("reader", `${has(user)} open`, false)),
  ];
  return {
    uses,
    incomplete: scan.incomplete,
    isOwn: scan.own.some((index) => index < above.length),
  };

  function has({ pid, name, node: index }: NativeFileUser): string {
    return `process ${pid} (${name}) has ${all.get(layers[index]?.key ?? "") ?? "it"}`;
  }
}

function use(kind: UseKind, text: string, writes = true): Use {
  return { kind, text, writes };
}

async function nameLayers(
  layers: readonly StackedNode[],
  { devices }: Stack,
): Promise<Map<string, string>> {
  const nameOf = ({ node, key, layer }: StackedNode) => {
    if (layer === "itself") return "it";
    return isDevice(node) ? devices.nameOf(key) : "the file that it lies on";
  };
  const names = layers.map(
    async (layer): Promise<[string, string]> => [layer.key, await nameOf(layer)],
  );
  return new Map(await Promise.all(names));
}

/** Device-mapper, md, loop devices and the like. */
async function describeHolders(
  layers: readonly StackedNode[],
  named: ReadonlyMap<string, string>,
  { devices }: Stack,
): Promise<Use[]> {
  const holders = layers.filter(({ layer }) => layer === "holder" || layer === "loop");
  return Promise.all(
    holders.map(async ({ key, on }) => {
      const text = `${named.get(on) ?? "it"} is held by ${await devices.describe(key)}`;
      return use("holder", text, !(await devices.isReadOnly(key)));
    }),
  );
}

function describeMounts(
  mounts: readonly MountOrigin[],
  named: ReadonlyMap<string, string>,
  where = "",
): Use[] {
  return mounts.flatMap(({ keys, mountPoint, readOnly }) => {
    const key = [...keys].find((one) => named.has(one));
    if (key === undefined) return [];
    const how = readOnly ? "mounted read-only" : "mounted";
    return [use("mount", `${named.get(key)} is ${how} on ${mountPoint}${where}`, !readOnly)];
  });
}

/** What containers have mounted, and services with mounts of their own. */
async function mountsElsewhere(
  processes: readonly number[],
  named: ReadonlyMap<string, string>,
  { host }: Stack,
): Promise<Use[]> {
  const found = await Promise.all(
    processes.map(async (process) => {
      const mounts = await listMounts(host, process);
      return describeMounts(mounts, named, ` for process ${process} and others`);
    }),
  );
  return found.flat();
}
