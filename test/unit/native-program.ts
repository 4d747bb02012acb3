/** What native.test.ts bundles: opens a volume, and says how that went. */
import { openVolume } from "../../src/index.js";

openVolume("zero:4096").then(
  (volume) => console.log(JSON.stringify({ opened: volume.size })),
  (error) => console.log(JSON.stringify(error)),
);
