import { testInGuest } from "../support/guest.js";

await testInGuest("migrate-kills");
