import { findProgram, type Program, runProgram } from "../../system/program.js";

const UDEVADM: Program = { name: "udevadm", package: "udev" };
const SETTLE_SECONDS = 10;

/** Waits until udev has done with the devices that came and went: it has them open meanwhile. */
export async function udevSettled(): Promise<void> {
  if (findProgram(UDEVADM.name) === undefined) return;
  const args = ["settle", `--timeout=${SETTLE_SECONDS}`];
  await runProgram(UDEVADM, args, { deadlineMs: 2 * SETTLE_SECONDS * 1000 }).catch(() => {});
}
