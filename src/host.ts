import { type IoStatus, type LibrbdStatus, native } from "./native.js";
import { findProgram, type Program } from "./system/program.js";

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

/** A program that drivers run, and whether this host has it. */
export interface ToolStatus {
  readonly name: string;
  /** Of Debian; others call it much the same. */
  readonly package: string;
  /** Absolute; undefined where it is missing. */
  readonly path: string | undefined;
  /** What cannot be done without it. */
  readonly without: string;
}

const TOOLS: readonly (Program & Pick<ToolStatus, "without">)[] = [
  { name: "lvm", package: "lvm2", without: "lvm: cannot be used" },
  {
    name: "wipefs",
    package: "util-linux",
    without: "a target that is not empty cannot be told from one that is",
  },
  { name: "iscsiadm", package: "open-iscsi", without: "nothing can be attached over iSCSI" },
  { name: "iscsid", package: "open-iscsi", without: "nothing can be attached over iSCSI" },
  {
    name: "multipathd",
    package: "multipath-tools",
    without: "of several portals to a LUN one is used",
  },
];

/** The programs that drivers run, as they are found here. None is run for it. */
export function toolStatus(): ToolStatus[] {
  return TOOLS.map((tool) => ({ ...tool, path: findProgram(tool.name) }));
}
