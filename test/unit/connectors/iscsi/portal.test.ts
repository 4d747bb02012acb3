import { describe, expect, it, vi } from "vitest";

import { firstThatAnswers, resolvePortal } from "../../../../src/connectors/iscsi/portal.js";
import { BlockhaulError } from "../../../../src/errors.js";

const lookup = vi.hoisted(() => vi.fn());
vi.mock("node:dns/promises", () => ({ lookup }));

const at = (host: string) => ({ host, port: 3260 });
const addresses = [at("10.0.0.1"), at("10.0.0.2"), at("10.0.0.3")];
const unreachable = (host: string) =>
  new BlockhaulError("ERR_UNREACHABLE", { message: `the portal ${host} does not answer` });
const isOfOne = ({ code }: BlockhaulError) => code === "ERR_UNREACHABLE";

it("a name leads to all of its addresses, each once", async () => {
  lookup.mockResolvedValueOnce(
    ["10.0.0.1", "fd00::1", "10.0.0.1"].map((address) => ({ address, family: 4 })),
  );
  expect(await resolvePortal(at("san"))).toEqual([at("10.0.0.1"), at("fd00::1")]);
  expect(lookup).toHaveBeenCalledWith("san", { all: true });
  lookup.mockRejectedValueOnce(new Error("ENOTFOUND"));
  await expect(resolvePortal(at("nowhere"))).rejects.toMatchObject({ code: "ERR_UNREACHABLE" });
});

describe("of several addresses", () => {
  it("each is asked until one answers", async () => {
    const asked: string[] = [];
    const answer = await firstThatAnswers(
      addresses,
      async ({ host }) => {
        asked.push(host);
        if (host !== "10.0.0.2") throw unreachable(host);
        return host;
      },
      isOfOne,
    );
    expect([answer, asked]).toEqual(["10.0.0.2", ["10.0.0.1", "10.0.0.2"]]);
  });

  it("none is asked after a failure that is not the address's", async () => {
    const ask = vi.fn(async () => {
      throw new BlockhaulError("ERR_AUTHENTICATION", { message: "no" });
    });
    await expect(firstThatAnswers(addresses, ask, isOfOne)).rejects.toMatchObject({
      code: "ERR_AUTHENTICATION",
    });
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it("all are named where none works", async () => {
    const ask = async ({ host }: { host: string }) => {
      throw unreachable(host);
    };
    await expect(firstThatAnswers(addresses, ask, isOfOne)).rejects.toMatchObject({
      code: "ERR_UNREACHABLE",
      message: expect.stringMatching(/none of its 3 addresses works: .*1 .*; .*2 .*; .*3 /),
    });
    await expect(firstThatAnswers([at("10.0.0.9")], ask, isOfOne)).rejects.toMatchObject({
      message: "the portal 10.0.0.9 does not answer",
    });
  });
});
