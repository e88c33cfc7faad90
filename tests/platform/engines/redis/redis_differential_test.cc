// A real Redis and the simulated one are asked the same, by the adapters and at random, and have to answer the same.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "adapters/redis/leased_job_queue.h"
#include "adapters/redis/redis_concurrency_limiter.h"
#include "adapters/redis/redis_quarantine.h"
#include "adapters/redis/redis_rate_limiter.h"
#include "adapters/redis/redis_result_bus.h"
#include "adapters/redis/redis_worker_registry.h"
#include "adapters/system/system_executor.h"
#include "net/loops/event_loops.h"
#include "net/redis/hiredis_client.h"
#include "net/redis/redis_errors.h"
#include "platform/engines/redis/one_job.h"
#include "platform/engines/redis/step_world.h"
#include "support/inline_executor.h"
#include "support/memory_objects.h"
#include "support/redis_server.h"

namespace infra::testing {
namespace {

using net::RedisCommand;
using net::RedisReply;
using Reply = Result<RedisReply>;

std::string describe(const RedisReply& reply) {
  std::string text = fmt::format("{}:{}:{}[", static_cast<int>(reply.type), reply.text, reply.integer);
  for (const RedisReply& each : reply.elements) text += describe(each) + ",";
  return text + "]";
}

// A hash's fields come in any order: they are sorted, behind what may stand before them.
std::string describe(const Reply& reply, bool has_fields) {
  if (!reply) return reply.error().code + ": " + reply.error().message;
  if (!has_fields) return describe(*reply);
  std::vector<std::string> pairs;
  std::size_t i = reply->elements.size() % 2;
  for (; i + 1 < reply->elements.size(); i += 2) {
    pairs.push_back(describe(reply->elements[i]) + describe(reply->elements[i + 1]));
  }
  std::ranges::sort(pairs);
  return fmt::format("{}{}", reply->elements.size() % 2 == 1 ? describe(reply->elements.front()) : "",
                     fmt::join(pairs, ";"));
}

// Asks both, and answers as the real one.
class BothRedises final : public net::RedisClient {
 public:
  BothRedises(net::RedisClient& real, SimulatedRedis& simulated) : real_(real), simulated_(simulated) {}

  void start() override {}
  Task<Reply> command(RedisCommand words, std::string key, milliseconds) override {
    auto reply = co_await real_.command(words, std::move(key), kPatience);
    compare(words, reply, words.front() == "HGETALL");
    co_return reply;
  }
  Task<Reply> eval(const net::RedisScript& script, std::string key, std::vector<std::string> arguments,
                   milliseconds) override {
    auto reply = co_await real_.eval(script, key, arguments, kPatience);
    RedisCommand words{"EVAL", script.source(), "1", std::move(key)};
    std::ranges::move(arguments, std::back_inserter(words));
    compare(words, reply, script.source().contains("HGETALL"));
    scripts_.insert(script.sha1());
    co_return reply;
  }
  [[nodiscard]] bool connected() const override { return true; }

  std::size_t asked = 0;
  std::string difference;  // the first
  [[nodiscard]] std::size_t scripts() const { return scripts_.size(); }

 private:
  static constexpr milliseconds kPatience{10'000};

  void compare(const RedisCommand& words, const Reply& real, bool has_fields) {
    ++asked;
    const std::string expected = describe(real, has_fields);
    const std::string got = describe(net::judge(simulated_.ask(words)), has_fields);
    if (got == expected || !difference.empty()) return;
    difference = fmt::format("{}\n  real:      {}\n  simulated: {}", fmt::join(words, " "), expected, got);
  }

  net::RedisClient& real_;
  SimulatedRedis& simulated_;
  std::set<std::string> scripts_;
};

class RedisDifferentialTest : public ::testing::Test {
 protected:
  RedisDifferentialTest() {
    real_.start();
    server_.hold_time(std::chrono::time_point_cast<std::chrono::seconds>(clock_.now()));
  }
  ~RedisDifferentialTest() override { loops_.stop(); }

  template <typename T>
  T run(Task<T> task) {
    std::optional<T> value;
    loops_.run_blocking(keep(std::move(task), value));
    return std::move(*value);
  }
  void ask(RedisCommand words) { (void)run(both_.command(std::move(words), "", milliseconds{})); }
  void pass(std::chrono::seconds time) {
    clock_.advance(time);
    server_.hold_time(std::chrono::time_point_cast<std::chrono::seconds>(clock_.now()));
  }

  ManualClock clock_;
  RedisServer server_{{.fake_time = true}};
  net::EventLoops loops_{1, 1};
  SystemExecutor executor_{loops_};
  net::HiredisClient real_{loops_, server_.options()};
  SeededRandom random_{1};
  fakes::InlineExecutor idle_;
  SimulatedRedis simulated_{clock_, idle_, random_};
  BothRedises both_{real_, simulated_};

 private:
  template <typename T>
  static Task<void> keep(Task<T> task, std::optional<T>& value) {
    value.emplace(co_await std::move(task));
  }
};

using Words = std::vector<std::string>;

rc::Gen<std::string> key() {
  return rc::gen::elementOf(Words{"a", "b", "c", "text", "hash"});
}
rc::Gen<std::string> field() {
  return rc::gen::elementOf(Words{"f", "g", "h"});
}
rc::Gen<std::string> text() {
  return rc::gen::elementOf(Words{"", "x", "17", "-3", "9223372036854775807", "007", "1.5", std::string("\0\r\n", 3)});
}
rc::Gen<std::string> number() {
  return rc::gen::elementOf(Words{"0", "1", "-1", "2", "5", "-2", "100", "x", "1e3", "9223372036854775807"});
}
rc::Gen<std::string> score() {
  return rc::gen::elementOf(Words{"0", "1", "-1", "2.5", "1e300", "inf", "-inf", "x", "0.1", "1763856000123"});
}

// Some of them wrong: on keys of another type, with numbers that are none.
RedisCommand random_command() {
  const auto k = *key();
  switch (*rc::gen::inRange(0, 24)) {
    case 0:
      return {"GET", k};
    case 1:
      return {"SET", k, *text()};
    case 2:
      return {"SET", k, *text(), "NX", "EX", *rc::gen::elementOf(Words{"1", "5", "0", "-1", "x"})};
    case 3:
      return {"SET", k, *text(), "PX", *rc::gen::elementOf(Words{"1", "999", "1000", "2500"})};
    case 4:
      return {"SETEX", k, *rc::gen::elementOf(Words{"1", "5", "0", "x"}), *text()};
    case 5:
      return {"DEL", k, *key()};
    case 6:
      return {"EXISTS", k, *key(), k};
    case 7:
      return {"PEXPIRE", k, *rc::gen::elementOf(Words{"0", "-5", "1", "1000", "3000", "x"})};
    case 8:
      return {"PTTL", k};
    case 9:
      return {"HSET", k, *field(), *text(), *field(), *text()};
    case 10:
      return {"HGET", k, *field()};
    case 11:
      return {"HMGET", k, *field(), *field()};
    case 12:
      return {"HGETALL", k};
    case 13:
      return {"HDEL", k, *field(), *field()};
    case 14:
      return {"HINCRBY", k, *field(), *number()};
    case 15:
      return *rc::gen::elementOf(
          std::vector<RedisCommand>{{"HEXISTS", k, "f"}, {"HLEN", k}, {"LLEN", k}, {"ZCARD", k}});
    case 16:
      return {"RPUSH", k, *text(), *text()};
    case 17:
      return {"LPOP", k};
    case 18:
      return {"LINDEX", k, *number()};
    case 19:
      return {"ZADD", k, *score(), *field(), *score(), *field()};
    case 20:
      return {"ZREM", k, *field(), *field()};
    case 21:
      return {"ZSCORE", k, *field()};
    case 22:
      return {"ZREMRANGEBYSCORE", k, *rc::gen::elementOf(Words{"-inf", "0", "(0", "(1", "2.5", "x"}),
              *rc::gen::elementOf(Words{"+inf", "0", "(1", "1", "(2.5", "2.5"})};
    default:
      return *rc::gen::elementOf(std::vector<RedisCommand>{{"PING"}, {"PING", k}, {"ECHO", k}, {"TIME"}});
  }
}

TEST_F(RedisDifferentialTest, AnySequenceOfCommandsIsAnsweredAlike) {
  const bool same = rc::check("commands are answered alike", [this] {
    ask({"FLUSHALL"});
    for (int left = *rc::gen::inRange(1, 80); left > 0; --left) {
      if (*rc::gen::inRange(0, 15) == 0) pass(std::chrono::seconds{*rc::gen::inRange(1, 3)});
      ask(random_command());
      RC_ASSERT(both_.difference == "");
    }
  });
  EXPECT_TRUE(same) << both_.difference;
  EXPECT_GT(both_.asked, 1000U);
}

TEST_F(RedisDifferentialTest, ScriptsGiveAndThrowAlike) {
  for (const char* const source : {"return 3.99",
                                   "return -3.99",
                                   "return {1, 'x', {err = 'INNER'}, false, {ok = 'fine'}, nil, 1}",
                                   "return true",
                                   "return {}",
                                   "return {{{}}}",
                                   "return redis.error_reply('BROKEN by intent')",
                                   "return redis.error_reply('My')",
                                   "return redis.error_reply('-My')",
                                   "return redis.status_reply('fine')",
                                   "return {err = 'a\\nb'}",
                                   "error('x')",
                                   "\n\nerror('x')",
                                   "return nil + 1",
                                   "return nothing",
                                   "made = 1",
                                   "return redis.call('LLEN', 'text')",
                                   "return redis.pcall('LLEN', 'text')",
                                   "local ok, got = pcall(redis.call, 'LLEN', 'text') return {type(ok), got}",
                                   "return {pcall(function(a, b) return a, b end, 1, 2)}",
                                   "local ok, got = pcall(error, {a = 'b'}) return got.a",
                                   "local ok, got = pcall(error, 'x', 0) return got",
                                   "return redis.call('LLEN', {})",
                                   "return redis.call()",
                                   "return redis.pcall()",
                                   "return 2 ^ 53",
                                   "return {tostring(1e15), tostring(0.1), tostring(-0.0)}",
                                   "return {KEYS[1], ARGV[1], #KEYS, #ARGV}",
                                   "return redis.call('SET', KEYS[1], 0.1)",
                                   "return redis.call('GET', KEYS[1])",
                                   "return redis.call('SET', KEYS[1], 1763856000123456)",
                                   "return {type(redis.call('GET', 'none')), KEYS[2]}",
                                   "return cjson.decode('[1,2.5,\"x\",null,true]')",
                                   "return {pcall(string.rep)}",
                                   "return string.format('%.0f', 2 ^ 60)",
                                   "return tonumber('0x10')",
                                   "return tostring(nil)",
                                   "return redis.call('PEXPIRE', KEYS[1], 1500)",
                                   "return redis.call('PTTL', KEYS[1])",
                                   "local function f() error('deep') end f()",
                                   "return redis.call('HINCRBY', 'hash', 'f', 1.5)",
                                   "return redis.call('HINCRBY', 'hash', 'f', -tonumber('3'))"}) {
    ask({"SET", "text", "x"});
    (void)run(both_.eval(net::RedisScript(source), "key", {"argument"}, milliseconds{}));
    EXPECT_EQ(both_.difference, "") << source;
    both_.difference.clear();
  }
}

Job job_of(const std::string& request) {
  Job job;
  job.request_id = {request};
  job.function_id = {"f"};
  job.mode = RunMode::sync;
  job.reply_to = "result-of:c-1";
  return job;
}

SharedResult printed(const std::string& request, std::string text) {
  JobResult result;
  result.request_id = {request};
  result.function_id = {"f"};
  result.out = std::move(text);
  return std::make_shared<const JobResult>(std::move(result));
}

// What the adapters ask, whatever it is: their scripts among it.
TEST_F(RedisDifferentialTest, EveryAdapterIsAnsweredAlike) {
  Metrics metrics;
  MemoryObjects bucket;
  RedisRateLimiter rate(both_, {.limit = 3, .window = std::chrono::seconds{4}}, clock_, metrics);
  RedisRateLimiter other_rate(both_, {.limit = 3, .window = std::chrono::seconds{4}}, clock_, metrics);
  RedisConcurrencyLimiter limiter(both_);
  RedisQuarantine quarantine(both_, clock_);
  RedisWorkerRegistry registry(both_, clock_);
  RedisResultBus bus(both_, bucket, clock_, executor_, {.controller_id = "c-1"});
  OneJob jobs;
  LeasedJobQueue one(jobs, both_, {"w-1"}, clock_, random_, OneJob::never_mind);
  LeasedJobQueue two(jobs, both_, {"w-2"}, clock_, random_, OneJob::never_mind);

  const auto id = [] { return *rc::gen::elementOf(Words{"a", "b", "c"}); };
  const auto limited = [&] { return LimitedRun{.function = {"f"}, .request = {id()}}; };
  const auto step = [&] {
    switch (*rc::gen::inRange(0, 20)) {
      case 0:
        (void)run(rate.admit("x"));
        break;
      case 1:
        (void)run(other_rate.admit("x"));
        break;
      case 2:
        (void)run(limiter.admit(limited(), *rc::gen::inRange(0, 3)));
        break;
      case 3:
        (void)run(limiter.enter(limited(), *rc::gen::inRange(0, 3)));
        break;
      case 4:
        (void)run(limiter.renew(limited(), *rc::gen::arbitrary<bool>()));
        break;
      case 5:
        (void)run(limiter.leave(limited()));
        break;
      case 6:
        (void)run(limiter.finish(limited()));
        break;
      case 7:
        loops_.run_blocking(quarantine.note_lost(job_of(id())));
        break;
      case 8:
        loops_.run_blocking(quarantine.look());
        break;
      case 9:
        (void)run(registry.record({.worker_id = {id()},
                                   .pools = {{"python", 2}},
                                   .uptime_seconds = 1.5,
                                   .timestamp = "ü\"",
                                   .received_at = clock_.now()}));
        break;
      case 10:
        (void)run(registry.list());
        break;
      case 11:
        (void)run(bus.mark_pending({id()}));
        break;
      case 12:
        (void)run(bus.forget({id()}));
        break;
      case 13: {
        const std::string request = id();
        (void)run(bus.publish(job_of(request), printed(request, *rc::gen::elementOf(Words{"", "x", "y"}))));
        break;
      }
      case 14:
        (void)run(bus.find({id()}));
        break;
      case 15:
        jobs.request = id();
        (void)run((*rc::gen::arbitrary<bool>() ? one : two).receive(1, milliseconds{0}));
        break;
      case 16:
        (void)run((*rc::gen::arbitrary<bool>() ? one : two).extend(id()));
        break;
      case 17: {
        auto& queue = *rc::gen::arbitrary<bool>() ? one : two;
        (void)run(*rc::gen::arbitrary<bool>() ? queue.acknowledge(id()) : queue.give_back(id()));
        break;
      } break;
      default:
        pass(std::chrono::seconds{*rc::gen::inRange(1, 40)});
    }
  };
  const bool same = rc::check("adapters are answered alike", [&] {
    for (int left = *rc::gen::inRange(1, 60); left > 0; --left) {
      step();
      RC_ASSERT(both_.difference == "");
    }
  });
  EXPECT_TRUE(same) << both_.difference;
  EXPECT_EQ(both_.scripts(), 11U) << "each script of src/adapters/redis is asked";
}

}  // namespace
}  // namespace infra::testing
