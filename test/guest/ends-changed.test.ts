import { testInGuest } from "../support/guest.js";

await testInGuest("ends-changed");
