/** Images as the addon wants them named. */
import path from "node:path";

import { BlockhaulError } from "../errors.js";
import type { NativeRbdImage, NativeRbdPlace } from "../native-rbd.js";
import { type CephSettings, cephConnection } from "./ceph-args.js";
import type { RbdLocation } from "./rbd-ref.js";

/** A namespace of a pool, and how its cluster is reached. */
export type RbdSpot = CephSettings & Pick<RbdLocation, "pool" | "namespace">;

export function nativePlace(spot: RbdSpot): NativeRbdPlace {
  const { pool, namespace } = spot;
  return { connection: cephConnection(spot, process.env), pool, namespace };
}

export function nativeImage(location: RbdLocation): NativeRbdImage {
  const { image, snapshot } = location;
  return { ...nativePlace(location), image, ...(snapshot === undefined ? {} : { snapshot }) };
}

/** Says of a refusal where its cause can be seen: the hint of the code is about paths. */
export async function asking<Result>(
  { connection }: NativeRbdPlace,
  answer: Promise<Result>,
): Promise<Result> {
  return answer.catch((error: unknown) => {
    if (!(error instanceof BlockhaulError) || error.code !== "ERR_PERMISSION") throw error;
    throw error.withContext({
      hint: `\`ceph auth get ${connection.name}\` shows what its capabilities allow`,
    });
  });
}

/**
 * The same location for a process with another environment and in another folder, as far as a ref can
 * say it.
 */
export function pinned(location: RbdLocation): RbdLocation {
  const { name, cluster, conf } = cephConnection(location, process.env);
  const files = conf?.split(/[,; ]+/).filter((file) => file !== "");
  return {
    ...location,
    cluster,
    ...(name.startsWith("client.") ? { id: name.slice("client.".length) } : {}),
    ...(files === undefined ? {} : { conf: files.map((file) => path.resolve(file)).join(",") }),
  };
}
