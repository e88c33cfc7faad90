#include "net/http/listening_socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>

#include "core/operator_error_codes.h"

namespace infra::net {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;

namespace {

bool set(int socket, int level, int option, int value) {
  return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
}

}  // namespace

Error listen_error(const std::string& address, std::uint16_t port, const ErrorCode& error) {
  Error answer{errors::listen_failed, {}};
  if (error == asio::error::address_in_use) {
    answer.message = fmt::format("Port {} is in use by another program; choose another with PORT.", port);
  } else if (error == asio::error::access_denied) {
    answer.message = fmt::format(
        "Port {} needs privileges that this program does not have; choose one from 1024 on "
        "with PORT.",
        port);
  } else if (error == boost::system::errc::address_not_available) {
    answer.message = fmt::format("This machine has no address {} to listen on.", address);
  } else {
    answer.message = fmt::format("Can't listen on {} port {}: {}.", address, port, error.message());
  }
  return answer;
}

Result<int> bind_listener(const std::string& address, std::uint16_t port) {
  ErrorCode error;
  const asio::ip::address parsed = asio::ip::make_address(address, error);
  if (error) {
    return fail(
        errors::invalid_address,
        fmt::format("\"{}\" is no IP address to listen on; use for example 127.0.0.1, 0.0.0.0 or ::.", address));
  }
  const asio::ip::tcp::endpoint endpoint(parsed, port);
  const int socket = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
  const bool bound = socket >= 0 && set(socket, SOL_SOCKET, SO_REUSEADDR, 1) &&
                     (!parsed.is_v6() || set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
                     ::bind(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
  if (bound) return socket;
  const ErrorCode why(errno, boost::system::system_category());
  if (socket >= 0) ::close(socket);
  return fail(listen_error(address, port, why));
}

}  // namespace infra::net
