// Deletes the output files of runs whose log rows have expired.
#pragma once

#include <filesystem>

#include "core/time.h"

namespace infra {

// `folder` holds <function>/<request>/…; the ids tell how old a run is. Blocking; what can't be deleted stays for the
// next time.
void sweep_outputs(const std::filesystem::path& folder, WallTime before);

}  // namespace infra
