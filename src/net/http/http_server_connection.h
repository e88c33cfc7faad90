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
#include <optional>
#include <unordered_set>
#include <vector>

#include "net/http/byte_budget.h"
#include "net/http/http_server.h"
#include "net/http/http_server_buffer.h"
#include "net/http/http_server_codec.h"
#include "net/loops/one_shot_event.h"

namespace infra::net {

class Connection;

inline constexpr std::uint64_t kMuchHeld = 64 * 1024;  // bytes in memory, for the sake of which the slow are closed

using ServerSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

// The connections of one event thread; touched on that thread only.
struct Lane {
  boost::asio::io_context& loop;
  std::unordered_set<Connection*> connections{};
};

// The shared state of a server's connections. They keep it alive, so that the BeastHttpServer may go first.
struct ServerShared {
  ServerShared(HttpServerOptions o, Handler h, ErrorHandler e);

  const HttpServerOptions options;
  const Handler handler;
  const ErrorHandler error_handler;

  std::vector<std::shared_ptr<Lane>> lanes{};
  ConnectionTable table;
  ByteBudget bytes;
  std::atomic<bool> draining = false;
  std::atomic<std::size_t> requests_in_flight = 0;
  std::atomic<std::uint64_t> accepted = 0;  // connections, ever
  std::atomic<std::size_t> open = 0;        // all of them, and the listener
  std::shared_ptr<OneShotEvent> all_closed = OneShotEvent::create();

  void release_open() {
    if (open.fetch_sub(1) == 1) all_closed->notify();
  }
  void tell_closed(std::string_view why) const {
    if (options.on_closed) options.on_closed(why);
  }
  void report_connections() const {
    if (options.overload != nullptr) options.overload->report(Resource::connections, table.pressure());
  }
  // What a connection that keeps so many bytes in memory is held to now.
  [[nodiscard]] const Pace& pace(std::uint64_t held) const;
  // Has each connection look at pace() again. Every half a second at most.
  void hurry();

 private:
  std::atomic<SteadyTime> hurried_{};
};

class Connection : public std::enable_shared_from_this<Connection>, private BodyStream, private Origin {
 public:
  Connection(std::shared_ptr<ServerShared> server, std::shared_ptr<Lane> lane, ServerSocket socket,
             const boost::asio::ip::tcp::endpoint& peer);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Takes its place in the table, for which another may close. Once, before run(); the accepting thread.
  void enter();
  // Serves until the connection ends; the caller keeps it alive meanwhile. Called once, on the socket's thread.
  Task<void> run();
  // Ends it if no request is being received or answered, or its answer is a stream. Its thread.
  void close_if_idle();
  // Ends it whatever it does; a handler that runs goes on to its end. Its thread.
  void abort();
  // Ends it if it keeps us waiting, and has been too slow for what is short now. Its thread.
  void hurry();

 private:
  enum class Next : std::uint8_t { keep, close, discard };

  Task<bool> shake_hands();
  Task<bool> ready_for(TlsStream::Step step);
  Task<std::size_t> receive_decrypted(std::span<char> into);
  [[nodiscard]] std::size_t write_encrypted(boost::asio::const_buffer bytes, boost::system::error_code& error,
                                            TlsStream::Step& step);

  Task<Next> serve_request();
  // Its length, at the front of the buffer; 0 if the connection ended before one began, or is to end.
  Task<Result<std::size_t>> receive_header();
  Task<Next> answer(RequestHead head);
  Task<Response> call_handler();
  Task<Next> refuse(Error error);
  Task<bool> send(const Response& response, ResponseFraming framing);
  Task<bool> send_file(ByteSource& file);
  Task<Next> stream(Response response, ResponseFraming framing);
  Task<bool> send_pieces(StreamedBody& stream, ResponseFraming framing);
  void watch_for_end();
  Task<bool> write_all(std::array<boost::asio::const_buffer, 2> buffers);
  Task<std::size_t> receive(std::span<char> into);
  Task<std::size_t> receive_body(std::span<char> into);
  Task<void> discard_and_close();

  // BodyStream, of the present request.
  Task<Result<std::size_t>> read(std::span<char> buffer) override;
  [[nodiscard]] bool try_hold(std::uint64_t bytes) override;
  Task<Result<void>> hold(std::uint64_t bytes) override;
  [[nodiscard]] std::optional<std::uint64_t> content_length() const override;
  Task<Result<std::size_t>> read_length(std::span<char> buffer);
  Task<Result<std::size_t>> read_chunks(std::span<char> buffer);
  void begin_body(const RequestHead& head);
  void skip_buffered_body();
  [[nodiscard]] Error broken_off() const;

  // Origin.
  [[nodiscard]] bool show_key() override { return place_->show_key(); }
  void ask_for_health() override { place_->ask_for_health(); }

  void set_deadline(SteadyTime deadline);
  // Between the two the deadline is that patience's.
  void begin_wait(Patience& patience);
  void end_wait();
  void give_back_held();
  void arm(SteadyTime at);
  void on_timer();

  std::shared_ptr<ServerShared> server_;
  std::shared_ptr<Lane> lane_;
  ServerSocket socket_;
  const std::string peer_;
  const SteadyTime accepted_;
  std::optional<ConnectionPlace> place_;
  std::optional<TlsStream> tls_;

  ReadBuffer buffer_;
  RequestParser parser_;
  Request request_;
  std::string head_text_;
  bool first_ = true;  // no request has come whole
  bool idle_ = false;
  std::shared_ptr<StreamedBody> stream_;  // while the answer is one

  Framing framing_ = Framing::none;
  bool body_done_ = true;
  bool continue_owed_ = false;
  std::optional<Error> body_error_;
  std::optional<std::uint64_t> announced_;
  std::uint64_t remaining_ = 0;  // of a body with Content-Length
  std::uint64_t held_ = 0;       // of the server's bytes, for this request and its answer
  Patience sending_;             // the client's, of its body
  Patience reading_;             // of our answer
  Patience* waiting_ = nullptr;  // whichever of them it is that we wait for now

  // One timer, armed to some time not after the deadline; it re-arms itself when the deadline has moved on, so that an
  // ordinary request does not touch it.
  boost::asio::steady_timer timer_;
  SteadyTime deadline_ = SteadyTime::max();
  SteadyTime armed_until_ = SteadyTime::max();
  SteadyTime hard_deadline_ = SteadyTime::max();  // for all that still happens on this connection
  bool timed_out_ = false;
};

}  // namespace infra::net
