#!/usr/bin/python3
"""Prints the digest of a volume, computed without any of blockhaul's code.

    volume_digest.py xxh3|sha256 FILE

FILE is an image file or a block device. The digest is a tree (native/core/digest.h):

    leaf digest   = H(64 KiB of the volume)              the last leaf may be shorter
    chunk digest  = H(the leaf digests of 4 MiB)
    volume digest = H(size as 8 bytes, little endian, then all chunk digests)

Needs python3-xxhash for xxh3.
"""

import hashlib
import sys

LEAF = 64 * 1024
CHUNK = 4 * 1024 * 1024


def hash_of(kind):
    if kind == "sha256":
        return hashlib.sha256
    if kind == "xxh3":
        import xxhash

        return xxhash.xxh3_128
    raise SystemExit(f"unknown digest: {kind} (say xxh3 or sha256)")


def volume_digest(kind, volume):
    new = hash_of(kind)
    size = 0
    chunks = []
    while chunk := read_fully(volume, CHUNK):
        size += len(chunk)
        leaves = [new(chunk[at : at + LEAF]).digest() for at in range(0, len(chunk), LEAF)]
        chunks.append(new(b"".join(leaves)).digest())
    return new(size.to_bytes(8, "little") + b"".join(chunks)).hexdigest()


def read_fully(volume, length):
    parts = []
    while length > 0 and (part := volume.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__.strip())
    kind, path = sys.argv[1:]
    with open(path, "rb", buffering=0) as volume:
        print(f"{kind}:{volume_digest(kind, volume)}")


if __name__ == "__main__":
    main()
