import { homedir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";

import { stateDirectory } from "../../../src/system/state-directory.js";

const asUser = (uid: number) => vi.spyOn(process, "getuid").mockReturnValue(uid);

afterEach(() => vi.restoreAllMocks());

describe("the state directory", () => {
  it("is what BLOCKHAUL_STATE_DIR says, whoever asks", () => {
    for (const uid of [0, 1000]) {
      asUser(uid);
      expect(stateDirectory({ BLOCKHAUL_STATE_DIR: "/srv/state", XDG_STATE_HOME: "/x" })).toBe(
        "/srv/state",
      );
      expect(stateDirectory({ BLOCKHAUL_STATE_DIR: "state/../here" })).toBe(path.resolve("here"));
    }
  });

  it("is root's own in /var/lib", () => {
    asUser(0);
    expect(stateDirectory({})).toBe("/var/lib/blockhaul");
    expect(stateDirectory({ BLOCKHAUL_STATE_DIR: "", XDG_STATE_HOME: "/x" })).toBe(
      "/var/lib/blockhaul",
    );
  });

  it("is a user's own by the XDG rules, where a relative path counts as none", () => {
    asUser(1000);
    expect(stateDirectory({ XDG_STATE_HOME: "/x" })).toBe("/x/blockhaul");
    const own = path.join(homedir(), ".local/state/blockhaul");
    expect(stateDirectory({})).toBe(own);
    expect(stateDirectory({ XDG_STATE_HOME: "x" })).toBe(own);
    expect(stateDirectory({ XDG_STATE_HOME: "" })).toBe(own);
  });
});
