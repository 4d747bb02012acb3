/** What a CHAP user and a CHAP secret may be. No message here holds a secret. */
import { isUtf8 } from "node:buffer";

import { BlockhaulError } from "../../errors.js";
import { Secret } from "../../system/secret.js";
import type { ChapAuth, CheckedChapAuth } from "../connection.js";

/** Bytes: what open-iscsi's records hold. */
const LONGEST = 255;
const SPACE = 0x20;

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
export function faultOfChapSecret({ bytes, length }: Secret): string | undefined {
  if (length === 0) return "is empty";
  if (length > LONGEST) return `has more than ${LONGEST} bytes`;
  if (!isUtf8(bytes)) return "is no text in UTF-8";
  // Those of C0, DEL, and those of C1, which are two bytes.
  const isControl = (byte: number, at: number) =>
    byte < 0x20 || byte === 0x7f || (byte === 0xc2 && (bytes[at + 1] ?? 0xff) < 0xa0);
  if (bytes.some(isControl)) return "has a newline or another control character";
  // Without a locale, it is the one space that iscsiadm strips.
  return bytes[0] === SPACE || bytes.at(-1) === SPACE ? "begins or ends with a space" : undefined;
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
export function checkChapSecret(given: Secret | string, whose = "CHAP secret"): Secret {
  const secret = typeof given === "string" ? Secret.of(given) : given;
  const fault = faultOfChapSecret(secret);
  if (fault !== undefined) throw refused(`the ${whose} ${fault}`);
  return secret;
}

/** @throws BlockhaulError ERR_INVALID_ARGUMENT */
export function checkChapAuth(auth: ChapAuth): CheckedChapAuth {
  const { user, targetUser } = auth;
  checkChapUser(user);
  const secret = checkChapSecret(auth.secret);
  if ((targetUser === undefined) !== (auth.targetSecret === undefined)) {
    throw refused("mutual CHAP needs both the target's user and its secret");
  }
  if (targetUser === undefined || auth.targetSecret === undefined) return { user, secret };
  checkChapUser(targetUser, "target's CHAP user");
  const targetSecret = checkChapSecret(auth.targetSecret, "target's CHAP secret");
  if (targetSecret.equals(secret)) {
    throw refused(
      "mutual CHAP needs two different secrets: whoever knows one could play both parts",
    );
  }
  return { user, secret, targetUser, targetSecret };
}

/** Makes an end of the secrets, wherever they are known not to be needed any more. */
export function wipeChapAuth(auth: ChapAuth | undefined): void {
  for (const secret of [auth?.secret, auth?.targetSecret]) {
    if (secret instanceof Secret) secret.wipe();
  }
}

function refused(message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", { message });
}
