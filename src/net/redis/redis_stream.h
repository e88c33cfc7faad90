// The socket under a Redis connection, plain or TLS, and where it leads.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/system/error_code.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/task.h"
#include "core/time.h"
#include "net/loops/one_shot_event.h"
#include "net/redis/redis_client.h"

namespace infra::net {

struct RedisAddress {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const RedisAddress&) const = default;
};
[[nodiscard]] std::string to_text(const RedisAddress& address);

// One server, and how to be let in there.
struct RedisTarget {
  RedisAddress address;
  RedisOptions options;                            // credentials and times; not its host and port
  std::shared_ptr<boost::asio::ssl::context> tls;  // null: plain
  std::vector<std::string> tls_names;              // the certificate must be for one of these
};

// Throws std::runtime_error if the options' authorities can't be read.
[[nodiscard]] RedisTarget make_redis_target(const RedisOptions& options);

// One event thread. Closing it ends whatever waits on it.
class RedisStream {
 public:
  explicit RedisStream(boost::asio::io_context& home) : socket_(home) {}
  RedisStream(const RedisStream&) = delete;
  RedisStream& operator=(const RedisStream&) = delete;

  // Connects to the first endpoint that answers; with TLS, the handshake too.
  Task<boost::system::error_code> connect(boost::asio::ip::tcp::resolver::results_type endpoints,
                                          const RedisTarget& target);
  struct Piece {
    boost::system::error_code error;
    std::size_t bytes = 0;
  };
  Task<Piece> read_some(std::span<char> into);
  Task<Piece> write_some(std::string_view bytes);
  Task<boost::system::error_code> write_all(std::string_view bytes);
  void close();
  [[nodiscard]] bool is_open() const { return socket_.is_open(); }

 private:
  Task<boost::system::error_code> shake_hands(const RedisTarget& target);

  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
};

// Looks a name up without ever holding up its caller past the deadline: a lookup that hangs goes on in the background
// and is what the next call waits for. One event thread.
class RedisLookup {
 public:
  RedisLookup(boost::asio::io_context& home, RedisAddress address) : home_(home), address_(std::move(address)) {}

  struct Found {
    boost::system::error_code error;
    boost::asio::ip::tcp::resolver::results_type endpoints;
  };
  Task<Found> find(SteadyTime deadline);

 private:
  struct Pending;
  boost::asio::io_context& home_;
  RedisAddress address_;
  std::shared_ptr<Pending> pending_;
};

}  // namespace infra::net
