// The order of things on a connection, and its time-outs; the body is http_server_body.cc's.
#include "net/http/http_server_connection.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "core/error_codes.h"
#include "telemetry/task_failures.h"

namespace infra::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPieceBytes = 16 * 1024;
constexpr std::uint64_t kMaxDiscardedBytes = 64 * 1024 * 1024;
constexpr std::chrono::seconds kMaxDiscardTime{10};
// How long the client may take to close its side after ours is closed.
constexpr std::chrono::seconds kLingerTime{2};

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

// IPv4 clients of a dual-stack listener look like those of an IPv4 one.
std::string peer_text(const ServerSocket& socket) {
  ErrorCode error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return {};
  const asio::ip::address address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

bool asks_to_close(const Response& response) {
  const auto connection = response.headers.find("Connection");
  return connection == "close";
}

class Counted {
 public:
  explicit Counted(std::atomic<std::size_t>& counter) : counter_(counter) { ++counter_; }
  ~Counted() { --counter_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<std::size_t>& counter_;
};

}  // namespace

Connection::Connection(std::shared_ptr<ServerShared> server, std::shared_ptr<Lane> lane, ServerSocket socket,
                       Admission admission)
    : server_(std::move(server)),
      lane_(std::move(lane)),
      socket_(std::move(socket)),
      admission_(admission),
      timer_(socket_.get_executor()) {
  ++(admission_ == Admission::served ? server_->served : server_->refusing);
  ++server_->open;
}

Connection::~Connection() {
  lane_->erase(this);
  ErrorCode ignored;
  socket_.close(ignored);  // before the count says so
  --(admission_ == Admission::served ? server_->served : server_->refusing);
  server_->release_open();
}

Task<void> Connection::run() {
  lane_->insert(this);
  ErrorCode ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  peer_ = peer_text(socket_);
  Next next = Next::keep;
  if (admission_ == Admission::refused) {
    next = co_await refuse(Error{errors::too_many_connections, "The server has too many connections; try again later.",
                                 std::chrono::seconds(1)});
  }
  while (next == Next::keep) next = co_await serve_request();
  if (next == Next::discard) co_await discard_and_close();
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
}

void Connection::close_if_idle() {
  ErrorCode ignored;
  if (idle_) socket_.cancel(ignored);
}

void Connection::abort() {
  aborted_ = true;
  ErrorCode ignored;
  socket_.close(ignored);
}

Task<Connection::Next> Connection::serve_request() {
  const Result<std::size_t> length = co_await receive_header();
  if (!length) co_return co_await refuse(length.error());
  if (*length == 0) co_return Next::close;
  const Result<RequestHead> head = parser_.parse_header(buffer_.data().substr(0, *length), request_);
  buffer_.consume(*length);
  if (!head) co_return co_await refuse(head.error());
  co_return co_await answer(*head);
}

Task<Result<std::size_t>> Connection::receive_header() {
  const std::size_t max_bytes = server_->options.max_header_bytes;
  std::size_t searched = 0;
  SteadyTime header_deadline = SteadyTime::max();
  bool begun = !buffer_.empty();
  while (true) {
    // RFC 9112 2.2: empty lines before a request are to be ignored.
    while (buffer_.data().starts_with("\r\n")) {
      buffer_.consume(2);
      searched = 0;
    }
    if (const auto length = header_length(buffer_.data(), searched)) co_return *length;
    searched = buffer_.size();
    const std::span<char> room = buffer_.prepare(max_bytes);
    if (room.empty()) {
      co_return fail(errors::header_too_large, fmt::format("The request header is larger than {} bytes.", max_bytes));
    }
    idle_ = !begun;
    if (idle_ && server_->draining) co_return 0;
    if (idle_) {
      set_deadline(now() + server_->options.idle_timeout);
    } else if (header_deadline == SteadyTime::max()) {
      header_deadline = now() + server_->options.header_timeout;
      set_deadline(header_deadline);
    }
    const std::size_t got = co_await receive(room);
    idle_ = false;
    if (got == 0 && begun && timed_out_) {
      co_return fail(errors::header_timeout, "The request header did not arrive in time.");
    }
    if (got == 0) co_return 0;
    buffer_.commit(got);
    begun = true;
  }
}

Task<Connection::Next> Connection::answer(RequestHead head) {
  const Counted in_flight(server_->requests_in_flight);
  begin_body(head);
  request_.peer = peer_;
  request_.body = this;
  ResponseFraming framing{.http_1_0 = head.http_1_0, .head = request_.method == "HEAD"};
  set_deadline(SteadyTime::max());
  const Response response = co_await call_handler();
  skip_buffered_body();
  framing.keep_alive = head.keep_alive && body_done_ && !server_->draining && !asks_to_close(response);
  const bool sent = co_await send(response, framing);
  if (response.afterwards) response.afterwards();
  if (!sent) co_return Next::close;
  if (framing.keep_alive) {
    buffer_.shrink();
    co_return Next::keep;
  }
  // Where the client did not ask for the end it may be sending already, and a reset would take the answer from it.
  co_return head.keep_alive || !body_done_ || !buffer_.empty() ? Next::discard : Next::close;
}

Task<Response> Connection::call_handler() {
  try {
    co_return co_await server_->handler(request_);
  } catch (...) {
    report_task_failure("HTTP handler", std::current_exception());
  }
  co_return server_->error_handler(Error{errors::internal, "The server failed to answer this request."});
}

Task<Connection::Next> Connection::refuse(Error error) {
  const Response response = server_->error_handler(error);
  body_done_ = true;  // where it begins and ends is unknown
  const bool sent = co_await send(response, ResponseFraming{.keep_alive = false});
  co_return sent ? Next::discard : Next::close;
}

Task<bool> Connection::send(const Response& response, ResponseFraming framing) {
  write_head(response, framing, head_text_);
  const auto body = sends_body(response, framing) ? asio::buffer(response.body) : asio::const_buffer();
  return write_all({asio::buffer(head_text_), body});
}

Task<bool> Connection::write_all(std::array<asio::const_buffer, 2> buffers) {
  while (true) {
    // Most answers fit into the socket at once, which saves the way through the loop.
    ErrorCode error;
    std::size_t sent = socket_.write_some(buffers, error);
    for (asio::const_buffer& buffer : buffers) {
      const std::size_t part = std::min(sent, buffer.size());
      buffer += part;
      sent -= part;
    }
    if (error && error != asio::error::would_block && error != asio::error::interrupted) co_return false;
    if (asio::buffer_size(buffers) == 0) co_return true;
    if (error != asio::error::would_block) continue;
    set_deadline(now() + server_->options.body_timeout);
    const auto [wait_error] = co_await socket_.async_wait(tcp::socket::wait_write, kAwait);
    if (wait_error) co_return false;
  }
}

// 0 at the end of what the client sends, whatever ended it.
Task<std::size_t> Connection::receive(std::span<char> into) {
  const auto [error, got] = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), kAwait);
  request_.arrived = now();
  co_return error ? 0 : got;
}

Task<void> Connection::discard_and_close() {
  std::vector<char> piece(kPieceBytes);
  std::uint64_t allowed = kMaxDiscardedBytes;
  hard_deadline_ = now() + kMaxDiscardTime;
  // A client that still waits for "100 Continue" will send no body.
  while (!body_done_ && !continue_owed_ && allowed > 0) {
    const Result<std::size_t> got = co_await read(piece);
    if (!got || *got == 0) break;
    allowed -= std::min<std::uint64_t>(allowed, *got);
  }
  ErrorCode ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  while (allowed > 0) {
    set_deadline(now() + kLingerTime);
    const std::size_t got = co_await receive(piece);
    if (got == 0) break;
    allowed -= std::min<std::uint64_t>(allowed, got);
  }
}

void Connection::set_deadline(SteadyTime deadline) {
  deadline_ = std::min(deadline, hard_deadline_);
  timed_out_ = false;
  if (deadline_ < armed_until_) arm(deadline_);
}

void Connection::arm(SteadyTime at) {
  armed_until_ = at;
  timer_.expires_at(at);
  timer_.async_wait([weak = weak_from_this()](const ErrorCode& error) {
    if (error) return;
    if (const auto self = weak.lock()) self->on_timer();
  });
}

void Connection::on_timer() {
  armed_until_ = SteadyTime::max();
  if (deadline_ == SteadyTime::max()) return;
  if (now() < deadline_) return arm(deadline_);
  timed_out_ = true;
  ErrorCode ignored;
  socket_.cancel(ignored);
}

}  // namespace infra::net
