// @guest memory=768 limit=1800
// What a portal offers, with CHAP and without: nothing of it may stay in open-iscsi's database.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { discoverIscsiTargets, listAttachments } from "blockhaul";

import { must, scratch } from "../../support/guest/exec.mjs";
import { startIscsid } from "../../support/guest/host.mjs";
import { Lio } from "../../support/guest/iscsi-target.mjs";
import { leftovers } from "../../support/guest/leftovers.mjs";

const command = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const attachments = "/var/lib/blockhaul/attachments";
const portal = "127.0.0.1:3270";
const iqn = "iqn.2024-01.org.blockhaul.test:offered";
const secret = "discoverysecret1";
const mutualSecret = "targetssecret123";
const secretFile = `${scratch}/secret`;
const mutualFile = `${scratch}/mutual-secret`;
const authFolder = "/sys/kernel/config/target/iscsi/discovery_auth";

/** @param {Record<string, string>} values of LIO's discovery_auth */
function wantOfDiscoveries(values) {
  for (const [name, value] of Object.entries(values)) writeFileSync(`${authFolder}/${name}`, value);
}

/** @type {import("../../support/guest/exec.mjs").Daemon} */
let iscsid;
/** @type {Lio} */
let lio;
/** @type {import("../../support/guest/leftovers.mjs").Leftovers} */
let atFirst;

before(async () => {
  iscsid = await startIscsid();
  lio = await Lio.start();
  const size = 4 * 1024 * 1024;
  const backstore = lio.addFile({ name: "offered", file: `${scratch}/lun`, size });
  lio.addTarget({ iqn, portals: [portal, "127.0.0.2:3270"], luns: [{ backstore }] });
  writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
  writeFileSync(mutualFile, `${mutualSecret}\n`, { mode: 0o600 });
  atFirst = await leftovers({ attachments });
});

after(async () => {
  lio.stop();
  await iscsid.stop();
});

/** @param {() => Promise<void>} body */
const leavesNothing = (body) => async () => {
  await body();
  assert.deepEqual(await leftovers({ attachments }), atFirst);
  assert.deepEqual(await listAttachments(), []);
};

const offered = [
  {
    iqn,
    portals: [
      { host: "127.0.0.1", port: 3270 },
      { host: "127.0.0.2", port: 3270 },
    ],
  },
];

describe("a discovery", () => {
  it(
    "lists targets with their portals",
    leavesNothing(async () => {
      assert.deepEqual(await discoverIscsiTargets(portal), offered);
    }),
  );

  it(
    "of a closed portal is refused at once",
    leavesNothing(async () => {
      await assert.rejects(() => discoverIscsiTargets("127.0.0.1:3999"), {
        code: "ERR_UNREACHABLE",
      });
    }),
  );

  it(
    "is printed as refs, by the command",
    leavesNothing(async () => {
      const out = await must(process.execPath, [command, "targets", portal]);
      assert.equal(out, `iscsi://127.0.0.1:3270,127.0.0.2:3270/${iqn}/LUN\n`);
    }),
  );

  describe("where the portal asks who it is", () => {
    before(() => {
      wantOfDiscoveries({ userid: "me", password: secret, enforce_discovery_auth: "1" });
    });

    it(
      "fails without credentials",
      leavesNothing(async () => {
        await assert.rejects(() => discoverIscsiTargets(portal), { code: "ERR_AUTHENTICATION" });
      }),
    );

    it(
      "fails with wrong ones",
      leavesNothing(async () => {
        await assert.rejects(
          () => discoverIscsiTargets(portal, { user: "me", secretFile: mutualFile }),
          {
            code: "ERR_AUTHENTICATION",
          },
        );
      }),
    );

    it(
      "lists them with the right ones",
      leavesNothing(async () => {
        assert.deepEqual(await discoverIscsiTargets(portal, { user: "me", secretFile }), offered);
      }),
    );

    it(
      "lists them where both sides prove who they are",
      leavesNothing(async () => {
        wantOfDiscoveries({ userid_mutual: "portal", password_mutual: mutualSecret });
        const both = {
          user: "me",
          secretFile,
          targetUser: "portal",
          targetSecretFile: mutualFile,
        };
        assert.deepEqual(await discoverIscsiTargets(portal, both), offered);
      }),
    );

    it("leaves somebody's record as it is, and uses it only with the same credentials", async () => {
      await must("iscsiadm", ["-m", "discoverydb", "-t", "st", "-p", portal, "-o", "new"]);
      const file = "/etc/iscsi/send_targets/127.0.0.1,3270/st_config";
      const before = readFileSync(file, "utf8");
      await assert.rejects(() => discoverIscsiTargets(portal, { user: "me", secretFile }), {
        code: "ERR_IN_USE",
      });
      assert.equal(readFileSync(file, "utf8"), before);
      await must("iscsiadm", ["-m", "discoverydb", "-t", "st", "-p", portal, "-o", "delete"]);
      assert.deepEqual(await leftovers({ attachments }), atFirst);
    });
  });
});
