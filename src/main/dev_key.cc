#include "main/dev_key.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/operator_error_codes.h"

namespace infra {

Result<std::string> dev_key(const std::filesystem::path& data, Random& random) {
  const auto path = data / "api-key";
  if (std::ifstream file(path); file) {
    std::string key;
    if (std::getline(file, key) && !key.empty()) return key;
  }
  std::array<std::byte, 24> bytes{};
  random.fill(bytes);
  std::string key = "dev-";
  for (const auto byte : bytes) key += fmt::format("{:02x}", std::to_integer<unsigned>(byte));

  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string line = key + "\n";
  const bool written = file >= 0 && write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  const int error = errno;
  if (file >= 0) close(file);
  if (!written) {
    return fail(errors::api_key_unwritable,
                fmt::format("The key can't be written to {}: {}.", path.string(), std::strerror(error)));
  }
  return key;
}

}  // namespace infra
