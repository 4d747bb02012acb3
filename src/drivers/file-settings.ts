import * as v from "valibot";

/** What a backend of image files may say. */
export const fileSettings = v.strictObject({
  directory: v.pipe(v.string(), v.startsWith("/", "must be an absolute path")),
});
