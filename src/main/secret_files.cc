#include "main/secret_files.h"

#include <algorithm>
#include <utility>

#include "adapters/aws/auth/credential_chain.h"
#include "sandbox/client/listed_files.h"

namespace infra {

std::vector<std::string> secret_files(const Config& config, const Variables& variables) {
  std::vector<std::string> files;
  if (!config.tls_cert_file.empty()) files = {config.tls_cert_file.string(), config.tls_key_file.string()};
  if (!config.fleet) return files;
  std::ranges::copy(aws::credential_files(variables), std::back_inserter(files));
  if (config.fleet->redis.tls && !config.fleet->redis.ca_file.empty()) files.push_back(config.fleet->redis.ca_file);
  return files;
}

std::vector<std::filesystem::path> absolute_paths(const std::vector<std::string>& files) {
  std::vector<std::filesystem::path> paths;
  std::ranges::transform(files, std::back_inserter(paths), [](const std::string& file) {
    std::error_code ignored;  // without a current folder it stays as it is, and is not found
    return std::filesystem::absolute(file, ignored).lexically_normal();
  });
  return paths;
}

aws::OpenFile open_through(std::shared_ptr<sandbox::SpawnerConnection> connection, std::vector<std::string> files) {
  const sandbox::ListedFiles listed(std::move(connection), files);
  return [listed, files = std::move(files)](const std::string& path) {
    return std::ranges::find(files, path) == files.end() ? aws::open_plainly(path) : listed.open(path);
  };
}

}  // namespace infra
