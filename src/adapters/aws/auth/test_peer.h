// A small server on loopback that answers as a test tells it, and the world around it: what the tests of this folder
// talk to in place of AWS.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "adapters/system/system_executor.h"
#include "core/mutex.h"
#include "net/http/beast_http_server.h"
#include "net/http/curl_http_client.h"
#include "net/loops/event_loops.h"

namespace infra::aws {

struct Seen {
  std::string method;
  std::string path;
  std::string query;
  net::Headers headers;
  std::string body;
  [[nodiscard]] std::string header(std::string_view name) const {
    return std::string(headers.find(name).value_or("(none)"));
  }
};

inline net::Response reply(int status, std::string body = "") {
  return {.status = status, .headers = {}, .body = std::move(body)};
}
inline net::Response reply(int status, std::string body, const net::Header& header) {
  auto response = reply(status, std::move(body));
  response.headers.add(header.first, header.second);
  return response;
}

class TestPeer {
 public:
  // Given the request and how many came before it. Status 0: never answers.
  using Script = std::function<net::Response(const Seen& seen, std::size_t index)>;

  explicit TestPeer(net::EventLoops& loops)
      : server_(
            loops, {}, [this](net::Request& request) { return answer(request); },
            [](const Error& error) { return reply(500, error.message); }) {
    const auto started = server_.start();
    if (!started) throw std::runtime_error(started.error().message);
  }

  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  [[nodiscard]] std::string url() const { return "http://" + host(); }
  void say(Script script) {
    const MutexLock lock(mutex_);
    script_ = std::move(script);
    seen_.clear();
  }
  void say(net::Response response) {
    say([response](const Seen&, std::size_t) { return response; });
  }
  [[nodiscard]] std::size_t count() {
    const MutexLock lock(mutex_);
    return seen_.size();
  }
  [[nodiscard]] Seen seen(std::size_t index) {
    const MutexLock lock(mutex_);
    return seen_.at(index);
  }
  void await(std::size_t requests) {
    const MutexLock lock(mutex_);
    while (seen_.size() < requests) came_.wait(mutex_);
  }
  void close() { server_.close(); }

 private:
  Task<net::Response> answer(net::Request& request) {
    const auto body = co_await net::read_all(*request.body, 1 << 24);
    net::Response response;
    {
      const MutexLock lock(mutex_);
      seen_.push_back({request.method, request.path, request.query, request.headers, body.value_or("?")});
      response = script_(seen_.back(), seen_.size() - 1);
    }
    came_.notify_all();
    if (response.status == 0) {
      boost::asio::steady_timer never(co_await boost::asio::this_coro::executor, std::chrono::hours(1));
      co_await never.async_wait(boost::asio::use_awaitable);
    }
    co_return response;
  }

  Mutex mutex_;
  CondVar came_;
  Script script_ INFRA_GUARDED_BY(mutex_) = [](const Seen&, std::size_t) { return reply(200); };
  std::vector<Seen> seen_ INFRA_GUARDED_BY(mutex_);
  net::BeastHttpServer server_;
};

class PeerTest : public testing::Test {
 protected:
  ~PeerTest() override {
    peer_.close();
    loops_.stop();
  }

  template <typename T>
  T run(Task<T> task) {
    std::optional<T> out;
    loops_.run_blocking(into(std::move(task), out));
    return std::move(out.value());
  }

  // What the one event thread has begun is done.
  void settle() { (void)run(nothing()); }

 private:
  static Task<bool> nothing() { co_return true; }
  template <typename T>
  static Task<void> into(Task<T> task, std::optional<T>& out) {
    out.emplace(co_await std::move(task));
  }

 protected:
  net::EventLoops loops_{1, 1};
  SystemExecutor executor_{loops_};
  net::CurlHttpClient http_{loops_};
  TestPeer peer_{loops_};
};

}  // namespace infra::aws
