#include "addon/process_scan.h"

#include <sys/sysmacros.h>

#include <charconv>

#include "addon/arguments.h"
#include "addon/promise.h"
#include "io/process_scan.h"

namespace blockhaul {
namespace {

/// A file is named by its inode too, as text: those of some file systems are larger than a number
/// of JavaScript's.
FileNode file_node(const Napi::Object& object) {
  FileNode node;
  const auto high = static_cast<unsigned>(number_field(object, "major"));
  const auto low = static_cast<unsigned>(number_field(object, "minor"));
  node.device = makedev(high, low);
  const auto inode = optional_string(object, "inode");
  node.is_block = !inode;
  if (inode) std::from_chars(inode->data(), inode->data() + inode->size(), node.inode);
  return node;
}

Napi::Array to_js(Napi::Env env, const std::vector<FileUser>& users) {
  Napi::Array list = Napi::Array::New(env, users.size());
  for (std::uint32_t i = 0; i < users.size(); ++i) {
    const FileUser& found = users[i];
    Napi::Object user = Napi::Object::New(env);
    user.Set("pid", to_number(env, static_cast<std::uint64_t>(found.process)));
    user.Set("name", found.name);
    user.Set("node", to_number(env, found.node));
    list.Set(i, user);
  }
  return list;
}

Napi::Value to_js(Napi::Env env, const ProcessScan& scan) {
  Napi::Array namespaces = Napi::Array::New(env, scan.namespaces.size());
  for (std::uint32_t i = 0; i < scan.namespaces.size(); ++i) {
    namespaces.Set(i, to_number(env, static_cast<std::uint64_t>(scan.namespaces[i])));
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("writers", to_js(env, scan.writers));
  object.Set("readers", to_js(env, scan.readers));
  Napi::Array own = Napi::Array::New(env, scan.own.size());
  for (std::uint32_t i = 0; i < scan.own.size(); ++i) own.Set(i, to_number(env, scan.own[i]));
  object.Set("own", own);
  object.Set("namespaces", namespaces);
  object.Set("incomplete", scan.incomplete);
  return object;
}

}  // namespace

Napi::Value scan_processes_of(const Napi::CallbackInfo& call) {
  const auto list = call[0].As<Napi::Array>();
  std::vector<FileNode> nodes;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    nodes.push_back(file_node(list.Get(i).As<Napi::Object>()));
  }
  const std::string proc = string_value(call[1], "proc");
  return promise_of<ProcessScan>(
      call.Env(), proc,
      [nodes, proc]() -> Result<ProcessScan> { return scan_processes(nodes, proc); },
      [](Napi::Env env, ProcessScan& scan) { return to_js(env, scan); });
}

}  // namespace blockhaul
