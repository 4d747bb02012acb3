import { spawn } from "node:child_process";

import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { environmentWithoutSecrets } from "../system/read-secret.js";
import type { Hook, HookFacts } from "./types.js";

/**
 * Runs a hook to its end: a function, or a program by its absolute path, without a shell, in the caller's
 * environment without the secrets in it, with the facts as one line of JSON on its standard input. What a program says goes to standard
 * error.
 *
 * @throws BlockhaulError ERR_HOOK where it fails or cannot be run; ERR_CANCELLED
 */
export async function runHook(
  hook: Hook,
  facts: HookFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (typeof hook !== "function") return runProgramHook(hook, facts, signal);
  try {
    await hook(facts);
  } catch (cause) {
    throw failed(facts, `failed: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

async function runProgramHook(
  [file = "", ...args]: readonly string[],
  facts: HookFacts,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ended = new Promise<{ code: number | null; killedBy: NodeJS.Signals | null }>(
    (resolve, reject) => {
      const env = environmentWithoutSecrets();
      const child = spawn(file, args, { stdio: ["pipe", 2, 2], signal, env });
      child.once("error", reject);
      child.once("close", (code, killedBy) => resolve({ code, killedBy }));
      // One that does not read what it is told is no error.
      child.stdin?.on("error", () => {});
      child.stdin?.end(`${JSON.stringify(facts)}\n`);
    },
  );
  const { code, killedBy } = await ended.catch((error: unknown) => {
    if (signal?.aborted) {
      throw new BlockhaulError("ERR_CANCELLED", {
        message: `the hook ${facts.hook} was stopped on request`,
        cause: signal.reason,
      });
    }
    const { message } = toBlockhaulError(error);
    throw failed(facts, `cannot be run: ${message}`, error);
  });
  if (code === 0) return;
  throw failed(facts, `${file} ended with ${killedBy ?? `status ${code}`}`);
}

function failed({ hook, id }: HookFacts, what: string, cause?: unknown): BlockhaulError {
  return new BlockhaulError("ERR_HOOK", {
    message: `the hook ${hook} ${what}`,
    hint: `mend it, then \`blockhaul resume ${id}\` runs it again; \`blockhaul abort ${id}\` goes back`,
    cause,
  });
}
