import { testPowerCuts } from "../support/power-cuts.js";

testPowerCuts({ fileSystem: "xfs", rounds: 1 });
