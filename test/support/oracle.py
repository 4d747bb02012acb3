#!/usr/bin/python3
"""Prepares and judges volumes for the end-to-end tests, without any of blockhaul's code.

    oracle.py [CEPH_CONF POOL]

Reads one JSON array [function, {argument: value}] a line and answers each with a line: {"result": …} or
{"error": "…"}. A volume is {"path": …}, an image file or a block device, or {"image": …, "snapshot": …} of the pool.

Needs python3-rbd where a cluster is named.
"""

import contextlib
import errno
import json
import os
import random
import sys

import volume_digest

PIECE = 4 * 1024 * 1024


class PathVolume:
    def __init__(self, path, writable):
        self.fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        self.size = os.lseek(self.fd, 0, os.SEEK_END)

    def read(self, offset, length):
        parts = []
        while length > 0 and (part := os.pread(self.fd, length, offset)):
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def write(self, offset, data):
        while data:
            done = os.pwrite(self.fd, data, offset)
            offset += done
            data = data[done:]

    def zero(self, offset, length):
        self.write(offset, bytes(length))

    def data(self):
        """Where it is not a hole."""
        position = 0
        while position < self.size:
            try:
                begin = os.lseek(self.fd, position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                raise
            position = os.lseek(self.fd, begin, os.SEEK_HOLE)
            yield begin, min(position, self.size) - begin

    def close(self):
        os.fsync(self.fd)
        os.close(self.fd)


class ImageVolume:
    def __init__(self, image, snapshot, writable):
        self.image = rbd.Image(pool, image, snapshot, read_only=not writable)
        self.size = self.image.size()
        self.under_way = []

    def read(self, offset, length):
        return self.image.read(offset, length)

    def write(self, offset, data):
        self.under_way.append(self.image.aio_write(data, offset, lambda completion: None))
        if len(self.under_way) >= 64:
            self.wait()

    def zero(self, offset, length):
        self.wait()
        self.image.write_zeroes(offset, length)

    def wait(self):
        for completion in self.under_way:
            completion.wait_for_complete_and_cb()
            if (result := completion.get_return_value()) < 0:
                raise OSError(-result, os.strerror(-result))
        self.under_way.clear()

    def data(self):
        """Where it, or its parent, has data. librbd needs object-aligned windows to tell the truth."""
        found = []
        step = 1024 * PIECE
        for begin in range(0, self.size, step):
            length = min(step, self.size - begin)
            note = lambda offset, size, exists: found.append((offset, size)) if exists else None
            self.image.diff_iterate(begin, length, None, note, True, False)
        return sorted(found)

    def close(self):
        self.wait()
        self.image.close()


@contextlib.contextmanager
def opened(volume, writable=False):
    if "path" in volume:
        instance = PathVolume(volume["path"], writable)
    else:
        instance = ImageVolume(volume["image"], volume.get("snapshot"), writable)
    try:
        yield instance
    finally:
        instance.close()


def pieces(offset, length):
    end = offset + length
    while offset < end:
        step = min(PIECE, end - offset)
        yield offset, step
        offset += step


def create(image, size, order=22, features=None, stripe_unit=0, stripe_count=0):
    bits = rbd.RBD_FEATURE_LAYERING if features == "layering" else None
    rbd.RBD().create(
        pool, image, size, order, False, bits, stripe_unit=stripe_unit, stripe_count=stripe_count
    )


def clone(parent, snapshot, image):
    rbd.RBD().clone(pool, parent, snapshot, pool, image)


def change(image, steps):
    """Does steps [name, …] to an image, one after the other."""
    with rbd.Image(pool, image) as handle:
        for name, *arguments in steps:
            CHANGES[name](handle, *arguments)


def write_bytes(handle, offset, length, seed):
    handle.write(random.Random(seed).randbytes(length), offset)


def map_objects(handle, enabled):
    """An object map that is switched on later is not valid until it is built."""
    features = [rbd.RBD_FEATURE_OBJECT_MAP, rbd.RBD_FEATURE_FAST_DIFF]
    wanted = [rbd.RBD_FEATURE_EXCLUSIVE_LOCK, *features] if enabled else reversed(features)
    for feature in wanted:
        if bool(handle.features() & feature) != enabled:
            handle.update_features(feature, enabled)


CHANGES = {
    "write": write_bytes,
    "write zeros": lambda handle, offset, length: handle.write(bytes(length), offset),
    "zero": lambda handle, offset, length: handle.write_zeroes(offset, length),
    "discard": lambda handle, offset, length: handle.discard(offset, length),
    "snapshot": lambda handle, name: handle.create_snap(name),
    "remove snapshot": lambda handle, name: handle.remove_snap(name),
    "roll back": lambda handle, name: handle.rollback_to_snap(name),
    "resize": lambda handle, size: handle.resize(size),
    "flatten": lambda handle: handle.flatten(),
    "map objects": map_objects,
}


def fill(volume, byte, length=None):
    """Writes a byte over all of a volume, or its first bytes."""
    with opened(volume, True) as target:
        length = target.size if length is None else length
        for offset, step in pieces(0, length):
            target.write(offset, bytes([byte]) * step)


def write(volume, content, data=(), zeroes=()):
    """Writes ranges [offset, length] of a file to the same places; zeroes others in the volume's own way."""
    with opened(volume, True) as target, opened({"path": content}) as source:
        for offset, length in data:
            target.write(offset, source.read(offset, length))
        for offset, length in zeroes:
            target.zero(offset, length)


def compare(volume, content, size, tail):
    """None where a volume of `size` bytes holds a file's bytes, and behind them nothing but the byte `tail`."""
    with opened(volume) as target, opened({"path": content}) as source:
        if target.size != size:
            return f"it has {target.size} bytes, not {size}"
        for offset, step in pieces(0, size):
            inside = max(0, min(step, source.size - offset))
            wanted = source.read(offset, inside) + bytes([tail]) * (step - inside)
            if difference := first_difference(target.read(offset, step), wanted, offset):
                return difference
    return None


def compare_sparse(volume, other):
    """None where two volumes of one size hold the same; reads only where either has data."""
    with opened(volume) as a, opened(other) as b:
        if a.size != b.size:
            return f"{a.size} and {b.size} bytes"
        for begin, length in [*a.data(), *b.data()]:
            for offset, step in pieces(begin, length):
                if difference := first_difference(a.read(offset, step), b.read(offset, step), offset):
                    return difference
    return None


def first_difference(found, wanted, offset):
    if found == wanted:
        return None
    if len(found) != len(wanted):
        return f"{len(found)} bytes at {offset}, not {len(wanted)}"
    places = [i for i in range(len(found)) if found[i] != wanted[i]]
    first, last = places[0], places[-1]
    return (
        f"{len(places)} bytes differ from {offset + first} to {offset + last}; "
        f"the first is {found[first]:#04x}, not {wanted[first]:#04x}"
    )


def digest(kind, volume):
    """The digest that a copy of a volume must report."""
    with opened(volume) as source:
        return f"{kind}:{volume_digest.volume_digest(kind, Reader(source))}"


class Reader:
    """A volume as volume_digest wants it: read(length) in order."""

    def __init__(self, volume):
        self.volume = volume
        self.position = 0

    def read(self, length):
        length = min(length, self.volume.size - self.position)
        data = self.volume.read(self.position, length) if length > 0 else b""
        self.position += len(data)
        return data


functions = {
    function.__name__: function
    for function in (
        create,
        clone,
        change,
        fill,
        write,
        compare,
        compare_sparse,
        digest,
    )
}

if len(sys.argv) == 3:
    import rados
    import rbd

    conf, pool_name = sys.argv[1:]
    cluster = rados.Rados(conffile=conf)
    # A clone of the second format needs no protected snapshot.
    cluster.conf_set("rbd_default_clone_format", "2")
    cluster.connect()
    pool = cluster.open_ioctx(pool_name)

for line in sys.stdin:
    name, arguments = json.loads(line)
    try:
        answer = {"result": functions[name](**arguments)}
    except Exception as error:
        answer = {"error": f"{name}: {type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
