// The order of things on a connection, and its time-outs; the body is http_server_body.cc's.
#include "net/http/http_server_connection.h"

#include <fmt/format.h>
#include <poll.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "core/client_address.h"
#include "core/error_codes.h"
#include "telemetry/task_failures.h"

namespace infra::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kPieceBytes = 16 * 1024;
constexpr std::size_t kTlsRecordBytes = 16 * 1024;
constexpr std::size_t kFilePieceBytes = 64 * 1024;
constexpr std::uint64_t kMaxDiscardedBytes = 64 * 1024 * 1024;
constexpr std::chrono::seconds kMaxDiscardTime{10};
// How long the client may take to close its side after ours is closed.
constexpr std::chrono::seconds kLingerTime{2};

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

// IPv4 clients of a dual-stack listener look like those of an IPv4 one.
std::string peer_text(const tcp::endpoint& peer) {
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
  ~Counted() { end(); }
  void end() {
    if (!std::exchange(ended_, true)) --counter_;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::atomic<std::size_t>& counter_;
  bool ended_ = false;
};

// Its client has closed its side, whatever it has sent before.
bool has_ended(int socket) {
  pollfd polled{socket, POLLRDHUP, 0};
  return ::poll(&polled, 1, 0) > 0;
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerShared> server, std::shared_ptr<Lane> lane, ServerSocket socket,
                       const tcp::endpoint& peer)
    : server_(std::move(server)),
      lane_(std::move(lane)),
      socket_(std::move(socket)),
      peer_(peer_text(peer)),
      accepted_(now()),
      timer_(socket_.get_executor()) {
  ++server_->open;
}

Connection::~Connection() {
  lane_->connections.erase(this);
  give_back_held();
  ErrorCode ignored;
  socket_.close(ignored);  // before the count says so
  place_.reset();
  server_->report_connections();
  server_->release_open();
}

void Connection::enter() {
  place_.emplace(server_->table, rate_key(peer_), accepted_, [weak = weak_from_this(), &loop = lane_->loop] {
    asio::post(loop, [weak] {
      if (const auto self = weak.lock()) self->abort();
    });
  });
  server_->report_connections();
}

Task<void> Connection::run() {
  lane_->connections.insert(this);
  ErrorCode ignored;
  socket_.non_blocking(true, ignored);
  Next next = Next::keep;
  if (server_->options.tls != nullptr) {
    tls_.emplace(*server_->options.tls->current(), socket_.native_handle());
    if (!co_await shake_hands()) co_return;
  }
  if (place_->standing() == Standing::reserve && server_->table.limits().reserve == 0) {
    next = co_await refuse(Error{errors::too_many_connections, "The server has too many connections; try again later.",
                                 std::chrono::seconds(1)});
  }
  while (next == Next::keep) next = co_await serve_request();
  if (next == Next::discard) co_await discard_and_close();
  if (tls_) tls_->say_goodbye();
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
}

void Connection::close_if_idle() {
  ErrorCode ignored;
  if (idle_) socket_.cancel(ignored);
  if (stream_ != nullptr) stream_->stop();
}

void Connection::abort() {
  ErrorCode ignored;
  socket_.close(ignored);
  if (stream_ != nullptr) stream_->stop();
}

void Connection::hurry() {
  if (waiting_ != nullptr) set_deadline(waiting_->deadline(server_->pace(held_)));
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
    if (first_) {
      header_deadline = accepted_ + server_->options.first_request_timeout;
      set_deadline(header_deadline);
    } else if (idle_) {
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
  Counted in_flight(server_->requests_in_flight);
  first_ = false;
  place_->begin_request(request_.arrived);
  begin_body(head);
  request_.peer = peer_;
  request_.body = this;
  request_.origin = this;
  ResponseFraming framing{.http_1_0 = head.http_1_0, .head = request_.method == "HEAD"};
  set_deadline(SteadyTime::max());
  Response response = co_await call_handler();
  // A stranger's answer is not waited for where room is needed, a client's is.
  if (!place_->is_client()) place_->end_request();
  skip_buffered_body();
  if (response.stream != nullptr) {
    in_flight.end();
    co_return co_await stream(std::move(response), framing);
  }
  framing.keep_alive = head.keep_alive && body_done_ && !server_->draining && !asks_to_close(response);
  const bool sent = co_await send(response, framing);
  place_->end_request();
  give_back_held();
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
  reading_ = {};
  write_head(response, framing, head_text_);
  if (!sends_body(response, framing)) return write_all({asio::buffer(head_text_), {}});
  if (response.file != nullptr) return send_file(*response.file);
  held_ += response.body.size();
  server_->bytes.take_anyway(response.body.size());
  if (tls_ && head_text_.size() + response.body.size() <= kTlsRecordBytes) {  // one record instead of two
    head_text_ += response.body;
    return write_all({asio::buffer(head_text_), {}});
  }
  return write_all({asio::buffer(head_text_), asio::buffer(response.body)});
}

// Once its head is out, only breaking off can tell that a file can't be read to its end.
Task<bool> Connection::send_file(ByteSource& file) {
  std::vector<char> piece(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), kFilePieceBytes)));
  bool begun = false;
  for (std::uint64_t left = file.size(); left > 0;) {
    set_deadline(SteadyTime::max());
    const auto room = std::span(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size())));
    const Result<std::size_t> got = co_await file.read(room);
    if (!got || *got == 0) co_return false;
    const auto head = begun ? asio::const_buffer() : asio::buffer(head_text_);
    if (!co_await write_all({head, asio::buffer(piece.data(), *got)})) co_return false;
    begun = true;
    left -= *got;
  }
  co_return true;
}

// Its client is a client, whom nobody comes for: it keeps its place in the table. What it has not read is one piece,
// and what the kernel holds.
Task<Connection::Next> Connection::stream(Response response, ResponseFraming framing) {
  framing.keep_alive = false;
  stream_ = response.stream;
  reading_ = {};
  write_head(response, framing, head_text_);
  bool sent = co_await write_all({asio::buffer(head_text_), {}});
  give_back_held();
  if (response.afterwards) std::exchange(response.afterwards, {})();
  if (sent && !framing.head) sent = co_await send_pieces(*response.stream, framing);
  response.stream->stop();
  stream_.reset();
  place_->end_request();
  co_return sent ? Next::discard : Next::close;
}

Task<bool> Connection::send_pieces(StreamedBody& stream, ResponseFraming framing) {
  if (server_->draining) stream.stop();
  while (true) {
    set_deadline(SteadyTime::max());
    watch_for_end();
    std::string piece;
    try {
      piece = co_await stream.next();
    } catch (...) {
      report_task_failure("HTTP stream", std::current_exception());
      co_return false;  // which tells the client that it was no orderly end
    }
    reading_ = {};  // each piece has a patience of its own
    const bool last = piece.empty();
    if (framing.http_1_0 && last) co_return true;
    if (!framing.http_1_0) piece = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    if (!co_await write_all({asio::buffer(piece), {}})) co_return false;
    if (last) co_return true;
  }
}

// A client that leaves takes its stream with it. Once a piece, because what a client sends meanwhile stays unread.
void Connection::watch_for_end() {
  socket_.async_wait(tcp::socket::wait_read, [weak = weak_from_this()](const ErrorCode& error) {
    const auto self = weak.lock();
    if (error || !self || self->stream_ == nullptr) return;
    if (has_ended(self->socket_.native_handle())) self->stream_->stop();
  });
}

Task<bool> Connection::write_all(std::array<asio::const_buffer, 2> buffers) {
  while (true) {
    // Most answers fit into the socket at once, which saves the way through the loop.
    ErrorCode error;
    auto step = TlsStream::Step::write;
    std::size_t sent = tls_ ? write_encrypted(buffers[buffers[0].size() == 0 ? 1 : 0], error, step)
                            : socket_.write_some(buffers, error);
    reading_.moved(sent);
    for (asio::const_buffer& buffer : buffers) {
      const std::size_t part = std::min(sent, buffer.size());
      buffer += part;
      sent -= part;
    }
    if (error && error != asio::error::would_block && error != asio::error::interrupted) co_return false;
    if (asio::buffer_size(buffers) == 0) co_return true;
    if (error != asio::error::would_block) continue;
    begin_wait(reading_);
    const bool ready = co_await ready_for(step);
    end_wait();
    if (!ready) co_return false;
  }
}

// 0 at the end of what the client sends, whatever ended it.
Task<std::size_t> Connection::receive(std::span<char> into) {
  if (tls_) co_return co_await receive_decrypted(into);
  const auto [error, got] = co_await socket_.async_read_some(asio::buffer(into.data(), into.size()), kAwait);
  request_.arrived = now();
  co_return error ? 0 : got;
}

Task<std::size_t> Connection::receive_body(std::span<char> into) {
  begin_wait(sending_);
  const std::size_t got = co_await receive(into);
  end_wait();
  sending_.moved(got);
  co_return got;
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
  if (tls_) tls_->say_goodbye();
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

void Connection::begin_wait(Patience& patience) {
  waiting_ = &patience;
  patience.begin_wait(now());
  set_deadline(patience.deadline(server_->pace(held_)));
}

void Connection::end_wait() {
  waiting_->end_wait(now());
  if (timed_out_ && hard_deadline_ == SteadyTime::max()) server_->tell_closed("slow");
  waiting_ = nullptr;
}

void Connection::give_back_held() {
  server_->bytes.give_back(std::exchange(held_, 0));
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
  // What was short may be there again.
  if (waiting_ != nullptr) deadline_ = std::min(waiting_->deadline(server_->pace(held_)), hard_deadline_);
  if (deadline_ == SteadyTime::max()) return;
  if (now() < deadline_) return arm(deadline_);
  timed_out_ = true;
  ErrorCode ignored;
  socket_.cancel(ignored);
}

}  // namespace infra::net
