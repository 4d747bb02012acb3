import { testInGuest } from "../support/guest.js";

await testInGuest("lvm-states");
