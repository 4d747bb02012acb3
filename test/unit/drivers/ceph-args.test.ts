import { describe, expect, it } from "vitest";

import { cephConnection, parseCephArgs } from "../../../src/drivers/ceph-args.js";
import { parseRbdRef } from "../../../src/drivers/rbd-ref.js";

describe("parseCephArgs", () => {
  it.each([
    ["", {}],
    ["--id nova", { name: "client.nova" }],
    ["--id=nova", { name: "client.nova" }],
    ["--user nova", { name: "client.nova" }],
    ["-i nova", { name: "client.nova" }],
    ["-n client.nova", { name: "client.nova" }],
    ["--name=client.nova", { name: "client.nova" }],
    ["--id a -n client.b", { name: "client.b" }],
    ["--cluster backup -c /etc/b.conf", { cluster: "backup", conf: "/etc/b.conf" }],
    ["  --conf=/a=b  ", { conf: "/a=b" }],
    // Of no concern here; librados reads the rest itself.
    ["-k /keyring -m mon1 --debug-ms 1 --no-mon-config id", {}],
    ["--id", {}],
    ["constructor --toString", {}],
  ])("reads %j", (text, expected) => {
    expect(parseCephArgs(text)).toEqual(expected);
  });
});

describe("cephConnection", () => {
  const location = (options = "") => parseRbdRef(`rbd:disk${options}`);
  const CEPH_ARGS = "--id args --cluster args -c /args.conf";

  it("is what the ref says, then CEPH_ARGS, then CEPH_CONF, then the defaults", () => {
    expect(cephConnection(location(), {})).toEqual({
      cluster: "ceph",
      name: "client.admin",
      overrides: {},
    });
    expect(cephConnection(location(), { CEPH_CONF: "/env.conf" })).toMatchObject({
      conf: "/env.conf",
    });
    expect(cephConnection(location(), { CEPH_ARGS, CEPH_CONF: "/env.conf" })).toMatchObject({
      cluster: "args",
      name: "client.args",
      conf: "/args.conf",
    });
    const ref = location(":id=ref:cluster=ref:conf=/ref.conf:keyring=/ref.keyring");
    expect(cephConnection(ref, { CEPH_ARGS, CEPH_CONF: "/env.conf" })).toEqual({
      cluster: "ref",
      name: "client.ref",
      conf: "/ref.conf",
      overrides: { keyring: "/ref.keyring" },
    });
  });

  it("waits as long as the ref says, else as the environment does", () => {
    const env = { BLOCKHAUL_CEPH_TIMEOUT: "9" };
    expect(cephConnection(location(), env).overrides).toEqual({ client_mount_timeout: "9" });
    expect(cephConnection(location(":timeout=4"), env).overrides).toEqual({
      client_mount_timeout: "4",
    });
    expect(() => cephConnection(location(), { BLOCKHAUL_CEPH_TIMEOUT: "x" })).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }),
    );
  });
});
