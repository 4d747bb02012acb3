import { type HostNode, isDevice, keyOf } from "../usage/node.js";
import type { Stack } from "../usage/stack.js";
import { whyDevicesAreUnseen } from "../usage/unseen.js";
import type { Volume } from "../volume.js";
import { freeUnless, type HeldVolume, taken, type Verdict, whyNotTold } from "./guard.js";

/**
 * Neither end may be built on the other: a volume of LVM and the disk that it lies on, a loop device
 * and the image behind it, an image and the disk whose file system it is on. What the identities of
 * both tell was looked at before.
 */
export async function checkSameVolume(
  ends: readonly [source: HeldVolume, target: HeldVolume],
  stack: Stack,
): Promise<Verdict> {
  const [source, target] = [ends[0].volume, ends[1].volume];
  const [from, to] = [source.info.node, target.info.node];
  if (from === undefined || to === undefined) {
    // What nobody has cannot lie on anything.
    const isNobodys = ends.some(({ volume }) => volume.info.ephemeral);
    const whys = isNobodys ? [] : await Promise.all(ends.map(whyNotTold));
    const isUnknown = whys.some((why) => why !== undefined);
    return freeUnless(
      isUnknown ? "a driver does not tell what its volume lies on" : undefined,
      "they are no two devices of this host",
    );
  }
  if (await isBuiltOn(source, from, to, stack)) {
    return taken(`${source.ref} lies on ${target.ref}: it would be overwritten while it is read`);
  }
  if (await isBuiltOn(target, to, from, stack)) {
    return taken(`${target.ref} lies on ${source.ref}: what is read would be what was written`);
  }
  const unseen = (await whyDevicesAreUnseen(from, stack)) ?? (await whyDevicesAreUnseen(to, stack));
  return freeUnless(unseen, "neither is built on the other");
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
