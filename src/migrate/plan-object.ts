/** Plans that no file was read for. */
import * as v from "valibot";

import { explainIssue } from "./plan-issue.js";
import { planObjectSchema } from "./plan-schema.js";
import type { ManyPlan, MoveFault } from "./plan-types.js";

/** All that is wrong with how a plan is written; what it names is not looked at. */
export function faultsOfObject(plan: ManyPlan): MoveFault[] {
  const result = v.safeParse(planObjectSchema, plan);
  if (result.success) return [];
  return result.issues.map((issue) => {
    const { path, message } = explainIssue(issue, planObjectSchema);
    const move = path[0] === "moves" ? plan.moves?.[Number(path[1])] : undefined;
    return {
      move: typeof move?.source === "string" ? (move.name ?? move.source) : undefined,
      at: move?.at,
      code: "ERR_INVALID_ARGUMENT",
      message,
      hint: undefined,
    };
  });
}
