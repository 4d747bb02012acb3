import { type IoStatus, type LibrbdStatus, native } from "./native.js";

/** What the engine finds on this host. */
export interface EngineStatus {
  /** How zeros are looked for: the instruction set in use. */
  readonly zeroDetection: string;
  /** How I/O is done, and why not better. */
  readonly io: IoStatus;
  readonly librbd: LibrbdStatus;
}

/**
 * Looks at what the engine can use here. librbd is loaded for it.
 *
 * @throws BlockhaulError ERR_NATIVE_UNAVAILABLE
 */
export function engineStatus(): EngineStatus {
  const binding = native();
  return {
    zeroDetection: binding.zeroDetection,
    io: binding.ioStatus(),
    librbd: binding.librbdStatus(),
  };
}
