// The API key that `infra dev` makes for itself and keeps in the data folder, so that a restart does not change it.
#pragma once

#include <filesystem>
#include <string>

#include "core/error.h"
#include "ports/random.h"

namespace infra {

// Reads `<data>/api-key`, or makes it (0600).
[[nodiscard]] Result<std::string> dev_key(const std::filesystem::path& data, Random& random);

}  // namespace infra
