// A connection's steps where the port speaks TLS: what TlsStream wants is waited for.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/error_codes.h"
#include "net/http/http_server_connection.h"

namespace infra::net {

namespace asio = boost::asio;
using Step = TlsStream::Step;

// False where the connection is over. Its time is part of the first request's.
Task<bool> Connection::shake_hands() {
  set_deadline(accepted_ + server_->options.first_request_timeout);
  while (true) {
    const Step step = tls_->shake_hands();
    if (step == Step::done) co_return true;
    if (step == Step::plain_http) {
      tls_.reset();
      const Next next =
          co_await refuse(Error{errors::invalid_request, "This port speaks HTTPS; begin the address with https://."});
      if (next == Next::discard) co_await discard_and_close();
    }
    if (step == Step::end || step == Step::plain_http || !co_await ready_for(step)) co_return false;
  }
}

Task<bool> Connection::ready_for(Step step) {
  const auto side = step == Step::read ? asio::socket_base::wait_read : asio::socket_base::wait_write;
  const auto [error] = co_await socket_.async_wait(side, asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

Task<std::size_t> Connection::receive_decrypted(std::span<char> into) {
  while (true) {
    const auto [step, bytes] = tls_->read(into);
    request_.arrived = std::chrono::steady_clock::now();
    if (step == Step::done) co_return bytes;
    if (step == Step::end || !co_await ready_for(step)) co_return 0;
  }
}

// As the socket's own would say it.
std::size_t Connection::write_encrypted(asio::const_buffer bytes, boost::system::error_code& error, Step& step) {
  const auto moved = tls_->write({static_cast<const char*>(bytes.data()), bytes.size()});
  if (moved.step == Step::done) return moved.bytes;
  step = moved.step;
  error = asio::error::would_block;
  if (step == Step::end) error = asio::error::eof;
  return 0;
}

}  // namespace infra::net
