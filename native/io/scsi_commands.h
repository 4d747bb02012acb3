#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace blockhaul {

/// Asks a SCSI target for its logical units (REPORT LUNS, SPC) through one of its devices: a disk's
/// node, or its node of bsg or sg. The target answers for all of its units, whichever was asked.
/// Gives the parameter data as they came, header and all. Blocks until the target answers, at the
/// most some 10 seconds.
[[nodiscard]] Result<std::vector<std::uint8_t>> report_luns(const std::string& path);

/// Asks a disk for a page of its vital product data (INQUIRY, SPC), through its node. The unit
/// itself answers: what sysfs shows is what it said when the kernel found it, and another may stand
/// at its number by now. Gives the page as it came, header and all. Blocks until the unit answers,
/// at the most some 90 seconds.
[[nodiscard]] Result<std::vector<std::uint8_t>> inquire(const std::string& path, std::uint8_t page);

}  // namespace blockhaul
