#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace blockhaul {

/// What was being done when an error arose.
enum class Operation : std::uint8_t { open, close, read, write, zero, flush, map };

/// Which end of a copy an error belongs to; `none` outside a copy.
enum class Side : std::uint8_t { none, source, target };

[[nodiscard]] constexpr std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::open:
      return "open";
    case Operation::close:
      return "close";
    case Operation::read:
      return "read";
    case Operation::write:
      return "write";
    case Operation::zero:
      return "zero";
    case Operation::flush:
      return "flush";
    case Operation::map:
      return "map";
  }
  return "unknown";
}

[[nodiscard]] constexpr std::string_view name_of(Side side) {
  switch (side) {
    case Side::none:
      return "";
    case Side::source:
      return "source";
    case Side::target:
      return "target";
  }
  return "";
}

/// A failure as a value: an errno, and where it happened. `code` is set only where the errno alone
/// would say too little (a stable `ERR_…` name, explained in docs/ERRORS.md); the mapping from
/// errno to such names lives in one place, src/errors.ts.
struct Error {
  int number = EIO;     ///< a positive errno
  std::string message;  ///< one line, without the volume's name and without the offset
  std::string code{};   ///< "" or a stable `ERR_…` name
  Operation operation = Operation::open;
  Side side = Side::none;
  std::int64_t offset = -1;  ///< bytes from the volume's start; -1 where it has no meaning

  [[nodiscard]] static Error from_errno(int number, Operation operation,
                                        std::string_view what = {}) {
    std::string message = std::generic_category().message(number);
    if (!what.empty()) message = std::string(what) + ": " + message;
    return Error{.number = number, .message = std::move(message), .operation = operation};
  }
};

}  // namespace blockhaul
