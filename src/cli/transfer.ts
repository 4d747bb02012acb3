/** What the flags of a command say, as the library's options. */
import path from "node:path";

interface LimitFlags {
  readonly bwlimit?: number;
  readonly iopsLimit?: number;
  readonly retries?: number;
  readonly requestTimeout?: number;
  readonly stallTimeout?: number;
}

export interface EngineFlags extends LimitFlags {
  readonly requests?: number;
  readonly requestSize?: number;
  readonly memory?: number;
  readonly threads?: number;
  readonly noExtents?: boolean;
}

interface ProofFlags {
  readonly verify?: boolean | "source";
  readonly repair?: boolean;
  readonly salvage?: boolean;
}

export function limitsOf(flags: LimitFlags) {
  return {
    bandwidthLimit: flags.bwlimit,
    iopsLimit: flags.iopsLimit,
    retries: flags.retries,
    requestTimeoutMs: milliseconds(flags.requestTimeout),
    stallLimitMs: milliseconds(flags.stallTimeout),
  };
}

export function engineOptions(flags: EngineFlags) {
  return {
    requests: flags.requests,
    requestSize: flags.requestSize,
    memory: flags.memory,
    threads: flags.threads,
    // Not of a migration, which has no such option.
    ...(flags.noExtents === undefined ? {} : { useExtents: !flags.noExtents }),
    ...limitsOf(flags),
  };
}

export function proofOptions({ verify, repair, salvage }: ProofFlags) {
  return { verify, repair, salvage };
}

export function stateDirectoryOf({ stateDir }: { readonly stateDir?: string }) {
  return stateDir === undefined ? undefined : path.resolve(stateDir);
}

/** Never 0 of what is more: that means for ever. */
export function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.ceil(seconds * 1000);
}
