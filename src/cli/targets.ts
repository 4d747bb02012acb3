import { discoverIscsiTargets } from "../index.js";
import type { CommandRun } from "./command.js";
import type { targetsOptions } from "./command-options.js";

export const runTargets: CommandRun<typeof targetsOptions> = async (
  [portal = ""],
  options,
  { stdout },
) => {
  const { user, secretFile, targetUser, targetSecretFile } = options;
  const targets = await discoverIscsiTargets(portal, {
    user,
    secretFile,
    targetUser,
    targetSecretFile,
  });
  for (const { iqn, portals } of targets) {
    const places = portals.map(({ host, port }) =>
      host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    );
    if (options.json) stdout.json({ type: "target", iqn, portals: places });
    else stdout.line(`iscsi://${places.join(",")}/${iqn}/LUN`);
  }
  if (targets.length === 0 && !options.json && !options.quiet) {
    stdout.line(`${portal} offers no target to this host`);
  }
  return 0;
};
