// Keys and credentials in files: root alone may be able to read them, and the program is not root by then.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/aws/auth/small_file.h"
#include "main/config.h"
#include "sandbox/client/sandbox_launcher.h"

namespace infra {

// The files that `config` and `variables` name, as they name them: all that may be opened by way of the spawner.
[[nodiscard]] std::vector<std::string> secret_files(const Config& config, const Variables& variables);

// For the spawner, whose working directory is another.
[[nodiscard]] std::vector<std::filesystem::path> absolute_paths(const std::vector<std::string>& files);

// Opens those of the list by way of `connection`, others itself.
[[nodiscard]] aws::OpenFile open_through(std::shared_ptr<sandbox::SpawnerConnection> connection,
                                         std::vector<std::string> files);

}  // namespace infra
