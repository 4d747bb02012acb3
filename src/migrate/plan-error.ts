import { BlockhaulError } from "../errors.js";
import type { MoveFault } from "./plan-types.js";

/** A plan that cannot be carried out. Nothing was touched. Its code is the first fault's. */
export class PlanError extends BlockhaulError {
  /** All that is wrong. */
  readonly problems: readonly MoveFault[];

  /** @param faults at least one */
  constructor(faults: readonly MoveFault[]) {
    const [first] = faults;
    const count = faults.length === 1 ? "one fault" : `${faults.length} faults`;
    super(first?.code ?? "ERR_INVALID_ARGUMENT", {
      message: `the plan has ${count}; nothing was touched`,
      hint: "correct all of them: `--dry-run` checks without moving anything",
    });
    this.problems = faults;
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), problems: this.problems };
  }
}
