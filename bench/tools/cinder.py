#!/usr/bin/python3
"""Copies as OpenStack Cinder does where no backend can do it itself (host-assisted migration).

    cinder.py '{"source": place, "target": place}'

cinder/volume/volume_utils.py, copy_volume() and _transfer_data(): read 4 MiB, write them, and again; at the end the target
is flushed. An image is a file object over librbd, a file or a device is opened in the ordinary way.
"""

import json
import os
import sys

CHUNK = 4 * 1024 * 1024


class Image:
    def __init__(self, place):
        import rados
        import rbd

        self.cluster = rados.Rados(conffile=place["conf"])
        self.cluster.connect()
        pool, _, name = place["path"].partition("/")
        self.pool = self.cluster.open_ioctx(pool)
        self.image = rbd.Image(self.pool, name)
        self.offset = 0

    def read(self, length):
        data = self.image.read(self.offset, min(length, self.image.size() - self.offset))
        self.offset += len(data)
        return data

    def write(self, data):
        self.image.write(data, self.offset)
        self.offset += len(data)

    def flush(self):
        self.image.flush()

    def close(self):
        self.image.close()
        self.pool.close()
        self.cluster.shutdown()


class Path:
    def __init__(self, place, writable):
        create = writable and place["kind"] == "file"
        self.file = open(place["path"], ("wb" if create else "r+b") if writable else "rb")
        self.read = self.file.read
        self.write = self.file.write

    def flush(self):
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self):
        self.file.close()


def opened(place, writable):
    return Image(place) if place["kind"] == "rbd" else Path(place, writable)


def main():
    wanted = json.loads(sys.argv[1])
    source = opened(wanted["source"], False)
    target = opened(wanted["target"], True)
    left = wanted["source"]["size"]
    while left > 0:
        data = source.read(min(CHUNK, left))
        target.write(data)
        left -= len(data)
    target.flush()
    source.close()
    target.close()


main()
