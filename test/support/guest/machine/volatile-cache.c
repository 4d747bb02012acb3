// Gives a guest's disks a volatile write cache, for power cuts.
//
// What a guest wrote lies in the host's page cache, and outlives the guest's SIGKILL. A real disk may lose whatever was
// not flushed. So before linux.uml changes a part of a disk, this appends what was there to a log beside the image,
// "IMAGE.unflushed", and empties that log when the guest flushes the disk. After a kill the log tells what a power cut
// could have taken back, and power-cut.mjs takes some of it back. Images without such a file beside them have no cache.
//
// The log is a row of records: offset and length (64 bits each), then as many bytes. linux.uml works on its disks in one
// thread, in order, so nothing here is locked; and that thread's stack is one page, so nothing large is on it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { most_disks = 16, piece = 64 * 1024 };

static struct {
  char image[PATH_MAX];
  int log;  // -1: none
} disks[most_disks];
static int disk_count;
static char image[PATH_MAX];
static char bytes[piece];

static void name_link(char* end, int fd) {
  do *--end = (char)('0' + fd % 10);
  while (fd /= 10);
  memcpy(end - sizeof "/proc/self/fd/" + 1, "/proc/self/fd/", sizeof "/proc/self/fd/" - 1);
}

static int log_of(int fd) {
  char link[32] = {0};
  int digits = fd < 10 ? 1 : fd < 100 ? 2 : fd < 1000 ? 3 : 4;
  name_link(link + sizeof "/proc/self/fd/" - 1 + digits, fd);
  ssize_t length = readlink(link, image, sizeof image - sizeof ".unflushed");
  if (length < 0) return -1;
  image[length] = 0;
  for (int i = 0; i < disk_count; i++)
    if (strcmp(disks[i].image, image) == 0) return disks[i].log;
  if (disk_count == most_disks) return -1;
  strcpy(disks[disk_count].image, image);
  strcat(image, ".unflushed");
  disks[disk_count].log = open(image, O_WRONLY | O_APPEND | O_CLOEXEC);
  return disks[disk_count++].log;
}

static void remember(int fd, uint64_t offset, uint64_t length) {
  int log = log_of(fd);
  if (log < 0) return;
  for (uint64_t done = 0; done < length;) {
    size_t want = length - done < piece ? length - done : piece;
    ssize_t got = syscall(SYS_pread64, fd, bytes, want, offset + done);
    if (got <= 0) return;
    uint64_t header[2] = {offset + done, (uint64_t)got};
    struct iovec record[2] = {{header, sizeof header}, {bytes, (size_t)got}};
    if (writev(log, record, 2) < 0) _exit(99);  // a disk that is full: better no guest than a wrong one
    done += (uint64_t)got;
  }
}

ssize_t pwrite64(int fd, const void* from, size_t length, off_t offset) {
  remember(fd, (uint64_t)offset, length);
  return syscall(SYS_pwrite64, fd, from, length, offset);
}

int fallocate64(int fd, int mode, off_t offset, off_t length) {
  remember(fd, (uint64_t)offset, (uint64_t)length);
  return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

// linux.uml 6.1 answers a flush without doing anything: a request has as many parts as it has pieces of memory, and a
// flush has none. So flushes are seen where its thread fetches what is to be done, pointers to these through a pipe. What
// a flush has to keep has been answered before it was asked for, and with that it is in the log by now.
struct io_thread_req {
  void* request;
  int fds[2];
  unsigned long offsets[2];
  unsigned long long offset;
  int sector_size;
  int error;
  int parts;
};

enum { fetched_at_once = 64 * sizeof(void*) };
static long main_thread;

__attribute__((constructor)) static void remember_main_thread(void) { main_thread = syscall(SYS_gettid); }

ssize_t read(int fd, void* to, size_t size) {
  ssize_t got = syscall(SYS_read, fd, to, size);
  if (size != fetched_at_once || got <= 0 || got % sizeof(void*) != 0) return got;
  if (syscall(SYS_gettid) == main_thread) return got;
  for (size_t i = 0; i < (size_t)got / sizeof(void*); i++) {
    const struct io_thread_req* request = ((struct io_thread_req**)to)[i];
    if (request->parts != 0) continue;
    int log = log_of(request->fds[0]);
    if (log >= 0 && ftruncate(log, 0) != 0) _exit(99);
  }
  return got;
}
