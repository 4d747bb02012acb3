import inspector from "node:inspector";
import { afterEach, describe, expect, it, vi } from "vitest";

import { closeDebugger, ProgressRequests } from "../../../src/cli/progress-requests.js";

afterEach(() => {
  process.removeAllListeners("SIGUSR1");
  vi.restoreAllMocks();
});

/** As if the signal had come. */
const ask = () => process.emit("SIGUSR1", "SIGUSR1");

describe("SIGUSR1", () => {
  it("is answered by what is under way, else by what is said otherwise", () => {
    const requests = new ProgressRequests();
    const said: string[] = [];
    ask();
    requests.otherwise = () => said.push("nothing");
    ask();
    const stop = requests.answerBy(() => said.push("copy"));
    ask();
    stop();
    ask();
    expect(said).toEqual(["nothing", "copy", "nothing"]);
  });

  it("is answered by the last that began, whichever ends first", () => {
    const requests = new ProgressRequests();
    const said: string[] = [];
    const stopFirst = requests.answerBy(() => said.push("first"));
    requests.answerBy(() => said.push("second"));
    stopFirst();
    ask();
    expect(said).toEqual(["second"]);
  });

  it("has a handler for good: nothing that ends takes it away", () => {
    const requests = new ProgressRequests();
    requests.answerBy(() => {})();
    expect(process.listenerCount("SIGUSR1")).toBe(1);
  });
});

describe("the debugger's port", () => {
  it("that a signal opened is closed at once", () => {
    vi.spyOn(process, "execArgv", "get").mockReturnValue([]);
    inspector.open(0, "127.0.0.1");
    expect(inspector.url()).toBeDefined();
    new ProgressRequests();
    expect(inspector.url()).toBeUndefined();
  });

  it("that somebody asked for stays", () => {
    vi.spyOn(process, "execArgv", "get").mockReturnValue(["--inspect=0"]);
    inspector.open(0, "127.0.0.1");
    closeDebugger();
    expect(inspector.url()).toBeDefined();
    inspector.close();
  });
});
