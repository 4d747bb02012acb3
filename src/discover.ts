import { type DiscoveredTarget, discoverTargets } from "./connectors/iscsi/discovery.js";
import { parsePortal } from "./connectors/iscsi/names.js";
import { type ChapPlaces, readChapAuth } from "./drivers/chap-auth.js";
import { checkKeys, type KeysOf } from "./known-keys.js";

/** Who asks; without a user, nobody in particular. Secrets come from files or the environment. */
export type DiscoverOptions = ChapPlaces;

const DISCOVER_KEYS: KeysOf<DiscoverOptions> = {
  user: true,
  secretFile: true,
  targetUser: true,
  targetSecretFile: true,
};

/**
 * The iSCSI targets that a portal offers to this host.
 *
 * @param portal "10.0.0.1", "storage-1:3260", "[fd00::1]:3260"
 * @throws BlockhaulError ERR_INVALID_REF, ERR_UNREACHABLE, ERR_AUTHENTICATION, ERR_TIMEOUT,
 *   ERR_DRIVER_UNAVAILABLE
 */
export async function discoverIscsiTargets(
  portal: string,
  options: DiscoverOptions = {},
): Promise<DiscoveredTarget[]> {
  checkKeys("discoverIscsiTargets", options, DISCOVER_KEYS);
  return discoverTargets(parsePortal(portal), await readChapAuth(options));
}
