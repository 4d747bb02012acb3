import { type HostNode, isDevice, keyOf } from "../usage/node.js";
import type { Stack } from "../usage/stack.js";
import type { Volume } from "../volume.js";
import { free, taken, type Verdict } from "./guard.js";

/**
 * Neither end may be built on the other: a volume of LVM and the disk that it lies on, a loop device
 * and the image behind it, an image and the disk whose file system it is on. What the identities of
 * both tell was looked at before.
 */
export async function checkSameVolume(
  source: Volume,
  target: Volume,
  stack: Stack,
): Promise<Verdict> {
  const [from, to] = [source.info.node, target.info.node];
  if (from === undefined || to === undefined) return free("they are no two devices of this host");
  if (await isBuiltOn(source, from, to, stack)) {
    return taken(`${source.ref} lies on ${target.ref}: it would be overwritten while it is read`);
  }
  if (await isBuiltOn(target, to, from, stack)) {
    return taken(`${target.ref} lies on ${source.ref}: what is read would be what was written`);
  }
  return free("neither is built on the other");
}

async function isBuiltOn(
  volume: Volume,
  upper: HostNode,
  lower: HostNode,
  stack: Stack,
): Promise<boolean> {
  const below = await stack.below(upper, volume.info.name);
  const paths = isDevice(lower) ? await stack.devices.namesakesOf(keyOf(lower)) : [];
  return [keyOf(lower), ...paths].some((key) => below.has(key));
}
