/** The settings of several files as one, and where each of them stands. */
import { type ConfigMap, type ConfigNode, plainValue } from "./tree.js";

/** A value, and where it comes from. */
export interface SettingOrigin {
  /** The keys that lead to it; of an item of a list, its number. */
  readonly path: readonly (string | number)[];
  readonly value: unknown;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

interface Source {
  readonly tree: ConfigMap | undefined;
  readonly file: string;
}

/**
 * A backend counts as a whole, and so does `parallel`, as the first file has it. All of the files' `drivers`
 * are loaded.
 */
export function mergeSettings(sources: readonly Source[]): {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly origins: readonly SettingOrigin[];
} {
  const origins: SettingOrigin[] = [];
  const backends: Record<string, unknown> = {};
  const drivers: unknown[] = [];
  let parallel: unknown;
  for (const { tree, file } of sources) {
    for (const [key, { node }] of tree?.entries ?? []) {
      if (key === "parallel" && parallel === undefined) {
        parallel = plainValue(node);
        origins.push(...originsOf(node, [key], file));
      } else if (key === "backends" && node.kind === "map") {
        for (const [name, entry] of node.entries) {
          if (Object.hasOwn(backends, name)) continue;
          backends[name] = plainValue(entry.node);
          origins.push(...originsOf(entry.node, [key, name], file));
        }
      } else if (key === "drivers" && node.kind === "list") {
        for (const item of node.items) {
          origins.push(...originsOf(item, [key, drivers.length], file));
          drivers.push(plainValue(item));
        }
      }
    }
  }
  const settings = {
    ...(parallel === undefined ? {} : { parallel }),
    ...(drivers.length === 0 ? {} : { drivers }),
    backends,
  };
  return { settings, origins };
}

/** Of every value that has no others in it. */
function originsOf(
  node: ConfigNode,
  path: readonly (string | number)[],
  file: string,
): SettingOrigin[] {
  if (node.kind === "map") {
    return [...node.entries].flatMap(([key, entry]) => originsOf(entry.node, [...path, key], file));
  }
  if (node.kind === "list") {
    return node.items.flatMap((item, index) => originsOf(item, [...path, index], file));
  }
  return [{ path, value: node.value, file, ...node.at }];
}
