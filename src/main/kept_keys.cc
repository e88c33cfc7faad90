#include "main/kept_keys.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "adapters/system/posix_file.h"
#include "core/operator_error_codes.h"
#include "core/secrets_key.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

// Its first line; nullopt if there is no file.
std::optional<std::string> read_key(const fs::path& path) {
  std::ifstream file(path);
  std::string key;
  if (!file) return std::nullopt;
  std::getline(file, key);
  return key;
}

Result<void> write_key(const fs::path& path, const std::string& key, const ErrorEntry& unwritable) {
  const fs::path part = path.string() + ".part";
  const auto failed = [&](std::string_view why) {
    return fail(unwritable, fmt::format("The key can't be written to {}: {}.", path.string(), why));
  };
  const Descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return failed(std::strerror(errno));
  auto written = write_all(file.get(), key + "\n");
  if (written && ::fsync(file.get()) != 0) return failed(std::strerror(errno));
  if (written) written = move_durably(part, path);
  if (!written) return failed(written.error().message);
  return {};
}

}  // namespace

Result<std::string> dev_key(const fs::path& data, Random& random) {
  const fs::path path = data / "api-key";
  if (auto kept = read_key(path); kept && !kept->empty()) return std::move(*kept);
  std::array<std::byte, 24> bytes{};
  random.fill(bytes);
  std::string key = "dev-";
  for (const auto byte : bytes) key += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  if (auto written = write_key(path, key, errors::api_key_unwritable); !written) return fail(written.error());
  return key;
}

Result<std::string> kept_secrets_key(const fs::path& data, Random& random) {
  const fs::path path = data / "secrets-key";
  if (auto kept = read_key(path)) {
    if (SecretsKey::parse(*kept)) return std::move(*kept);
    return fail(
        errors::secrets_key_unusable,
        fmt::format("{} is not the key that secrets of keys are sealed by. Restore it; or remove it, and rotate "
                    "the keys that sign requests.",
                    path.string()));
  }
  std::error_code unknown;
  if (fs::exists(path, unknown) || unknown) {
    return fail(errors::secrets_key_unusable, fmt::format("{} can't be read.", path.string()));
  }
  std::array<std::byte, 32> bytes{};
  random.fill(bytes);
  std::string key = SecretsKey::make_text(bytes);
  if (auto written = write_key(path, key, errors::secrets_key_unusable); !written) return fail(written.error());
  return key;
}

}  // namespace infra
