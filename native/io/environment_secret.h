#pragma once

#include <optional>

#include "core/result.h"
#include "core/secret_memory.h"

namespace blockhaul {

/// Takes a variable out of the environment: its value is in the result alone afterwards, and no
/// more where the process was given it, which /proc/PID/environ shows. Nothing where it is not set;
/// of an empty value one zero byte. Not beside a thread that changes the environment.
Result<std::optional<SecretMemory>> take_from_environment(const char* name);

}  // namespace blockhaul
