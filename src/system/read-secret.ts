import { isUtf8 } from "node:buffer";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { isMainThread } from "node:worker_threads";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { readAsSecret, Secret } from "./secret.js";

const LONGEST = 4096;
const OTHERS = 0o077;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The variables that may hold a secret; with "_FILE" behind it, each names the file that does. */
export const SECRET_VARIABLES = ["BLOCKHAUL_CHAP_SECRET", "BLOCKHAUL_CHAP_TARGET_SECRET"] as const;

export interface SecretPlace {
  /** The file that was named; the environment counts where none was. */
  readonly file: string | undefined;
  readonly variable: (typeof SECRET_VARIABLES)[number];
}

/** What the environment held, by the variable: it is taken out of there once, and may be wanted again. */
const taken = new Map<string, Secret>();

/**
 * A secret from where it is kept, without the newline at its end. One in the environment is taken out of it: neither
 * a child of this process nor /proc/PID/environ has it from then on.
 *
 * @returns one to be wiped by the caller; undefined where neither a file nor the environment has one
 * @throws BlockhaulError ERR_PERMISSION for a file that others can read or that is somebody else's,
 *   ERR_NOT_FOUND, ERR_INVALID_ARGUMENT for an empty one and one that is no text
 */
export async function readSecret({ file, variable }: SecretPlace): Promise<Secret | undefined> {
  const named = file ?? (process.env[`${variable}_FILE`] || undefined);
  if (named !== undefined) return readSecretFile(named);
  takeFromEnvironment(variable);
  return taken.get(variable)?.copy();
}

/**
 * Takes the secrets that blockhaul knows of out of this process's environment, before anybody else may read or inherit
 * them. What needs them later still has them.
 */
export function takeSecretsFromEnvironment(): void {
  for (const variable of SECRET_VARIABLES) takeFromEnvironment(variable);
}

function takeFromEnvironment(variable: string): void {
  const secret = isMainThread ? Secret.takenFromEnvironment(variable) : takenFromCopy(variable);
  if (secret === undefined) return;
  taken.get(variable)?.wipe();
  taken.delete(variable);
  if (secret.length > 0) taken.set(variable, secret);
  else secret.wipe();
}

/** A worker's environment is a copy, of strings. */
function takenFromCopy(variable: string): Secret | undefined {
  const text = process.env[variable];
  if (text === undefined) return undefined;
  delete process.env[variable];
  return Secret.of(text);
}

/** The environment for a program of the user's: all of it but the secrets. */
export function environmentWithoutSecrets(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env);
  const kept = names.filter((name) => !(SECRET_VARIABLES as readonly string[]).includes(name));
  return Object.fromEntries(kept.map((name) => [name, process.env[name]]));
}

async function readSecretFile(file: string): Promise<Secret> {
  // A named pipe must not keep us waiting.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const handle = await open(file, flags).catch((cause: unknown) => {
    throw toBlockhaulError(cause).withContext({ hint: `the secret's file is ${file}` });
  });
  try {
    // Of the file that was opened, whatever the path leads to by now.
    const status = await handle.stat();
    const { mode, uid } = status;
    const own = process.getuid?.();
    if (!status.isFile()) throw exposed(file, "is no file", "name a file");
    if ((mode & OTHERS) !== 0) throw exposed(file, "can be read by others", `chmod 600 ${file}`);
    if (uid !== 0 && uid !== own)
      throw exposed(file, "belongs to another user", `chown ${own} ${file}`);
    return checked(await readAsSecret(handle, LONGEST + 1), file);
  } finally {
    await handle.close();
  }
}

function checked(secret: Secret, file: string): Secret {
  const fault = secret.length > LONGEST ? "is too long" : faultOf(secret);
  if (fault === undefined) return secret;
  secret.wipe();
  throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `the secret's file ${file} ${fault}`,
    hint: "it has to hold the secret and nothing else, in one line",
  });
}

/** What is wrong with it, once the newline at its end is gone. */
function faultOf(secret: Secret): string | undefined {
  const { bytes } = secret;
  if (!isUtf8(bytes)) return "is no text in UTF-8";
  if (bytes.at(-1) === NEWLINE) {
    secret.truncate(bytes.at(-2) === CARRIAGE_RETURN ? bytes.length - 2 : bytes.length - 1);
  }
  return secret.length === 0 ? "is empty" : undefined;
}

function exposed(file: string, what: string, mend: string): BlockhaulError {
  return new BlockhaulError("ERR_PERMISSION", {
    message: `the secret's file ${file} ${what}`,
    hint: mend,
  });
}
