/** What a CHAP user and a CHAP secret may be. No message here holds a secret. */
import { BlockhaulError } from "../../errors.js";
import type { ChapAuth } from "../connection.js";

/** Bytes: what open-iscsi's records hold. */
const LONGEST = 255;

/**
 * What is wrong with a CHAP user's name, to be read after it; undefined: nothing. It becomes an
 * argument of iscsiadm, and a value in its records, from which it strips surrounding spaces.
 */
export function faultOfChapUser(user: string): string | undefined {
  if (user.startsWith("-")) return "begins with a dash";
  return faultOfValue(user);
}

/**
 * What is wrong with a CHAP secret; undefined: nothing. RFC 7143 wants 12 bytes and more, and many
 * targets 12 to 16: they say so themselves. A file's last newline does not belong to it.
 */
export function faultOfChapSecret(secret: string): string | undefined {
  return faultOfValue(secret);
}

/** What iscsiadm's records cannot hold as it is. */
export function faultOfValue(value: string): string | undefined {
  if (value === "") return "is empty";
  if (Buffer.byteLength(value) > LONGEST) return `has more than ${LONGEST} bytes`;
  // A lone surrogate has no UTF-8; something else would be written for it.
  if (/[\p{Cc}\p{Cs}]/u.test(value)) return "has a newline or another control character";
  // iscsiadm strips spaces as C does.
  return /^\s|\s$/.test(value) ? "begins or ends with a space" : undefined;
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT */
export function checkChapUser(user: string, whose = "CHAP user"): string {
  const fault = faultOfChapUser(user);
  if (fault !== undefined) throw refused(`the name of the ${whose} ${fault}`);
  return user;
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT */
export function checkChapSecret(secret: string, whose = "CHAP secret"): string {
  const fault = faultOfChapSecret(secret);
  if (fault !== undefined) throw refused(`the ${whose} ${fault}`);
  return secret;
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT */
export function checkChapAuth(auth: ChapAuth): ChapAuth {
  const { user, secret, targetUser, targetSecret } = auth;
  checkChapUser(user);
  checkChapSecret(secret);
  if ((targetUser === undefined) !== (targetSecret === undefined)) {
    throw refused("mutual CHAP needs both the target's user and its secret");
  }
  if (targetUser === undefined || targetSecret === undefined) return { user, secret };
  checkChapUser(targetUser, "target's CHAP user");
  checkChapSecret(targetSecret, "target's CHAP secret");
  if (targetSecret === secret) {
    throw refused(
      "mutual CHAP needs two different secrets: whoever knows one could play both parts",
    );
  }
  return { user, secret, targetUser, targetSecret };
}

function refused(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
