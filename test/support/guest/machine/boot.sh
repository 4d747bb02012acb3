#!/bin/bash
# The guest's first process. It lies in the folder that the guest shares with its host, beside:
#
#   command    what to run, a bash script
#   modules    kernel modules to load before it, one a line
#   status     written by this script: the command's exit status
#
# The first stage stands on the host's file system, read-only, and puts a tmpfs over it: what is installed on the
# host is there, and what is done in the guest is gone with it. The second stage runs with that as its root.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

stack_root() {
  local share=$1
  mount -t proc proc /proc
  mount -t sysfs sysfs /sys
  mount -t tmpfs tmpfs /mnt
  cd /mnt || exit
  mkdir host modules upper work root
  mount -t hostfs none host -o /
  mount -t hostfs none modules -o /usr/lib/uml/modules
  insmod modules/"$(uname -r)"/kernel/fs/overlayfs/overlay.ko
  mount -t overlay overlay root -o lowerdir=host,upperdir=upper,workdir=work

  cd root || exit
  mkdir -p host lib/modules .old
  mount --no-mtab --move ../modules lib/modules
  mount -t hostfs none host -o "$share"
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t devtmpfs devtmpfs dev
  mount -t tmpfs tmpfs run
  mkdir -p dev/pts dev/shm run/lock
  mount -t devpts devpts dev/pts
  mount -t tmpfs tmpfs dev/shm
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  ln -sfn /proc/self/fd dev/fd
  ln -sfn fd/0 dev/stdin
  ln -sfn fd/1 dev/stdout
  ln -sfn fd/2 dev/stderr
  # Not chroot alone: udevd does not work in one.
  pivot_root . .old
  exec chroot . /bin/bash /host/boot second
}

start_system() {
  umount -l /.old
  hostname guest
  ip link set lo up
  modprobe configfs
  mount -t configfs configfs /sys/kernel/config
  xargs --no-run-if-empty modprobe --all <modules || exit # a first process that ends: the kernel panics
  /lib/systemd/systemd-udevd --daemon 2>/dev/null
  # Only what tests use: all devices, hundreds of terminals among them, would take another 6 s.
  udevadm trigger --action=add -s block -s misc -s mem
  udevadm settle
}

if [ "${1-}" != second ]; then stack_root "$(dirname "$0")"; fi

cd /host || exit
start_system
stty raw </dev/tty1
setsid bash command </dev/null >/dev/tty1 2>&1
status=$?
stty raw </dev/tty1 # returns when what was written has reached the host
echo "$status" >status
# Not sync: it would wait for devices that a test may have left hanging.
sync --file-system status
echo o >/proc/sysrq-trigger
sleep infinity
