// What the tests of the simulated AWS stand on: a seed, and one thread on which time passes when nothing else is left
// to do.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "adapters/aws/aws_client.h"
#include "adapters/system/background_thread.h"
#include "core/sha256.h"
#include "platform/engines/aws/simulated_aws.h"
#include "platform/engines/aws/simulated_http_client.h"
#include "ports/executor.h"
#include "support/manual_clock.h"
#include "support/static_credentials.h"

namespace infra::simulation {

class TestSeed final : public Random {
 public:
  explicit TestSeed(std::uint64_t seed = 1) : random_(seed) {}
  void fill(std::span<std::byte> out) override {
    for (auto& byte : out) byte = static_cast<std::byte>(random_());
  }

 private:
  std::mt19937_64 random_;  // NOLINT: a failure must repeat itself
};

// Blocking work is done where it is asked for; coroutines run on the world's thread.
class SteppedExecutor final : public Executor {
 public:
  explicit SteppedExecutor(boost::asio::io_context& loop) : loop_(loop) {}
  void spawn(TaskOwner, Task<void> task) override {
    boost::asio::co_spawn(loop_, std::move(task), [](const std::exception_ptr& failure) {
      if (failure) std::rethrow_exception(failure);
    });
  }

  void spawn_on_each(const TaskOwner& owner, const std::function<Task<void>()>& make) override { spawn(owner, make()); }
  Task<void> yield() override { co_await boost::asio::post(loop_, boost::asio::use_awaitable); }
  Task<bool> readable(int, milliseconds) override { co_return false; }
  Task<void> offload(std::function<void()> work) override {
    work();
    co_return;
  }
  std::unique_ptr<Background> background(const char* name, Background::Step step) override {
    return std::make_unique<BackgroundThread>(name, std::move(step));
  }

 private:
  boost::asio::io_context& loop_;
};

inline boost::json::object fields_of(const net::Response& response) {
  return boost::json::parse(response.body.empty() ? "{}" : response.body).as_object();
}

class SteppedAwsWorld {
 public:
  explicit SteppedAwsWorld(std::uint64_t seed = 1) : random(seed) {}

  void spawn(Task<void> task) { executor.spawn("test", std::move(task)); }
  template <typename T>
  T run(Task<T> task) {
    std::optional<T> value;
    spawn(keep(std::move(task), value));
    run_until([&] { return value.has_value(); });
    return std::move(*value);
  }
  // Lets that much time pass, and what it wakes run.
  void pass(milliseconds time) {
    clock.advance(time);
    run_ready();
  }
  void run_ready() {
    loop.restart();
    loop.poll();
  }

  // One attempt, signed as far as it is looked at.
  [[nodiscard]] net::ClientRequest request(const std::string& service, std::string method, std::string path,
                                           std::string body = "") const {
    net::ClientRequest made{
        .method = std::move(method), .url = SimulatedAws::endpoint(service) + path, .body = std::move(body)};
    made.headers.add("Authorization", "AWS4-HMAC-SHA256 …");
    made.headers.add("x-amz-date", date());
    if (service == "s3") made.headers.add("x-amz-content-sha256", sha256_of(made.body));
    return made;
  }
  [[nodiscard]] net::ClientRequest request(std::string_view target, const boost::json::object& fields) const {
    auto made = request(target.starts_with("AmazonSQS") ? "sqs" : "dynamodb", "POST", "/", serialize(fields));
    made.headers.add("X-Amz-Target", std::string(target));
    return made;
  }
  Result<net::Response> ask(std::string_view target, const boost::json::object& fields) {
    return run(http.send(request(target, fields)));
  }
  Result<net::Response> ask_s3(const std::string& method, const std::string& path, const std::string& body = "",
                               const net::Headers& headers = {}) {
    auto made = request("s3", method, path, body);
    for (const auto& [name, value] : headers.all()) made.headers.set(name, value);
    return run(http.send(std::move(made)));
  }
  // The status, or the error's code.
  static std::string outcome(const Result<net::Response>& answer) {
    return answer ? std::to_string(answer->status) : answer.error().code;
  }

  // Until `done` says so.
  template <typename Done>
  void run_until(Done done) {
    while (!done()) {
      run_ready();
      if (!done()) pass(milliseconds{1});
    }
  }

  ManualClock clock;
  TestSeed random;
  std::vector<std::string> complaints;
  SimulatedAws aws{clock, random, [this](const std::string& words) { complaints.push_back(words); }};
  SimulatedHttpClient http{aws, clock};
  boost::asio::io_context loop;  // what is under way ends before what it uses
  SteppedExecutor executor{loop};

 private:
  template <typename T>
  static Task<void> keep(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }
  [[nodiscard]] std::string date() const {
    std::string text = to_iso8601(clock.now()).substr(0, 19);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    return text + "Z";
  }
};

}  // namespace infra::simulation
