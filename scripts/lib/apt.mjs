import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";

import { Progress } from "./progress.mjs";
import { run, say, tryRun } from "./run.mjs";

const quietly = { env: { DEBIAN_FRONTEND: "noninteractive" }, capture: true };

/**
 * Installs packages as root, and says how much there is to fetch and how far it is. Their services are not started, and
 * not enabled for the next start: tests start what they need themselves, in a guest or a folder of their own.
 *
 * @param {readonly string[]} names
 */
export async function installWithApt(names) {
  say("Reading package lists (apt-get update)");
  await run("apt-get", ["update", "-qq"], quietly);
  const install = ["install", "-y", "--no-install-recommends", ...names];
  const { output: plan } = await tryRun("apt-get", ["--simulate", "-q=0", ...install], quietly);
  const { output: sizes } = await tryRun(
    "apt-get",
    ["--assume-no", ...install.filter((word) => word !== "-y")],
    quietly,
  );
  // What is only upgraded has its old version in brackets there: its services are its owner's.
  const added = [...plan.matchAll(/^Inst (\S+) \(/gm)].map(([, name = ""]) => name);
  const [, fetched = "an unknown amount"] = /Need to get (.+?) of archives/.exec(sizes) ?? [];
  const [, used = "an unknown amount"] = /operation, (.+?) of additional/.exec(sizes) ?? [];
  say(
    `${added.length} packages with what they need: ${fetched} to fetch, ${used} on disk, 1 to 5 minutes. Services are not started.`,
  );

  let percent = 0;
  const progress = new Progress(() => `packages: ${percent} %`);
  const enableNothing = refuseServices();
  try {
    await run("apt-get", ["-qq", "-o", "APT::Status-Fd=3", ...install], {
      ...quietly,
      // Its lines: dlstatus:NUMBER:PERCENT:TEXT while it fetches, pmstatus:PACKAGE:PERCENT:TEXT while it installs.
      onStatus: (text) => {
        for (const [, kind, part = "0"] of text.matchAll(/^(dl|pm)status:[^:]*:([\d.]+):/gm)) {
          percent = Math.round(Number(part) / 2) + (kind === "pm" ? 50 : 0);
        }
      },
    });
  } finally {
    progress.end();
    enableNothing();
  }
  await disableServices(added);
}

const policyFile = "/usr/sbin/policy-rc.d";

/**
 * Debian's way to install a service without starting it: a script that its maintainer scripts ask.
 *
 * @returns {() => void} takes it away again
 */
function refuseServices() {
  // Somebody else has decided that.
  if (existsSync(policyFile)) return () => {};
  const script =
    "#!/bin/sh\n# While blockhaul's tests install their packages. 101: not allowed.\nexit 101\n";
  writeFileSync(policyFile, script, { mode: 0o755 });
  return () => {
    if (readFileSync(policyFile, "utf8") === script) rmSync(policyFile);
  };
}

/** @param {readonly string[]} packages that were not there before */
async function disableServices(packages) {
  const { output } = await tryRun("dpkg-query", ["--listfiles", ...packages], { capture: true });
  const files = output.matchAll(
    /^(?:\/usr)?\/lib\/systemd\/system\/([^/@\n]+\.(?:service|socket|timer|path|target))$/gm,
  );
  const units = [...new Set([...files].map(([, unit = ""]) => unit))];
  if (units.length === 0) return;
  // Where there is no systemd, nothing would start them.
  const env = { SYSTEMCTL_SKIP_SYSV: "1" };
  await tryRun("systemctl", ["disable", "--quiet", ...units], { env, capture: true });
}
