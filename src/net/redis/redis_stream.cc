#include "net/redis/redis_stream.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>
#include <utility>

namespace infra::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

std::shared_ptr<asio::ssl::context> make_tls(const RedisOptions& options) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_verify_mode(asio::ssl::verify_peer);
  ErrorCode error;
  if (options.ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else if (!options.ca_pem.empty()) {
    context->add_certificate_authority(asio::buffer(options.ca_pem), error);
  } else {
    context->load_verify_file(options.ca_file, error);
  }
  if (error) {
    throw std::runtime_error(fmt::format("Redis: the certificate authorities in {} can't be read: {}.",
                                         options.ca_file.empty() ? "the system's folder" : options.ca_file,
                                         error.message()));
  }
  return context;
}

bool is_ip_address(const std::string& host) {
  ErrorCode error;
  asio::ip::make_address(host, error);
  return !error;
}

}  // namespace

std::string to_text(const RedisAddress& address) {
  return address.host.contains(':') ? fmt::format("[{}]:{}", address.host, address.port)
                                    : fmt::format("{}:{}", address.host, address.port);
}

RedisTarget make_redis_target(const RedisOptions& options) {
  return RedisTarget{.address = {options.host, options.port},
                     .options = options,
                     .tls = options.tls ? make_tls(options) : nullptr,
                     .tls_names = {options.host}};
}

Task<ErrorCode> RedisStream::connect(tcp::resolver::results_type endpoints, const RedisTarget& target) {
  const auto [error, endpoint] = co_await asio::async_connect(socket_, endpoints, kAwait);
  if (error) co_return error;
  ErrorCode ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  if (target.tls) co_return co_await shake_hands(target);
  co_return ErrorCode{};
}

Task<ErrorCode> RedisStream::shake_hands(const RedisTarget& target) {
  auto& tls = tls_.emplace(socket_, *target.tls);
  if (!is_ip_address(target.address.host)) SSL_set_tlsext_host_name(tls.native_handle(), target.address.host.c_str());
  tls.set_verify_callback([names = target.tls_names](bool trusted, asio::ssl::verify_context& context) {
    return std::ranges::any_of(
        names, [&](const std::string& name) { return asio::ssl::host_name_verification(name)(trusted, context); });
  });
  const auto [error] = co_await tls.async_handshake(asio::ssl::stream_base::client, kAwait);
  co_return error;
}

Task<RedisStream::Piece> RedisStream::read_some(std::span<char> into) {
  const auto buffer = asio::buffer(into.data(), into.size());
  const auto [error, bytes] =
      tls_ ? co_await tls_->async_read_some(buffer, kAwait) : co_await socket_.async_read_some(buffer, kAwait);
  co_return Piece{error, bytes};
}

Task<RedisStream::Piece> RedisStream::write_some(std::string_view text) {
  const auto buffer = asio::buffer(text);
  const auto [error, bytes] =
      tls_ ? co_await tls_->async_write_some(buffer, kAwait) : co_await socket_.async_write_some(buffer, kAwait);
  co_return Piece{error, bytes};
}

Task<ErrorCode> RedisStream::write_all(std::string_view text) {
  while (!text.empty()) {
    const Piece piece = co_await write_some(text);
    if (piece.error) co_return piece.error;
    text.remove_prefix(piece.bytes);
  }
  co_return ErrorCode{};
}

void RedisStream::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

struct RedisLookup::Pending {
  explicit Pending(asio::io_context& home) : resolver(home) {}
  tcp::resolver resolver;
  std::shared_ptr<OneShotEvent> done = OneShotEvent::create();
  Found found;
};

Task<RedisLookup::Found> RedisLookup::find(SteadyTime deadline) {
  ErrorCode error;
  if (const auto address = asio::ip::make_address(address_.host, error); !error) {
    const tcp::endpoint endpoint(address, address_.port);
    co_return Found{{}, tcp::resolver::results_type::create(endpoint, address_.host, std::to_string(address_.port))};
  }
  if (!pending_) {
    pending_ = std::make_shared<Pending>(home_);
    pending_->resolver.async_resolve(address_.host, std::to_string(address_.port), tcp::resolver::numeric_service,
                                     [pending = pending_](const ErrorCode& failed, auto endpoints) {
                                       pending->found = {failed, std::move(endpoints)};
                                       pending->done->notify();
                                     });
  }
  const auto pending = pending_;
  if (!co_await pending->done->wait_until(deadline)) co_return Found{asio::error::timed_out, {}};
  pending_.reset();
  co_return std::move(pending->found);
}

}  // namespace infra::net
