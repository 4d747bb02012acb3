// npm run test:sanitize [-- address|thread]: the native tests under address + undefined behaviour sanitizers,
// then under the thread sanitizer.

import { runNativeTests } from "./lib/native-tests.mjs";
import { installPackages } from "./lib/prepare.mjs";
import { inWords, sum } from "./lib/results.mjs";
import { main, Stop, say } from "./lib/run.mjs";

const variants = {
  address: {
    sanitize: "address,undefined",
    env: {
      ASAN_OPTIONS: "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
      UBSAN_OPTIONS: "print_stacktrace=1:halt_on_error=1",
    },
  },
  thread: {
    sanitize: "thread",
    env: { TSAN_OPTIONS: "halt_on_error=0:second_deadlock_stack=1" },
  },
};

await main(async () => {
  await installPackages(["build", "test"]);
  const chosen = process.argv.slice(2);
  const counts = [];
  for (const [variant, options] of Object.entries(variants)) {
    if (chosen.length > 0 && !chosen.includes(variant)) continue;
    counts.push(...(await runNativeTests(variant, options)));
  }
  const total = sum(counts);
  say(`\n${inWords(total)}`);
  if (total.failed > 0) throw new Stop("");
});
