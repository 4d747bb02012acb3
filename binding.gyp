# The release build (prebuildify); CMakeLists.txt is its twin for development. What both share, the
# list of sources above all, stands in native/sources.gypi.
{
  "includes": ["native/sources.gypi"],
  "targets": [
    {
      "target_name": "blockhaul",
      "sources": ["<@(engine_sources)", "<@(addon_sources)"],
      "include_dirs": ["<@(include_folders)", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["<@(engine_defines)", "<@(addon_defines)"],
      # Node's own common.gypi turns exceptions and RTTI off and picks an older C++.
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["<@(compile_flags)"],
      "ldflags": [
        "<@(addon_link_flags)",
        "-Wl,--version-script=<(module_root_dir)/native/addon/exports.map"
      ],
      "libraries": ["<@(engine_libraries)"],
      "configurations": {
        "Release": {
          "defines": ["<@(release_defines)"],
          "cflags_cc": ["<@(release_flags)"],
          "ldflags": ["<@(release_flags)"]
        }
      }
    }
  ]
}
