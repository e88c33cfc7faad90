// What the tests of the stores on DynamoDB stand on: tables of their own, raw rows as others write them, and a
// middleman between a store and its table that counts, loses, refuses and holds up what passes.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/aws/auth/sigv4.h"
#include "adapters/aws/dynamodb/dynamodb_function_store.h"
#include "adapters/aws/dynamodb/dynamodb_item.h"
#include "adapters/aws/dynamodb/dynamodb_log_store.h"
#include "adapters/aws/dynamodb/dynamodb_run_recorder.h"
#include "contract/sample_rows.h"
#include "core/mutex.h"
#include "integration/aws_world.h"
#include "net/http/beast_http_server.h"

namespace infra {

class DynamoDbWorld : public AwsWorld {
 public:
  DynamoDbWorld() { loops.spawn("test", functions_.refresh()); }
  ~DynamoDbWorld() override { loops.stop(); }

  DynamoDbFunctionStore& functions() { return functions_; }
  DynamoDbLogStore& logs() { return logs_; }
  DynamoDbRunRecorder& recorder() { return recorder_; }
  [[nodiscard]] RecorderTables tables() const { return {.functions = functions_table, .logs = logs_table}; }

  boost::json::object ask(std::string_view action, boost::json::object body) {
    auto answer =
        run(dynamodb.call_json(fmt::format("DynamoDB_20120810.{}", action), std::move(body), aws::Repeat::safe));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer.value_or(boost::json::object{});
  }
  void put_raw(const std::string& table, boost::json::object item) {
    ask("PutItem", {{"TableName", table}, {"Item", std::move(item)}});
  }
  boost::json::object raw_function(const std::string& id) {
    const boost::json::object key{{"functionId", aws::text_attribute(id)}};
    return ask("GetItem", {{"TableName", functions_table}, {"Key", key}})["Item"].get_object();
  }
  std::int64_t invocations_of(const std::string& id) { return aws::function_from(raw_function(id)).invocations; }

  const std::string functions_table = peers.make_functions_table();
  const std::string logs_table = peers.make_logs_table();

 private:
  // Real time: the recorder's contract waits two seconds of it for a count to be seen.
  DynamoDbFunctionStore functions_{dynamodb, functions_table, real_clock, {}};
  DynamoDbLogStore logs_{dynamodb, logs_table, clock};
  DynamoDbRunRecorder recorder_{dynamodb, tables(), random};
};

// Its client asks it in place of DynamoDB; what it passes on it signs anew.
class Middleman {
 public:
  enum class Fault : std::uint8_t {
    lose,    // carried out, and the answer is lost
    refuse,  // not carried out: too many requests
    hold,    // carried out, and not answered before release()
  };

  explicit Middleman(AwsWorld& world)
      : world_(world),
        server_(
            world.loops, {}, [this](net::Request& request) { return pass_on(request); },
            [](const Error& error) { return answer(500, error.message); }) {
    EXPECT_TRUE(server_.start());
    client_ =
        std::make_unique<aws::AwsClient>(world.service("dynamodb", fmt::format("http://127.0.0.1:{}", server_.port())),
                                         world.http, world.credentials, world.real_clock, world.random);
  }

  [[nodiscard]] aws::AwsClient& client() { return *client_; }
  [[nodiscard]] int count(const std::string& action) {
    const MutexLock lock(mutex_);
    return counts_[action];
  }
  [[nodiscard]] int count() {
    const MutexLock lock(mutex_);
    int all = 0;
    for (const auto& [action, times] : counts_) all += times;
    return all;
  }
  void await(const std::string& action, int count) {
    const MutexLock lock(mutex_);
    while (counts_[action] < count) changed_.wait(mutex_);
  }
  // What befalls the next requests of this action.
  void befall(const std::string& action, std::vector<Fault> faults) {
    const MutexLock lock(mutex_);
    faults_[action].assign(faults.begin(), faults.end());
  }
  // Nothing is carried out and everything is answered 500.
  void set_away(bool away) {
    const MutexLock lock(mutex_);
    away_ = away;
  }
  void await_held() {
    const MutexLock lock(mutex_);
    while (held_ == nullptr) changed_.wait(mutex_);
  }
  void release() {
    const MutexLock lock(mutex_);
    std::exchange(held_, nullptr)->notify();
  }

 private:
  static net::Response answer(int status, std::string body) {
    return {.status = status, .headers = {}, .body = std::move(body)};
  }

  std::optional<Fault> note(const std::string& action) {
    const MutexLock lock(mutex_);
    ++counts_[action];
    changed_.notify_all();
    auto& coming = faults_[action];
    if (coming.empty()) return std::nullopt;
    const Fault fault = coming.front();
    coming.pop_front();
    return fault;
  }
  [[nodiscard]] bool is_away() {
    const MutexLock lock(mutex_);
    return away_;
  }

  Task<net::Response> pass_on(net::Request& request) {
    const std::string target(request.headers.find("x-amz-target").value_or(""));
    const auto body = co_await net::read_all(*request.body, 1 << 24);
    const auto fault = note(target.substr(target.find('.') + 1));
    if (is_away()) co_return answer(500, R"({"__type":"x#InternalServerError"})");
    if (fault == Fault::refuse) co_return answer(400, R"({"__type":"x#ThrottlingException"})");
    const auto carried_out = co_await world_.http.send(signed_for_the_gate(target, body.value_or("")));
    if (!carried_out || fault == Fault::lose) co_return answer(500, R"({"__type":"x#InternalServerError"})");
    if (fault == Fault::hold) co_await hold();
    co_return answer(carried_out->status, carried_out->body);
  }

  [[nodiscard]] net::ClientRequest signed_for_the_gate(const std::string& target, std::string body) const {
    const std::string upstream = world_.peers.dynamodb_endpoint();
    net::ClientRequest request{.method = "POST", .url = upstream + "/", .body = std::move(body)};
    request.headers.add("Host", upstream.substr(upstream.find("://") + 3));
    request.headers.add("Content-Type", "application/x-amz-json-1.0");
    request.headers.add("X-Amz-Target", target);
    const auto signature =
        aws::sign({.method = "POST",
                   .path = "/",
                   .query = "",
                   .headers = request.headers,
                   .payload_hash = aws::sha256_hex(request.body)},
                  {.access_key_id = world_.peers.access_key_id(),
                   .secret_access_key = world_.peers.secret_access_key(),
                   .session_token = ""},
                  {.region = world_.peers.region(), .service = "dynamodb", .time = world_.real_clock.now()},
                  aws::signing_rules("dynamodb"));
    for (const auto& [name, value] : signature.headers.all()) request.headers.add(name, value);
    return request;
  }

  Task<void> hold() {
    const auto signal = world_.real_clock.make_signal();
    {
      const MutexLock lock(mutex_);
      held_ = signal;
    }
    changed_.notify_all();
    co_await signal->wait_until(SteadyTime::max());
  }

  AwsWorld& world_;
  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, int> counts_ INFRA_GUARDED_BY(mutex_);  // by action
  std::map<std::string, std::deque<Fault>> faults_ INFRA_GUARDED_BY(mutex_);
  bool away_ INFRA_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Signal> held_ INFRA_GUARDED_BY(mutex_);
  net::BeastHttpServer server_;
  std::unique_ptr<aws::AwsClient> client_;
};

class DynamoDbTest : public ::testing::Test {
 protected:
  using Fault = Middleman::Fault;
  ~DynamoDbTest() override { world_.loops.stop(); }

  void insert(FunctionStore& store, const std::string& id) {
    const auto inserted = world_.run(store.insert(make_function(id, world_.now())));
    ASSERT_TRUE(inserted) << inserted.error().message;
  }
  // Every event thread has begun what it was given before.
  void settle() {
    for (std::size_t i = 0; i < world_.loops.size(); ++i) world_.run_void(nothing());
  }
  // Starts `count` of what `make` makes, and says at the end of it.
  template <typename Make>
  void spawn_all(int count, std::atomic<int>& left, Make make) {
    left = count;
    for (int i = 0; i < count; ++i) world_.spawn(then_count_down(make(i), left));
  }
  static void await_all(std::atomic<int>& left) {
    for (int seen = left; seen > 0; seen = left) left.wait(seen);
  }

  DynamoDbWorld world_;
  Middleman between_{world_};

 private:
  static Task<void> nothing() { co_return; }
  static Task<void> then_count_down(Task<void> task, std::atomic<int>& left) {
    co_await std::move(task);
    if (--left == 0) left.notify_all();
  }
};

}  // namespace infra
