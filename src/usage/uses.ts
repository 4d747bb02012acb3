/** Who uses a file or a block device of this host, and what is built on it. */
import { native } from "../native.js";
import { listBackstores } from "./lio-backstores.js";
import { listMounts, listSwaps, type MountOrigin } from "./mounts.js";
import type { HostNode } from "./node.js";
import { Stack, type StackedNode } from "./stack.js";

export type UseKind = "mount" | "swap" | "holder" | "writer";

export interface Use {
  readonly kind: UseKind;
  /** "sdb1 is mounted on /data"; "it", where the node itself is meant. */
  readonly text: string;
  /** Whoever uses it so may write to it. */
  readonly writes: boolean;
}

/** Every use that this user is let know of; nothing of this process's own. */
export async function usesOf(node: HostNode, stack = new Stack()): Promise<Use[]> {
  const layers = await stack.above(node);
  const named = await nameLayers(layers, stack);
  const [mounts, swaps, backstores, scan, holders] = await Promise.all([
    stack.mounts(),
    listSwaps(stack.host),
    listBackstores(stack.host),
    native().scanProcesses(
      layers.map((layer) => layer.node),
      stack.host.proc,
    ),
    describeHolders(layers, named, stack),
  ]);
  const mounted = describeMounts(mounts, named);
  const elsewhere = await mountsElsewhere(scan.namespaces, named, stack);
  return [
    ...mounted,
    ...elsewhere.filter(({ text }) => !mounted.some((own) => text.startsWith(own.text))),
    ...swaps.flatMap(({ key }) => {
      const name = named.get(key);
      return name === undefined ? [] : [use("swap", `${name} is used as swap`)];
    }),
    ...holders,
    ...backstores.flatMap(({ key, name: store }) => {
      const name = named.get(key);
      return name === undefined
        ? []
        : [use("holder", `${name} is offered by this host's iSCSI target as ${store}`)];
    }),
    ...scan.writers.map(({ pid, name: program, node: index }) => {
      const name = named.get(layers[index]?.key ?? "") ?? "it";
      return use("writer", `process ${pid} (${program}) has ${name} open for writing`);
    }),
  ];
}

function use(kind: UseKind, text: string, writes = true): Use {
  return { kind, text, writes };
}

async function nameLayers(
  layers: readonly StackedNode[],
  { devices }: Stack,
): Promise<Map<string, string>> {
  const names = layers.map(
    async ({ key, layer }): Promise<[string, string]> => [
      key,
      layer === "itself" ? "it" : await devices.nameOf(key),
    ],
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
