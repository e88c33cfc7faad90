// SHA-256 of a bundle whose row does not say it.
#pragma once

#include <filesystem>
#include <string>

#include "core/error.h"

namespace infra::worker {

// 64 lower-case hex digits. Blocking.
[[nodiscard]] Result<std::string> sha256_of_file(const std::filesystem::path& file);

}  // namespace infra::worker
