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
 *   ERR_NOT_FOUND, ERR_INVALID_ARGUMENT for an empty one
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
    const text = buffer.toString("utf8", 0, bytesRead).replace(/\r?\n$/, "");
    if (text === "" || bytesRead > LONGEST) {
      throw new BlockhaulError("ERR_INVALID_ARGUMENT", {
        message: `the secret's file ${file} is ${text === "" ? "empty" : "too long"}`,
      });
    }
    return text;
  } finally {
    await handle.close();
  }
}

function exposed(file: string, what: string, mend: string): BlockhaulError {
  return new BlockhaulError("ERR_PERMISSION", {
    message: `the secret's file ${file} ${what}`,
    hint: mend,
  });
}
