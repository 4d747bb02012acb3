import { expect, it } from "vitest";

import { redact } from "../../src/redact.js";

const CEPHX = "AQBSdFRfAAAAABAAkCvSiLNQ5p5jYnJUWzZzZA==";

it.each([
  [`rbd:a/b:key=${CEPHX}`, "rbd:a/b:key=***"],
  ["key = sesame; next", "key = ***; next"],
  ["password='open sesame'", "password=***"],
  ["iscsi://user%secret@host/iqn/1", "iscsi://user%***@host/iqn/1"],
  ["iscsi://user%se/c@ret@host/iqn/1", "iscsi://user%***@host/iqn/1"],
  ["iscsi://user@example.org%secret@host/iqn/1", "iscsi://user@example.org%***@host/iqn/1"],
  ["iscsi://user:se/cret@host/iqn/1 failed", "iscsi://user:***@host/iqn/1 failed"],
  ["iscsi://h/iqn/1?secret=sesame", "iscsi://h/iqn/1?secret=***"],
  ["iscsi://h/iqn/1?target_password=sesame", "iscsi://h/iqn/1?target_password=***"],
  ["BLOCKHAUL_CHAP_SECRET=sesame", "BLOCKHAUL_CHAP_SECRET=***"],
  [
    'node.session.auth.password = open, "sesame"\nnode.x = y',
    "node.session.auth.password = ***\nnode.x = y",
  ],
  ["discovery.sendtargets.auth.password_in = a b", "discovery.sendtargets.auth.password_in = ***"],
  [
    "-n node.session.auth.password_in -v sesame -o x",
    "-n node.session.auth.password_in -v *** -o x",
  ],
  ['"node.session.auth.password","-v","sesame"', '"node.session.auth.password","-v","***"'],
  ["https://user:secret@host/", "https://user:***@host/"],
  ["key=***sesame", "key=***"],
  ["key=*** key=sesame", "key=*** key=***"],
  ['{"key": "sesame"}', '{"key": "***"}'],
  ["--key sesame --id x", "--key *** --id x"],
  [`found ${CEPHX} there`, "found *** there"],
  [`${CEPHX}, ${CEPHX} and ${CEPHX}`, "***, *** and ***"],
  ["--key sesame --secret open key=x password=y", "--key *** --secret *** key=*** password=***"],
])("%s becomes %s", (text, redacted) => {
  expect(redact(text)).toBe(redacted);
  expect(redact(redacted)).toBe(redacted);
});

it.each([
  "rbd:a/b:key=***: holds a secret",
  "key = *** (hidden)",
  "rbd:a/b:keyring=/etc/ceph/keyring",
  "keyfile=/etc/ceph/secret",
  "a wrong key: permission denied",
  "monkey=7",
  "/images/AQ/disk.img",
  "rbd:pool/image@snap:id=admin",
  "http://host:80/path@x",
  "iscsi://user@host:3260,[::1]:3261/iqn.2026-01.test:a/1?secret-file=/etc/s&size=4MiB",
  "node.session.auth.username = nova",
  "user@host and iscsi://host:3260/iqn.2026-01.test:a/1 of user@host",
])("%s stays as it is", (text) => {
  expect(redact(text)).toBe(text);
});
