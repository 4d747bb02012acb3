import { testPowerCuts } from "../support/power-cuts.js";

testPowerCuts({ fileSystem: "ext4", cuts: 10 });
