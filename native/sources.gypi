{
  "variables": {
    "engine_sources": [
    ],
    "addon_sources": [
    ],
    "test_sources": [
    ],
    "include_folders": ["native"],
    "engine_defines": ["_GNU_SOURCE", "_FILE_OFFSET_BITS=64"],
    "addon_defines": ["NAPI_VERSION=9", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL"],
    "release_defines": ["NDEBUG"],
    "compile_flags": [
      "-std=c++20",
      "-pthread",
      "-Wall",
      "-Wextra",
      "-fvisibility=hidden",
      "-fvisibility-inlines-hidden",
      "-fstack-protector-strong"
    ],
    "release_flags": ["-O3", "-flto=auto"],
    "addon_link_flags": [
      "-pthread",
      "-static-libstdc++",
      "-Wl,--exclude-libs,ALL",
      "-Wl,--gc-sections",
      "-Wl,--no-undefined-version",
      "-Wl,-z,relro",
      "-Wl,-z,now"
    ],
    "engine_libraries": ["-l:liburing.a", "-l:libcrypto.a", "-ldl"]
  }
}
