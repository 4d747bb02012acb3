#pragma once

#include <chrono>
#include <string>

#include "volume/rados_handle.h"

namespace blockhaul {

/// The configuration of a client that is not connected yet.
class RadosConf {
 public:
  RadosConf(const Librbd& librbd, rados_t handle) : librbd_(librbd), handle_(handle) {}

  /// Files, CEPH_ARGS, what blockhaul needs, overrides: in this order, the last one counts. Errors
  /// name options and paths, never a value.
  [[nodiscard]] Status read(const CephConnection& connection) const;

  /// An option's value; "" where there is none.
  [[nodiscard]] std::string get(const std::string& option) const;
  [[nodiscard]] std::chrono::seconds patience() const;

  /// Why no key is found for a user, naming the files; "" where one seems to be there.
  [[nodiscard]] std::string missing_key(const std::string& name) const;

  /// Whether this client would show a key, and knows no other method but to do without.
  [[nodiscard]] bool wants_key() const;
  /// Whether it would do without one, if the cluster does.
  [[nodiscard]] bool allows_no_key() const;
  /// Waits for a monitor no longer than this.
  [[nodiscard]] Status hurry(std::chrono::seconds most) const;

 private:
  /// Of authentication, as a list.
  [[nodiscard]] std::string methods() const;
  [[nodiscard]] Status read_files(const CephConnection& connection) const;
  [[nodiscard]] Status set(const std::string& option, const std::string& value) const;

  const Librbd& librbd_;
  rados_t handle_;
};

}  // namespace blockhaul
