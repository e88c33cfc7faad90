// The certificate and key of the HTTP port, from the files that TLS_CERT_FILE and TLS_KEY_FILE name.
#pragma once

#include <memory>

#include "adapters/aws/auth/small_file.h"
#include "core/error.h"
#include "main/config.h"
#include "net/http/tls.h"

namespace infra {

// Null if none are named. The error is a sentence for the operator (code invalid_tls).
[[nodiscard]] Result<std::shared_ptr<net::TlsPort>> open_tls(const Config& config,
                                                             const aws::OpenFile& open = aws::open_plainly);
// From here on new connections get what the files hold now. Where that can't be used the old pair stays, which the log
// says.
void reload_tls(const Config& config, const aws::OpenFile& open, net::TlsPort& port);

}  // namespace infra
