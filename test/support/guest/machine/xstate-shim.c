// Lets linux.uml run on processors whose register state is larger than it knows.
//
// linux.uml 6.1 keeps 2696 bytes of extended registers (up to AVX-512 and PKRU) for each of its processes. The host's
// kernel takes the whole image or none: on a processor with AMX that is 11008 bytes, PTRACE_SETREGSET of less is
// EFAULT, and the guest's first process dies. Loaded before libc, this ptrace() hands the kernel a whole image, whose
// part behind linux.uml's is marked as unused.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// Where XSAVE says which components its image holds, and those that fit into 2696 bytes: x87 to AVX-512, and PKRU.
enum { XSTATE_BV_OFFSET = 512 };
static const uint64_t known_components = 0x2ff;

static unsigned char image[64 * 1024] __attribute__((aligned(64)));
static size_t image_size;

static long get_image(pid_t pid) {
  struct iovec whole = {image, sizeof image};
  long result = syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole);
  if (result == 0) image_size = whole.iov_len;
  return result;
}

static void drop_unknown_components(void) {
  uint64_t components;
  memcpy(&components, image + XSTATE_BV_OFFSET, sizeof components);
  components &= known_components;
  memcpy(image + XSTATE_BV_OFFSET, &components, sizeof components);
}

static long get_known(pid_t pid, struct iovec* known) {
  long result = get_image(pid);
  if (result != 0) return result;
  if (known->iov_len < image_size) drop_unknown_components();
  if (known->iov_len > image_size) known->iov_len = image_size;
  memcpy(known->iov_base, image, known->iov_len);
  return 0;
}

static long set_known(pid_t pid, const struct iovec* known) {
  // Only the first call has to ask how large the image is.
  if (image_size == 0 && get_image(pid) != 0) return -1;
  size_t size = known->iov_len < image_size ? known->iov_len : image_size;
  memcpy(image, known->iov_base, size);
  memset(image + size, 0, image_size - size);
  if (size < image_size) drop_unknown_components();
  struct iovec whole = {image, image_size};
  return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

static long peek(enum __ptrace_request request, pid_t pid, void* address) {
  long word;
  if (syscall(SYS_ptrace, request, pid, address, &word) < 0) return -1;
  errno = 0;  // -1 may be the word
  return word;
}

long ptrace(enum __ptrace_request request, ...) {
  va_list arguments;
  va_start(arguments, request);
  pid_t pid = va_arg(arguments, pid_t);
  void* address = va_arg(arguments, void*);
  void* data = va_arg(arguments, void*);
  va_end(arguments);

  const int is_xstate = (uintptr_t)address == NT_X86_XSTATE;
  if (request == PTRACE_GETREGSET && is_xstate) return get_known(pid, data);
  if (request == PTRACE_SETREGSET && is_xstate) return set_known(pid, data);
  // The system call stores the word that glibc's function returns.
  if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER)
    return peek(request, pid, address);
  return syscall(SYS_ptrace, request, pid, address, data);
}
