// Bodies that come compressed (Content-Encoding: gzip), read as what they hold.
#pragma once

#include <memory>
#include <string_view>

#include "net/http/http_types.h"

namespace infra::net {

inline constexpr std::string_view kAcceptedEncodings = "gzip";

// `body` without its encoding, which it outlives; null if it has none. It is inflated as it arrives, never more than
// its reader asks for, and bytes that hold nothing are not read for long, so that a reader with a bound on its bytes
// has bounded memory and time. read() fails with `invalid` (code invalid_content_encoding) where it is no gzip, and
// with `unsupported_media` (code unsupported_content_encoding) before anything of it is read if it has another
// encoding.
[[nodiscard]] std::unique_ptr<BodyStream> decode_body(const Headers& headers, BodyStream& body);

}  // namespace infra::net
