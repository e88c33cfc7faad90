// One client's connection: requests one after the other, their bodies as streams, and an end that lets the client see
// the last answer. It lives on one event thread and is touched on that thread only.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_set>

#include "net/http/http_server.h"
#include "net/http/http_server_buffer.h"
#include "net/http/http_server_codec.h"
#include "net/loops/one_shot_event.h"

namespace infra::net {

class Connection;

using ServerSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

// The shared state of a server's connections. They keep it alive, so that the HttpServer may go first.
struct ServerShared {
  HttpServerOptions options;
  Handler handler;
  ErrorHandler error_handler;

  std::atomic<bool> draining = false;
  std::atomic<std::size_t> requests_in_flight = 0;
  std::atomic<std::uint64_t> accepted = 0;  // connections, ever
  std::atomic<std::size_t> served = 0;      // connections that count towards max_connections
  std::atomic<std::size_t> refusing = 0;    // connections that are only told there are too many
  std::atomic<std::size_t> open = 0;        // all of them, and the listener
  std::shared_ptr<OneShotEvent> all_closed = OneShotEvent::create();

  void release_open() {
    if (open.fetch_sub(1) == 1) all_closed->notify();
  }
};

// The connections of one event thread; touched on that thread only.
using Lane = std::unordered_set<Connection*>;

enum class Admission : std::uint8_t { served, refused };

class Connection : public std::enable_shared_from_this<Connection>, private BodyStream {
 public:
  Connection(std::shared_ptr<ServerShared> server, std::shared_ptr<Lane> lane, ServerSocket socket,
             Admission admission);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves until the connection ends; the caller keeps it alive meanwhile. Called once, on the socket's thread.
  Task<void> run();
  // Ends it if no request is being received or answered. Its thread.
  void close_if_idle();
  // Ends it whatever it does; a handler that runs goes on to its end. Its thread.
  void abort();

 private:
  enum class Next : std::uint8_t { keep, close, discard };

  Task<Next> serve_request();
  // Its length, at the front of the buffer; 0 if the connection ended before one began, or is to end.
  Task<Result<std::size_t>> receive_header();
  Task<Next> answer(RequestHead head);
  Task<Response> call_handler();
  Task<Next> refuse(Error error);
  Task<bool> send(const Response& response, ResponseFraming framing);
  Task<bool> write_all(std::array<boost::asio::const_buffer, 2> buffers);
  Task<std::size_t> receive(std::span<char> into);
  Task<void> discard_and_close();

  // BodyStream, of the present request.
  Task<Result<std::size_t>> read(std::span<char> buffer) override;
  [[nodiscard]] std::optional<std::uint64_t> content_length() const override;
  Task<Result<std::size_t>> read_length(std::span<char> buffer);
  Task<Result<std::size_t>> read_chunks(std::span<char> buffer);
  void begin_body(const RequestHead& head);
  void skip_buffered_body();
  [[nodiscard]] Error broken_off() const;

  void set_deadline(SteadyTime deadline);
  void arm(SteadyTime at);
  void on_timer();

  std::shared_ptr<ServerShared> server_;
  std::shared_ptr<Lane> lane_;
  ServerSocket socket_;
  Admission admission_;
  std::string peer_;

  ReadBuffer buffer_;
  RequestParser parser_;
  Request request_;
  std::string head_text_;
  bool idle_ = false;
  bool aborted_ = false;

  Framing framing_ = Framing::none;
  bool body_done_ = true;
  bool continue_owed_ = false;
  std::optional<Error> body_error_;
  std::optional<std::uint64_t> announced_;
  std::uint64_t remaining_ = 0;  // of a body with Content-Length

  // One timer, armed to some time not after the deadline; it re-arms itself when the deadline has moved on, so that an
  // ordinary request does not touch it.
  boost::asio::steady_timer timer_;
  SteadyTime deadline_ = SteadyTime::max();
  SteadyTime armed_until_ = SteadyTime::max();
  SteadyTime hard_deadline_ = SteadyTime::max();  // for all that still happens on this connection
  bool timed_out_ = false;
};

}  // namespace infra::net
