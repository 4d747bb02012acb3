import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { installWithApt } from "./apt.mjs";
import { buildNative, buildTypeScript, nativeStamp, typeScriptStamp } from "./builds.mjs";
import { packageGroups } from "./packages.mjs";
import { withProgress } from "./progress.mjs";
import { exitMissing, npm, root, Stop, say, tryRun } from "./run.mjs";

/** @typedef {import("./packages.mjs").PackageGroup} PackageGroup */

/**
 * Makes this checkout ready: Debian packages, node_modules, the addon and dist/. Does only what is not done
 * yet, so that it may stand at the start of everything. Uses nothing from node_modules.
 *
 * @param {readonly PackageGroup[]} groups
 */
export async function prepare(groups) {
  await installPackages(groups);
  await installModules();
  if (!nativeStamp.isFresh()) await buildNative();
  if (!typeScriptStamp.isFresh()) await buildTypeScript();
}

/**
 * Installs what is missing of the groups where that is allowed (root, apt-get).
 *
 * @param {readonly PackageGroup[]} groups
 * @throws {Stop} exit 8, with the line to run, where it is not
 */
export async function installPackages(groups) {
  const wanted = new Map(groups.flatMap((group) => packageGroups[group]));
  const installed = await installedPackages();
  if (!installed) {
    say(`note: no dpkg here; this is needed under whatever name: ${[...wanted.keys()].join(" ")}`);
    return;
  }
  const missing = [...wanted].filter(([name]) => !installed.has(name));
  if (missing.length === 0) return;

  const names = missing.map(([name]) => name);
  const mayInstall =
    process.getuid?.() === 0 &&
    (await tryRun("apt-get", ["--version"], { capture: true })).status === 0;
  say(mayInstall ? "Installing Debian packages:" : "These Debian packages are missing:");
  for (const [name, reason] of missing) say(`  ${name.padEnd(24)} ${reason}`);
  if (!mayInstall) {
    const install = `sudo apt-get install --no-install-recommends -y ${names.join(" ")}`;
    throw new Stop(
      `\nInstall them, then run this again:\n\n  sudo apt-get update && ${install}\n`,
      exitMissing,
    );
  }
  await installWithApt(names);
}

/** @returns {Promise<Set<string> | undefined>} undefined where there is no dpkg */
async function installedPackages() {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own form
  const format = "${db:Status-Status} ${Package}\n";
  const { status, output } = await tryRun("dpkg-query", ["-W", `-f=${format}`], { capture: true });
  if (status === 127) return undefined;
  const lines = output.split("\n").filter((line) => line.startsWith("installed "));
  return new Set(lines.map((line) => line.slice("installed ".length)));
}

/** Runs `npm ci` unless node_modules holds what package-lock.json says. */
export async function installModules() {
  if (modulesMatchLock()) return;
  await withProgress("Installing node modules (npm ci: some 40 MB, 10 s to a minute)", () =>
    npm("ci"),
  );
}

function modulesMatchLock() {
  /** What npm itself wrote down when it last installed. */
  const hidden = path.join(root, "node_modules", ".package-lock.json");
  if (!existsSync(hidden)) return false;
  const installed = packagesOf(hidden);
  return Object.entries(packagesOf(path.join(root, "package-lock.json"))).every(
    ([folder, entry]) =>
      folder === "" || entry.optional || installed[folder]?.version === entry.version,
  );
}

/**
 * @param {string} lockFile
 * @returns {Record<string, { version?: string, optional?: boolean } | undefined> & Record<string, { version?: string, optional?: boolean }>}
 */
function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, "utf8")).packages ?? {};
}
