import { constants } from "node:fs";
import { open } from "node:fs/promises";

import { BlockhaulError, toBlockhaulError } from "../errors.js";

const LONGEST = 4096;
const OTHERS = 0o077;

export interface SecretPlace {
  /** The file that was named; the environment counts where none was. */
  readonly file: string | undefined;
  /** The variable that holds the secret; with "_FILE" behind it, the one that names its file. */
  readonly variable: string;
}

/**
 * A secret from where it is kept, without the newline at its end.
 *
 * @returns undefined where neither a file nor the environment has one
 * @throws BlockhaulError ERR_PERMISSION for a file that others can read or that is somebody else's,
 *   ERR_NOT_FOUND, ERR_INVALID_ARGUMENT for an empty one and one that is no text
 */
export async function readSecret({ file, variable }: SecretPlace): Promise<string | undefined> {
  const named = file ?? (process.env[`${variable}_FILE`] || undefined);
  if (named !== undefined) return readSecretFile(named);
  return process.env[variable] || undefined;
}

async function readSecretFile(file: string): Promise<string> {
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
    const buffer = Buffer.alloc(LONGEST + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    if (bytesRead > LONGEST) throw unusable(file, "is too long");
    const text = decode(buffer.subarray(0, bytesRead))?.replace(/\r?\n$/, "");
    if (text === undefined) throw unusable(file, "is no text in UTF-8");
    if (text === "") throw unusable(file, "is empty");
    return text;
  } finally {
    await handle.close();
  }
}

/** Not with other characters in the place of what is no text: it would be another secret. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function unusable(file: string, what: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_ARGUMENT", {
    message: `the secret's file ${file} ${what}`,
    hint: "it has to hold the secret and nothing else, in one line",
  });
}

function exposed(file: string, what: string, mend: string): BlockhaulError {
  return new BlockhaulError("ERR_PERMISSION", {
    message: `the secret's file ${file} ${what}`,
    hint: mend,
  });
}
