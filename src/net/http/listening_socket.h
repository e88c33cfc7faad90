// The server's socket apart from the server: a program that gives up its privileges binds it before.
#pragma once

#include <boost/system/error_code.hpp>
#include <cstdint>
#include <string>

#include "core/error.h"

namespace infra::net {

// A TCP socket with this address (SO_REUSEADDR, never SO_REUSEPORT; "::" is both families) that doesn't listen yet:
// the caller's to close, or HttpServerOptions::bound_socket. `invalid_address`, or listen_error().
[[nodiscard]] Result<int> bind_listener(const std::string& address, std::uint16_t port);

// `unavailable` (code listen_failed) with a sentence naming the port and why.
[[nodiscard]] Error listen_error(const std::string& address, std::uint16_t port,
                                 const boost::system::error_code& error);

}  // namespace infra::net
