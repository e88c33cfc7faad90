#include "main/tls_files.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "core/operator_error_codes.h"
#include "telemetry/log.h"

namespace infra {
namespace {

Result<std::string> read_file(const aws::OpenFile& open, std::string_view variable, const std::filesystem::path& path) {
  auto text = aws::read_small_file(open, path.string());
  if (!text) return fail(errors::invalid_tls, fmt::format("{}: {}", variable, text.error().message));
  return text;
}

Result<std::shared_ptr<const net::TlsContext>> load(const Config& config, const aws::OpenFile& open) {
  auto certificate = read_file(open, "TLS_CERT_FILE", config.tls_cert_file);
  if (!certificate) return fail(certificate.error());
  auto key = read_file(open, "TLS_KEY_FILE", config.tls_key_file);
  if (!key) return fail(key.error());
  return net::TlsContext::create({.certificate = std::move(*certificate), .key = std::move(*key)});
}

}  // namespace

Result<std::shared_ptr<net::TlsPort>> open_tls(const Config& config, const aws::OpenFile& open) {
  if (config.tls_cert_file.empty()) return nullptr;
  auto context = load(config, open);
  if (!context) return fail(context.error());
  return std::make_shared<net::TlsPort>(std::move(*context));
}

void reload_tls(const Config& config, const aws::OpenFile& open, net::TlsPort& port) {
  auto context = load(config, open);
  if (!context) {
    log::error("TLS_CERT_FILE and TLS_KEY_FILE are not read again, and the old ones stay",
               {{"reason", context.error().message}});
    return;
  }
  port.replace(std::move(*context));
  log::info("TLS_CERT_FILE and TLS_KEY_FILE are read again");
}

}  // namespace infra
