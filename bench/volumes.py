#!/usr/bin/python3
"""Prepares and judges volumes, without any of blockhaul's code.

    volumes.py load    '{"original": path, "place": …}'  gives an empty volume a file's bytes, holes left out
    volumes.py compare '{"original": path, "place": …}'  exit 1 where a volume's bytes are not the file's
    volumes.py flip    '{"place": …, "seed": n}'         changes one byte, somewhere
    volumes.py fill    '{"place": …, "seed": n}'         fills a volume with bytes that are like no source's

`compare` reads where either of the two holds data, by SEEK_DATA or by librbd's own diff: what both say is a hole is
zero in both. So a volume of 64 GiB with 128 MiB in it is compared as fast as these are read.
"""

import json
import os
import random
import sys

PIECE = 4 * 1024 * 1024
IN_FLIGHT = 16


class PathVolume:
    def __init__(self, path, writable):
        self.fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        self.size = os.lseek(self.fd, 0, os.SEEK_END)

    def read(self, offset, length):
        return os.pread(self.fd, length, offset)

    def write(self, offset, data):
        os.pwrite(self.fd, data, offset)

    def data(self):
        position = 0
        while position < self.size:
            try:
                begin = os.lseek(self.fd, position, os.SEEK_DATA)
            except OSError:  # ENXIO: holes up to the end
                return
            position = os.lseek(self.fd, begin, os.SEEK_HOLE)
            yield begin, min(position, self.size)

    def close(self):
        os.fsync(self.fd)
        os.close(self.fd)


class ImageVolume:
    def __init__(self, place, writable):
        import rados
        import rbd

        self.cluster = rados.Rados(conffile=place["conf"])
        self.cluster.connect()
        pool, _, name = place["path"].partition("/")
        self.pool = self.cluster.open_ioctx(pool)
        self.image = rbd.Image(self.pool, name, read_only=not writable)
        self.size = self.image.size()
        self.writable = writable
        self.under_way = []

    def read(self, offset, length):
        return self.image.read(offset, length)

    def write(self, offset, data):
        self.under_way.append(self.image.aio_write(data, offset, lambda completion: None))
        if len(self.under_way) >= IN_FLIGHT:
            self.wait()

    def wait(self):
        for completion in self.under_way:
            completion.wait_for_complete_and_cb()
            if completion.get_return_value() < 0:
                raise OSError(-completion.get_return_value(), "aio_write")
        self.under_way.clear()

    def data(self):
        # The object map knows at once which objects there are; only these are asked what they hold.
        objects = self.changed(0, self.size, True)
        return [part for begin, end in united(objects) for part in self.changed(begin, end, False)]

    def changed(self, begin, end, whole_objects):
        found = []
        note = lambda at, length, exists: found.append((at, at + length)) if exists else None
        self.image.diff_iterate(begin, end - begin, None, note, True, whole_objects)
        return found

    def close(self):
        self.wait()
        if self.writable:
            self.image.flush()
        self.image.close()
        self.pool.close()
        self.cluster.shutdown()


def opened(place, writable=False):
    if place["kind"] == "rbd":
        return ImageVolume(place, writable)
    return PathVolume(place["path"], writable)


def united(ranges):
    """Ranges [begin, end) in order, joined where they touch."""
    joined = []
    for begin, end in sorted(ranges):
        if joined and begin <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    return joined


def pieces(ranges):
    for begin, end in ranges:
        while begin < end:
            step = min(PIECE, end - begin)
            yield begin, step
            begin += step


def load(wanted):
    original = PathVolume(wanted["original"], False)
    volume = opened(wanted["place"], True)
    for offset, length in pieces(original.data()):
        volume.write(offset, original.read(offset, length))
    volume.close()


def compare(wanted):
    original = PathVolume(wanted["original"], False)
    volume = opened(wanted["place"])
    if volume.size != original.size:
        raise SystemExit(f"DIFFERS: {volume.size} bytes in place of {original.size}")
    for offset, length in pieces(united([*original.data(), *volume.data()])):
        if original.read(offset, length) != volume.read(offset, length):
            raise SystemExit(f"DIFFERS within [{offset}, {offset + length})")


def flip(wanted):
    volume = opened(wanted["place"], True)
    offset = random.Random(wanted["seed"]).randrange(volume.size)
    volume.write(offset, bytes([volume.read(offset, 1)[0] ^ 0xFF]))
    volume.close()


def fill(wanted):
    volume = opened(wanted["place"], True)
    content = random.Random(wanted["seed"]).randbytes(PIECE)
    for offset, length in pieces([(0, volume.size)]):
        volume.write(offset, content[:length])
    volume.close()


VERBS = {"load": load, "compare": compare, "flip": flip, "fill": fill}
VERBS[sys.argv[1]](json.loads(sys.argv[2]))
