// A server with a handler for each thing that the tests of the HTTP server ask for.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/error_codes.h"
#include "core/mutex.h"
#include "net/http/beast_http_server.h"
#include "net/http/test_http_client.h"
#include "net/loops/event_loops.h"
#include "net/loops/one_shot_event.h"
#include "telemetry/overload.h"

namespace infra::net {

using std::chrono::seconds;

inline SteadyTime in(seconds delay) {
  return std::chrono::steady_clock::now() + delay;
}

inline Response text(int status, std::string body) {
  return Response{.status = status, .headers = {}, .body = std::move(body)};
}

inline int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid:
      return 400;
    case ErrorKind::timeout:
      return 408;
    case ErrorKind::too_large:
      return 413;
    case ErrorKind::unavailable:
      return 503;
    default:
      return 500;
  }
}

inline Response answer_error(const Error& error) {
  return text(status_of(error.kind), error.code);
}

// What of it is asked for, and when it fails.
struct TestFileState {
  std::uint64_t size = 10 * 1024 * 1024;
  std::uint64_t fails_at = std::numeric_limits<std::uint64_t>::max();
  std::atomic<std::uint64_t> read = 0;  // over all
};

class TestFile final : public ByteSource {
 public:
  explicit TestFile(TestFileState& state) : state_(state) {}
  [[nodiscard]] std::uint64_t size() const override { return state_.size; }
  Task<Result<std::size_t>> read(std::span<char> buffer) override {
    if (read_ >= state_.fails_at) co_return fail(errors::disk_error, "told to fail");
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), state_.size - read_));
    for (std::size_t i = 0; i < count; ++i) buffer[i] = static_cast<char>('a' + (read_ + i) % 23);
    read_ += count;
    state_.read += count;
    co_return count;
  }

 private:
  TestFileState& state_;
  std::uint64_t read_ = 0;
};

// Gives the pieces that a test puts in.
class TestStream final : public StreamedBody {
 public:
  Task<std::string> next() override {
    while (true) {
      std::shared_ptr<OneShotEvent> changed;
      {
        const MutexLock lock(mutex_);
        if (!pieces_.empty()) {
          ++taken;
          std::string piece = std::move(pieces_.front());
          pieces_.pop_front();
          co_return piece;
        }
        if (stopped) co_return std::string();
        changed = changed_ = OneShotEvent::create();
      }
      (void)co_await changed->wait_until(SteadyTime::max());
    }
  }
  void stop() override {
    const MutexLock lock(mutex_);
    stopped = true;
    changed_->notify();
  }
  void put(std::string piece) {
    const MutexLock lock(mutex_);
    pieces_.push_back(std::move(piece));
    changed_->notify();
  }
  std::atomic<bool> stopped = false;
  std::atomic<int> taken = 0;

 private:
  Mutex mutex_;
  std::deque<std::string> pieces_ INFRA_GUARDED_BY(mutex_);
  std::shared_ptr<OneShotEvent> changed_ INFRA_GUARDED_BY(mutex_) = OneShotEvent::create();
};

class HttpServerTest : public testing::Test {
 protected:
  ~HttpServerTest() override { loops_.stop(); }

  void start(HttpServerOptions options = {}) {
    options.overload = &overload_;
    server_ = std::make_unique<BeastHttpServer>(
        loops_, std::move(options), [this](Request& request) { return handle(request); }, answer_error);
    const Result<void> started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }

  Task<Response> handle(Request& request) {
    ++handled_;
    if (request.path == "/hello") co_return text(200, "hello");
    if (request.path == "/refuse") co_return text(401, "no");
    if (request.path == "/empty") co_return text(204, "");
    if (request.path == "/throw") throw std::runtime_error("thrown by a test");
    if (request.path == "/keyed") co_return text(request.origin->show_key() ? 200 : 503, "keyed");
    if (request.path == "/health") {
      request.origin->ask_for_health();
      co_return text(200, "well");
    }
    if (request.path == "/file") {
      co_return Response{.status = 200, .headers = {}, .body = {}, .file = std::make_shared<TestFile>(file_)};
    }
    if (request.path == "/stream") {
      Response response = text(200, "");
      response.stream = stream_;
      co_return response;
    }
    if (request.path == "/large") co_return text(200, std::string(8 * 1024 * 1024, 'x'));
    if (request.path == "/split") {
      Response response = text(200, "");
      response.headers.add("X-Copied", "a\r\nX-Injected: b");
      response.headers.add("X-Bad\r\nName", "c");
      response.headers.add("Content-Length", "999");
      co_return response;
    }
    if (request.path == "/wait") {
      entered_->notify();
      (void)co_await gate_->wait_until(in(seconds(20)));
      co_return text(200, "waited");
    }
    if (request.path == "/describe") {
      co_return text(200, fmt::format("{} {} ? {} from {} length {}", request.method, request.path, request.query,
                                      request.peer, request.body->content_length().value_or(77)));
    }
    if (request.path == "/count") co_return co_await count(request);
    const Result<std::string> body = co_await read_all(*request.body, 1024);
    co_return body ? text(200, *body) : answer_error(body.error());
  }

  Task<Response> count(Request& request) {
    std::vector<char> piece(64 * 1024);
    std::uint64_t total = 0;
    while (true) {
      const Result<std::size_t> got = co_await request.body->read(piece);
      if (!got) {
        read_error_.set_value(got.error().code);
        co_return answer_error(got.error());
      }
      if (*got == 0) break;
      total += *got;
    }
    co_return text(200, std::to_string(total));
  }

  void wait_for(const std::shared_ptr<OneShotEvent>& event) {
    bool notified = false;
    loops_.run_blocking([](std::shared_ptr<OneShotEvent> mine, bool& result) -> Task<void> {
      result = co_await mine->wait_until(in(seconds(20)));
    }(event, notified));
    ASSERT_TRUE(notified);
  }

  bool drained(SteadyTime deadline) {
    bool done = false;
    loops_.run_blocking([](BeastHttpServer& server, SteadyTime until, bool& result) -> Task<void> {
      result = co_await server.drained(until);
    }(*server_, deadline, done));
    return done;
  }

  Overload overload_{[] { return SteadyTime{}; }};  // before the loops, whose threads look at it
  EventLoops loops_{2, 1};
  std::shared_ptr<OneShotEvent> entered_ = OneShotEvent::create();
  std::shared_ptr<OneShotEvent> gate_ = OneShotEvent::create();
  std::promise<std::string> read_error_;
  TestFileState file_;
  std::shared_ptr<TestStream> stream_ = std::make_shared<TestStream>();
  std::atomic<int> handled_ = 0;
  std::unique_ptr<BeastHttpServer> server_;
};

inline constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace infra::net
