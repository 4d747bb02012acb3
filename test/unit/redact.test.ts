import { expect, it } from "vitest";

import { redact } from "../../src/redact.js";

const CEPHX = "AQBSdFRfAAAAABAAkCvSiLNQ5p5jYnJUWzZzZA==";

it.each([
  [`rbd:a/b:key=${CEPHX}`, "rbd:a/b:key=***"],
  ["key = sesame; next", "key = ***; next"],
  ["password='open sesame'", "password=***"],
  ["iscsi://user%secret@host/iqn/1", "iscsi://user%***@host/iqn/1"],
  ["https://user:secret@host/", "https://user:***@host/"],
  ['{"key": "sesame"}', '{"key": "***"}'],
  ["--key sesame --id x", "--key *** --id x"],
  [`found ${CEPHX} there`, "found *** there"],
])("%s becomes %s", (text, redacted) => {
  expect(redact(text)).toBe(redacted);
});

it.each([
  "rbd:a/b:keyring=/etc/ceph/keyring",
  "keyfile=/etc/ceph/secret",
  "a wrong key: permission denied",
  "monkey=7",
  "/images/AQ/disk.img",
  "rbd:pool/image@snap:id=admin",
  "http://host:80/path@x",
])("%s stays as it is", (text) => {
  expect(redact(text)).toBe(text);
});
