// Keys that an installation makes for itself and keeps in the data folder (0600), so that a restart does not change
// them. Each is made whole or not at all.
#pragma once

#include <filesystem>
#include <string>

#include "core/error.h"
#include "ports/random.h"

namespace infra {

// The API key of `infra dev`: `<data>/api-key`.
[[nodiscard]] Result<std::string> dev_key(const std::filesystem::path& data, Random& random);

// What secrets are sealed by on one machine (core/secrets_key.h): `<data>/secrets-key`. A file that is something else
// is left as it is, and an error (code secrets_key_unusable): what the one before has sealed opens for no other.
[[nodiscard]] Result<std::string> kept_secrets_key(const std::filesystem::path& data, Random& random);

}  // namespace infra
