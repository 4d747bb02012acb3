// What sanitizers shall not report. They ask for these by name.

extern "C" {

/// Ceph's libraries are not instrumented: the thread sanitizer sees what they touch through its
/// interceptors, but none of the atomic operations that order it. The run-time library finds this
/// function only among the program's exported symbols.
[[gnu::visibility("default")]] const char*
__tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
const char* __tsan_default_suppressions() {
  return "called_from_lib:libceph-common.so.2\n"
         "called_from_lib:librados.so.2\n"
         "called_from_lib:librbd.so.1\n"
         "called_from_lib:libcrypto.so\n"
         // Ceph's strings are copied in there, and whose they are can then not be seen any more.
         "called_from_lib:libstdc++.so.6\n"
         "race:libceph-common.so.2\n"
         "race:librados.so.2\n"
         "race:librbd.so.1\n"
         // A static object of libceph-common.
         "mutex:__run_exit_handlers\n"
         // glibc's own, of threads that used a library loaded after them.
         "race:_dl_deallocate_tls\n";
}
}
