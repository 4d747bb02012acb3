#include "copy/inspect.h"

#include <algorithm>

#include "core/units.h"
#include "core/zero.h"

namespace blockhaul {
namespace {

void append_run(std::vector<Run>& runs, Run run) {
  if (!runs.empty() && runs.back().is_zero == run.is_zero) {
    runs.back().length += run.length;
  } else {
    runs.push_back(run);
  }
}

/// True where the whole leaf is zero.
bool find_zero_blocks(std::span<const std::byte> leaf, std::uint64_t offset,
                      std::vector<Run>& runs) {
  bool all_zero = true;
  for (std::size_t at = 0; at < leaf.size(); at += kZeroBlock) {
    const auto block = leaf.subspan(at, std::min<std::size_t>(kZeroBlock, leaf.size() - at));
    const bool zero = is_zero(block);
    append_run(runs, {offset + at, block.size(), zero});
    all_zero = all_zero && zero;
  }
  return all_zero;
}

/// Lets zeros that are too short to be worth a request of their own be data.
void join_short_zeros(std::vector<Run>& runs, std::uint64_t shortest) {
  const bool any_short = std::any_of(runs.begin(), runs.end(), [&](const Run& run) {
    return run.is_zero && run.length < shortest;
  });
  if (!any_short || runs.size() < 3) return;
  std::vector<Run> joined;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    Run run = runs[i];
    const bool inner = i > 0 && i + 1 < runs.size();
    if (inner && run.length < shortest) run.is_zero = false;
    append_run(joined, run);
  }
  runs.swap(joined);
}

}  // namespace

void inspect(std::span<const std::byte> bytes, std::uint64_t offset, const InspectOptions& options,
             const DigestValue& zero_leaf, std::vector<Run>& runs,
             std::vector<DigestValue>& leaves) {
  runs.clear();
  leaves.clear();
  for (std::size_t at = 0; at < bytes.size(); at += kLeaf) {
    const auto leaf = bytes.subspan(at, std::min<std::size_t>(kLeaf, bytes.size() - at));
    bool all_zero = false;
    if (options.shortest_zero_run == 0) {
      append_run(runs, {offset + at, leaf.size(), false});
    } else {
      all_zero = find_zero_blocks(leaf, offset + at, runs);
    }
    if (options.digest == DigestKind::none) continue;
    const bool known = all_zero && leaf.size() == kLeaf;
    leaves.push_back(known ? zero_leaf : digest_bytes(options.digest, leaf));
  }
  join_short_zeros(runs, options.shortest_zero_run);
}

}  // namespace blockhaul
