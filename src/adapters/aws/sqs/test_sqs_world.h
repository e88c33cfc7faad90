// A small server that speaks SQS's JSON protocol and notes what it is asked, for tests of how requests are made: what
// it answers, and when, is the test's to say.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/system/system_clock.h"
#include "adapters/system/system_executor.h"
#include "adapters/system/system_random.h"
#include "core/mutex.h"
#include "net/http/beast_http_server.h"
#include "net/http/curl_http_client.h"
#include "net/loops/event_loops.h"
#include "net/loops/one_shot_event.h"
#include "support/manual_clock.h"
#include "support/memory_objects.h"
#include "support/static_credentials.h"

namespace infra::testing {

inline net::Response sqs_answer(const boost::json::object& body) {
  return {.status = 200, .headers = {}, .body = boost::json::serialize(body)};
}
inline net::Response sqs_refusal(int status, const std::string& name) {
  return {.status = status,
          .headers = {},
          .body = fmt::format(R"({{"__type":"com.amazonaws.sqs#{}","message":"told to"}})", name)};
}

struct SqsCall {
  std::string action;
  boost::json::object body;
};

class SqsTestServer {
 public:
  using Answer = std::function<net::Response(const SqsCall& call)>;

  explicit SqsTestServer(net::EventLoops& loops)
      : server_(
            loops, {}, [this](net::Request& request) { return handle(request); },
            [](const Error& error) { return sqs_refusal(500, error.code); }) {
    EXPECT_TRUE(server_.start());
  }
  void close() { server_.close(); }
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", server_.port()); }

  // Before anything is asked. Without it every change succeeds.
  void answer_with(Answer answer) { answer_ = std::move(answer); }
  // From now on answers wait for release().
  void hold() {
    const MutexLock lock(mutex_);
    gate_ = net::OneShotEvent::create();
  }
  // Requests each wait on an event of their own.
  void release() {
    const MutexLock lock(mutex_);
    gate_ = nullptr;
    for (const auto& event : held_) event->notify();
    held_.clear();
  }
  void await_calls(std::size_t count) {
    const MutexLock lock(mutex_);
    while (calls_.size() < count) changed_.wait(mutex_);
  }
  [[nodiscard]] std::vector<SqsCall> calls(const std::string& action) const {
    const MutexLock lock(mutex_);
    std::vector<SqsCall> found;
    for (const auto& call : calls_) {
      if (call.action == action) found.push_back(call);
    }
    return found;
  }
  [[nodiscard]] std::size_t count() const {
    const MutexLock lock(mutex_);
    return calls_.size();
  }

  [[nodiscard]] static net::Response succeed(const SqsCall& call) {
    boost::json::array successful;
    if (const auto* entries = call.body.if_contains("Entries")) {
      for (const auto& entry : entries->as_array()) successful.push_back({{"Id", entry.at("Id")}});
    }
    return sqs_answer({{"Successful", std::move(successful)}});
  }

 private:
  Task<net::Response> handle(net::Request& request) {
    const auto body = co_await net::read_all(*request.body, 16 * 1024 * 1024);
    SqsCall call;
    call.action = std::string(request.headers.find("x-amz-target").value_or("")).substr(sizeof("AmazonSQS.") - 1);
    call.body = boost::json::parse(body.value()).as_object();
    const auto event = note(call);
    if (event) co_await event->wait_until(SteadyTime::max());
    co_return answer_(call);
  }
  std::shared_ptr<net::OneShotEvent> note(const SqsCall& call) {
    const MutexLock lock(mutex_);
    calls_.push_back(call);
    changed_.notify_all();
    if (!gate_) return nullptr;
    held_.push_back(net::OneShotEvent::create());
    return held_.back();
  }

  Answer answer_ = succeed;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<SqsCall> calls_ INFRA_GUARDED_BY(mutex_);
  std::shared_ptr<net::OneShotEvent> gate_ INFRA_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<net::OneShotEvent>> held_ INFRA_GUARDED_BY(mutex_);
  net::BeastHttpServer server_;
};

// Loops, the server, a client of it, and a clock that stands still for whoever waits for company.
class SqsTestWorld : public ::testing::Test {
 protected:
  SqsTestWorld() = default;
  ~SqsTestWorld() override {
    server.release();
    server.close();
    loops.stop();
  }

  template <typename T>
  T run(Task<T> task) {
    std::optional<T> value;
    loops.run_blocking(keep(std::move(task), value));
    return std::move(*value);
  }

  ManualClock clock;
  SystemClock real_clock;
  SystemRandom random;
  net::EventLoops loops{2, 1};
  SystemExecutor executor{loops};
  SqsTestServer server{loops};
  net::CurlHttpClient http{loops};
  StaticCredentials credentials{"AKIDEXAMPLE", "secret"};
  aws::AwsClient sqs{
      {.name = "sqs", .region = "eu-central-1", .endpoint = server.url()}, http, credentials, real_clock, random};

 private:
  template <typename T>
  static Task<void> keep(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }
};

}  // namespace infra::testing
