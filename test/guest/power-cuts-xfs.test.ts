import { testPowerCuts } from "../support/power-cuts.js";

testPowerCuts({ fileSystem: "xfs", cuts: 10 });
