#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace blockhaul {

/// Gives a file that this process has just made the owner, group, permission bits, access list and
/// SELinux label of another. The owner of the new file may always read and write it. Nobody gets
/// more of it than of the other: where the group or the access list cannot be kept, the group gets
/// nothing.
///
/// A file that has a second name, or that another user has, is left alone: somebody may have put it
/// in the new one's place. Where `source` is no regular file, nothing is done. Blocks as long as
/// the storage does.
///
/// @returns what could not be kept, each a text such as "the owner 107 (Operation not permitted)"
[[nodiscard]] Result<std::vector<std::string>> keep_file_attributes(const std::string& source,
                                                                    const std::string& target);

}  // namespace blockhaul
