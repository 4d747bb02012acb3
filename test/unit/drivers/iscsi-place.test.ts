import { describe, expect, it } from "vitest";

import { iscsiPlaces } from "../../../src/drivers/iscsi-place.js";
import { formatIscsiRef } from "../../../src/drivers/iscsi-ref.js";

const IQN = "iqn.2024-01.org.example:disks";

async function placeOf(settings: object) {
  const result = await iscsiPlaces.settings["~standard"].validate(settings);
  if (result.issues !== undefined) throw new Error(JSON.stringify(result.issues));
  return result.value;
}

async function issuesOf(settings: object): Promise<string[]> {
  const { issues = [] } = await iscsiPlaces.settings["~standard"].validate(settings);
  return issues.map(({ message, path = [] }) => {
    const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
    return `${keys.join(".")}: ${message}`;
  });
}

describe("a place behind iSCSI portals", () => {
  it("has the LUNs of its target as volumes", async () => {
    const place = await placeOf({
      portals: ["10.0.0.1", "[FD00::1]:3261"],
      iqn: IQN,
      chap: { user: "me", secretFile: "/etc/san1", targetUser: "san", targetSecretFile: "/etc/t" },
      timeouts: { loginSeconds: 5, replacementSeconds: -1 },
    });
    expect(formatIscsiRef(iscsiPlaces.locate(place, "5"))).toBe(
      `iscsi://me@10.0.0.1,[fd00::1]:3261/${IQN}/5?secret-file=/etc/san1&target-user=san&target-secret-file=/etc/t&replacement-timeout=-1&login-timeout=5`,
    );
  });

  it("without an iqn has those of all targets", async () => {
    const place = await placeOf({ portals: ["storage-1"] });
    const location = iscsiPlaces.locate(place, `${IQN}/0`);
    expect(formatIscsiRef(location)).toBe(`iscsi://storage-1/${IQN}/0`);
    expect(Object.keys(location).sort()).toEqual(["iqn", "lun", "portals"]);
  });

  it.each([
    [{ portals: ["a"], iqn: IQN }, ["", "x", "-1", "16384", "1/2", `${IQN}/1`, "1?serial=2"]],
    [{ portals: ["a"] }, ["1", `${IQN}`, `${IQN}/1/2`, `${IQN}/x`, "iqn.x/1", "/1"]],
  ])("of %j has no other names", async (settings, names) => {
    const place = await placeOf(settings);
    for (const name of names) {
      expect(() => iscsiPlaces.locate(place, name), name).toThrowError(
        expect.objectContaining({ code: "ERR_INVALID_REF" }),
      );
    }
  });

  it.each([
    [{}, /^portals: /],
    [{ portals: [] }, /^portals: has no portal$/],
    [{ portals: ["a", "A:3260"] }, /^portals: has a portal twice$/],
    [{ portals: ["a:0"] }, /^portals\.0: the portal has no port/],
    [{ portals: ["a"], iqn: "IQN" }, /^iqn: begins with none of/],
    [{ portals: ["a"], chap: { user: "-x" } }, /^chap\.user: begins with a dash$/],
    [{ portals: ["a"], chap: {} }, /^chap\.user: /],
    [{ portals: ["a"], chap: { user: "a", secretFile: "x" } }, /^chap\.secretFile: must be an abs/],
    [{ portals: ["a"], chap: { user: "a", targetSecretFile: "/x" } }, /^chap: .*no targetUser$/],
    [{ portals: ["a"], timeouts: { loginSeconds: 0 } }, /^timeouts\.loginSeconds: is no whole/],
    [{ portals: ["a"], timeouts: { noopTimeoutSeconds: 1.5 } }, /^timeouts\.noopTimeoutSeconds: /],
    [{ portals: ["a"], lun: 1 }, /^lun: /],
  ])("cannot be %j", async (settings, words) => {
    const issues = await issuesOf(settings);
    expect(issues).toEqual([expect.stringMatching(words)]);
  });
});
