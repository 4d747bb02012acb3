// What sanitizers shall not report. They ask for these by name.

extern "C" {

/// Ceph's libraries are not instrumented: their locks are not seen, their data is.
const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
const char* __tsan_default_suppressions() {
  return "called_from_lib:libceph-common.so.2\n"
         "called_from_lib:librados.so.2\n"
         "called_from_lib:librbd.so.1\n";
}
}
