#include "main/start_warnings.h"

#include <fmt/format.h>

namespace infra {
namespace {

bool is_every_address(const std::string& address) {
  return address == "::" || address == "0.0.0.0";
}

}  // namespace

std::vector<std::string> start_warnings(Command command, const Config& config, const std::string& address) {
  std::vector<std::string> warnings;
  if (!config.api_key.empty() && config.api_key.size() < kShortKey) {
    warnings.push_back(
        fmt::format("INFRA_API_KEY has {} characters, and can be guessed; take {} or more, such as "
                    "`openssl rand -hex 24` prints",
                    config.api_key.size(), kShortKey));
  }
  if (command == Command::serve && config.tls_cert_file.empty() && is_every_address(address)) {
    warnings.emplace_back(
        "infra listens on all addresses without TLS: keys, inputs and results cross the network as plain text; set "
        "TLS_CERT_FILE and TLS_KEY_FILE, or put a proxy with TLS in front and listen on loopback with --address");
  }
  return warnings;
}

}  // namespace infra
