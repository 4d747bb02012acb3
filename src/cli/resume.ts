import { BlockhaulError, showJob } from "../index.js";
import type { CommandRun } from "./command.js";
import type { resumeOptions } from "./commands.js";
import { finishCopy } from "./copy-finish.js";
import { explainEnd } from "./job-failure.js";
import { goOn } from "./resuming.js";
import { stateDirectoryOf } from "./transfer.js";
import { Watch } from "./watch.js";

export const runResume: CommandRun<typeof resumeOptions> = async ([id = ""], options, context) => {
  const job = await showJob(id, { stateDirectory: stateDirectoryOf(options) });
  const watch = new Watch(`job ${job.id}`, options, context);
  try {
    const report = await goOn(job.id, options, context, watch);
    watch.clear();
    return finishCopy(report, options, context);
  } catch (error) {
    watch.clear();
    if (error instanceof BlockhaulError && error.code === "ERR_TIMEOUT") {
      context.stderr.line(
        "warning: what was attached for requests that hang may stay until `blockhaul cleanup`",
      );
    }
    const { received, progress } = watch;
    const end = { target: job.target?.ref ?? "", received, progress, job: job.id, again: "" };
    throw await explainEnd(error, end, options, context);
  } finally {
    watch.release();
  }
};
