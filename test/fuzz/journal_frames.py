"""Puts journals together, with right checksums: native/copy/journal_format.h. A line of JSON in, a line of hex out."""

import json
import struct
import sys

import xxhash

for line in sys.stdin:
    journal = json.loads(line)
    salt = journal["salt"]
    file = b"bhjrnl01" + struct.pack("<Q", int(salt))
    for kind, text in journal["frames"]:
        payload = bytes.fromhex(text)
        head = struct.pack("<II", len(payload), kind)
        seed = int(salt) ^ (len(file) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
        checksum = xxhash.xxh3_64_intdigest(head + payload, seed)
        file += head + struct.pack("<Q", checksum) + payload
    print(file.hex(), flush=True)
