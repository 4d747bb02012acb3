import type { ChapAuth } from "../connectors/connection.js";
import { BlockhaulError } from "../errors.js";
import { readSecret, type SecretPlace } from "../system/read-secret.js";

const USER_SECRET = { variable: "BLOCKHAUL_CHAP_SECRET", option: "secret-file" } as const;
const TARGET_SECRET = {
  variable: "BLOCKHAUL_CHAP_TARGET_SECRET",
  option: "target-secret-file",
} as const;

/** Who this host says it is, and where the secrets are. */
export interface ChapPlaces {
  readonly user?: string | undefined;
  readonly secretFile?: string | undefined;
  readonly targetUser?: string | undefined;
  readonly targetSecretFile?: string | undefined;
}

/**
 * Credentials: their users, and their secrets from files or the environment, to be wiped by whoever uses them.
 *
 * @returns undefined without a user
 * @throws BlockhaulError ERR_AUTHENTICATION where a secret is missing, and what reading it meets
 */
export async function readChapAuth(places: ChapPlaces): Promise<ChapAuth | undefined> {
  const { user, targetUser } = places;
  if (user === undefined) {
    if (targetUser === undefined) return undefined;
    throw new BlockhaulError("ERR_INVALID_REF", {
      message: "a target that has to prove who it is wants to know who asks: a user is missing",
    });
  }
  const secret = await readSecret({ ...USER_SECRET, file: places.secretFile });
  if (secret === undefined) throw noSecret(user, USER_SECRET);
  if (targetUser === undefined) return { user, secret };
  try {
    const targetSecret = await readSecret({ ...TARGET_SECRET, file: places.targetSecretFile });
    if (targetSecret === undefined) throw noSecret(targetUser, TARGET_SECRET);
    return { user, secret, targetUser, targetSecret };
  } catch (error) {
    secret.wipe();
    throw error;
  }
}

function noSecret(
  user: string,
  { variable, option }: Pick<SecretPlace, "variable"> & { readonly option: string },
): BlockhaulError {
  return new BlockhaulError("ERR_AUTHENTICATION", {
    message: `there is no secret for the user ${user}`,
    hint: `put it into a file that only you can read and write ?${option}=PATH, or set ${variable}_FILE or ${variable}`,
  });
}
