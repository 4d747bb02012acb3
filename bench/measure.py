#!/usr/bin/python3
"""Runs one command and measures it.

    measure.py '{"command": [...], "servers": [{"command": [...], "socket": path}], "evict": [path], "log": path}'

First the page cache forgets the volumes at `evict`: of the volumes alone, because a user's programs are warm. Then the
servers are started, the command is run once their sockets are there, and the servers are ended. All of that is timed: who
copies by NBD has to start the servers too. Prints one JSON object. What the programs print goes to `log`.

The figures are the kernel's own (wait4): exact processor times, and the peak of each process's memory. Where there are
several, their peaks are added up.
"""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import time

BLKFLSBUF = 0x1261
READY_WITHIN = 30


def evict(path):
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(fd)
        if stat.S_ISBLK(os.fstat(fd).st_mode):
            try:
                fcntl.ioctl(fd, BLKFLSBUF)
            except PermissionError:
                pass
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


class Usage:
    def __init__(self):
        self.user = self.system = 0.0
        self.memory = self.read = self.written = 0

    def add(self, rusage):
        self.user += rusage.ru_utime
        self.system += rusage.ru_stime
        self.memory += rusage.ru_maxrss * 1024
        self.read += rusage.ru_inblock * 512
        self.written += rusage.ru_oublock * 512


running = {}


def start(command, log):
    # A group of its own: Ctrl-C is for who started us, who then ends us, and we what runs.
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    running[process.pid] = command
    return process.pid


def wait(pid, usage):
    _, status, rusage = os.wait4(pid, 0)
    del running[pid]
    usage.add(rusage)
    return os.waitstatus_to_exitcode(status)


def until_ready(pid, path):
    deadline = time.monotonic() + READY_WITHIN
    while not os.path.exists(path):
        done, _ = os.waitpid(pid, os.WNOHANG)
        if done or time.monotonic() > deadline:
            running.pop(pid, None) if done else None
            raise SystemExit(f"{' '.join(running.get(pid, ['the server']))}: no socket at {path}")
        time.sleep(0.001)


def end_all(*_):
    for pid in list(running):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os._exit(130)


def main():
    wanted = json.loads(sys.argv[1])
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, end_all)
    for path in wanted.get("evict", []):
        evict(path)
    usage = Usage()
    with open(wanted["log"], "wb") as log:
        begin = time.monotonic()
        try:
            servers = []
            for server in wanted.get("servers", []):
                servers.append(start(server["command"], log))
            for pid, server in zip(servers, wanted.get("servers", [])):
                until_ready(pid, server["socket"])
            status = wait(start(wanted["command"], log), usage)
            for pid in servers:
                os.kill(pid, signal.SIGTERM)
                wait(pid, usage)
        finally:
            for pid in list(running):
                os.killpg(pid, signal.SIGKILL)
        wall = time.monotonic() - begin
    print(
        json.dumps(
            {
                "status": status,
                "wall": wall,
                "user": usage.user,
                "system": usage.system,
                "memory": usage.memory,
                "read": usage.read,
                "written": usage.written,
            }
        )
    )


main()
