// The connection's side as a BodyStream: bytes go from the socket straight into the reader's memory.
#include <algorithm>
#include <boost/asio/buffer.hpp>

#include "core/error_codes.h"
#include "net/http/http_server_connection.h"

namespace infra::net {

namespace {

constexpr std::size_t kChunkBufferBytes = 16 * 1024;  // also bounds a chunk's extensions and the trailer

}  // namespace

void Connection::begin_body(const RequestHead& head) {
  framing_ = head.framing;
  body_done_ = head.framing == Framing::none;
  continue_owed_ = head.expects_continue && buffer_.empty();
  body_error_.reset();
  sending_ = {};
  remaining_ = head.content_length;
  announced_.reset();
  if (head.framing != Framing::chunked) announced_ = head.content_length;
}

std::optional<std::uint64_t> Connection::content_length() const {
  return announced_;
}

bool Connection::try_hold(std::uint64_t bytes) {
  const bool taken = server_->bytes.try_take(bytes);
  if (taken) held_ += bytes;
  return taken;
}

Task<Result<void>> Connection::hold(std::uint64_t bytes) {
  set_deadline(SteadyTime::max());  // it is not the client that is waited for
  const auto deadline = std::chrono::steady_clock::now() + server_->options.body_bytes_timeout;
  if (!co_await server_->bytes.take(bytes, deadline)) {
    co_return fail(Error{errors::overloaded,
                         "The requests and answers under way fill the memory that there is for them; try again in a "
                         "moment.",
                         std::chrono::seconds(1)});
  }
  held_ += bytes;
  co_return Result<void>{};
}

Task<Result<std::size_t>> Connection::read(std::span<char> buffer) {
  if (body_error_) co_return fail(*body_error_);
  if (body_done_ || buffer.empty()) co_return 0;
  if (continue_owed_) {
    continue_owed_ = false;
    // A failure shows in the read below.
    (void)co_await write_all({boost::asio::buffer("HTTP/1.1 100 Continue\r\n\r\n", 25), {}});
  }
  Result<std::size_t> got = framing_ == Framing::length ? co_await read_length(buffer) : co_await read_chunks(buffer);
  if (!got) body_error_ = got.error();
  co_return got;
}

Task<Result<std::size_t>> Connection::read_length(std::span<char> buffer) {
  if (buffer.size() > remaining_) buffer = buffer.first(static_cast<std::size_t>(remaining_));
  std::size_t got = std::min(buffer.size(), buffer_.size());
  if (got > 0) {
    std::ranges::copy(buffer_.data().substr(0, got), buffer.begin());
    buffer_.consume(got);
  } else {
    got = co_await receive_body(buffer);
    if (got == 0) co_return fail(broken_off());
  }
  remaining_ -= got;
  body_done_ = remaining_ == 0;
  co_return got;
}

Task<Result<std::size_t>> Connection::read_chunks(std::span<char> buffer) {
  while (true) {
    const Result<ChunkStep> step = parser_.parse_chunks(buffer_.data(), buffer);
    if (!step) co_return fail(step.error());
    buffer_.consume(step->consumed);
    body_done_ = step->finished;
    if (step->produced > 0 || body_done_) co_return step->produced;
    const std::span<char> room = buffer_.prepare(kChunkBufferBytes);
    if (room.empty()) {
      co_return fail(errors::body_incomplete, "A chunk header or the trailer of the body is too long.");
    }
    const std::size_t got = co_await receive_body(room);
    if (got == 0) co_return fail(broken_off());
    buffer_.commit(got);
  }
}

// What the handler left unread but has arrived already need not cost the connection.
void Connection::skip_buffered_body() {
  if (body_done_ || body_error_) return;
  if (framing_ == Framing::length) {
    if (remaining_ > buffer_.size()) return;
    buffer_.consume(static_cast<std::size_t>(remaining_));
    remaining_ = 0;
    body_done_ = true;
    return;
  }
  std::array<char, 1024> dropped{};
  while (!body_done_ && !buffer_.empty()) {
    const Result<ChunkStep> step = parser_.parse_chunks(buffer_.data(), dropped);
    if (!step) body_error_ = step.error();
    if (!step || (step->consumed == 0 && !step->finished)) return;
    buffer_.consume(step->consumed);
    body_done_ = step->finished;
  }
}

Error Connection::broken_off() const {
  if (timed_out_) {
    return Error{errors::body_timeout, "The request body stopped arriving."};
  }
  return Error{errors::body_incomplete, "The connection ended before the request body was complete."};
}

}  // namespace infra::net
