// What our adapters keep of their promises when S3, SQS and DynamoDB do what they are allowed to: each seed turns a
// part of the faults on. A failing seed repeats itself.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "adapters/aws/dynamodb/dynamodb_function_store.h"
#include "adapters/aws/dynamodb/dynamodb_item.h"
#include "adapters/aws/dynamodb/dynamodb_run_recorder.h"
#include "adapters/aws/s3/s3_code_store.h"
#include "adapters/aws/s3/s3_upload.h"
#include "adapters/aws/sqs/sqs_job_queue.h"
#include "contract/code_store_contract.h"
#include "contract/job_queue_contract.h"
#include "contract/sample_rows.h"
#include "platform/engines/aws/test_world.h"
#include "support/memory_objects.h"
#include "support/temp_folder.h"

namespace infra::simulation {
namespace {

using std::chrono::seconds;

struct FaultyWorld : SteppedAwsWorld {
  explicit FaultyWorld(std::uint64_t seed) : SteppedAwsWorld(seed), dice(random) {}
  // On with even chances.
  double perhaps(double probability) { return dice.chance(0.5) ? probability : 0; }
  void make_faulty(ConnectionFaults& faults) {
    faults.unreachable = perhaps(0.05);
    faults.cut = perhaps(0.05);
    faults.cut_body = perhaps(0.05);
    faults.silent = perhaps(0.03);
    faults.throttled = perhaps(0.1);
    faults.failed = perhaps(0.05);
    faults.failed_after = perhaps(0.05);
    faults.slow = perhaps(0.02);
    faults.latency_most = milliseconds{dice.chance(0.5) ? 30 : 2};
  }
  [[nodiscard]] static aws::AwsService service(const std::string& name) {
    return {.name = name, .region = std::string(SimulatedAws::kRegion), .endpoint = SimulatedAws::endpoint(name)};
  }

  Dice dice;
  testing::StaticCredentials credentials{"AKIDEXAMPLE", "secret"};
  aws::AwsClient s3{service("s3"), http, credentials, clock, random};
  aws::AwsClient sqs{service("sqs"), http, credentials, clock, random};
  aws::AwsClient dynamodb{service("dynamodb"), http, credentials, clock, random};
};

struct JobsSeen {
  std::set<std::string> taken;        // that enqueue() promised
  std::map<std::string, int> handed;  // how often each was handed out
  int open = 0;
  bool is_over = false;
};

Task<void> produce(JobQueue& queue, int from, int count, JobsSeen& seen) {
  for (int i = from; i < from + count; ++i) {
    const Job job = make_job(fmt::format("job-{}", i));
    if (co_await queue.enqueue(job)) seen.taken.insert(job.request_id.value);
  }
  --seen.open;
}

Task<void> consume(JobQueue& queue, Clock& clock, JobsSeen& seen) {
  while (!seen.is_over) {
    const auto got = co_await queue.receive(5, seconds{2});
    if (!got) co_await clock.sleep_until(clock.steady_now() + milliseconds{500});
    if (!got) continue;
    for (const auto& delivery : *got) {
      EXPECT_EQ(delivery.job, make_job(delivery.job.request_id.value));
      ++seen.handed[delivery.job.request_id.value];
      (void)co_await queue.acknowledge(delivery.receipt);
    }
  }
  --seen.open;
}

void run_jobs(std::uint64_t seed, bool fifo) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  FaultyWorld world(seed);
  const std::string url = world.aws.sqs().make_queue(fifo ? "jobs.fifo" : "jobs", {.fifo = fifo});
  auto& faults = world.aws.faults().sqs;
  world.make_faulty(faults);
  faults.entry_failed = world.perhaps(0.1);
  faults.entry_throttled = world.perhaps(0.1);
  faults.copied = world.perhaps(0.1);
  faults.twice_at_once = world.perhaps(0.1);
  faults.undeleted = world.perhaps(0.1);
  faults.reordered = world.perhaps(0.5);
  faults.delayed = world.perhaps(0.2);
  faults.forgotten = world.perhaps(0.05);
  faults.empty_poll = world.perhaps(0.3);
  faults.short_poll = world.perhaps(0.5);
  faults.abandoned_poll = world.perhaps(1);
  testing::MemoryObjects objects;
  Metrics metrics;
  SqsJobQueue queue(world.sqs, url, objects, world.clock, world.executor, metrics,
                    {.bucket = "code", .poll = seconds{1}});
  JobsSeen seen;
  constexpr int kProducers = 8;
  constexpr int kEach = 10;
  seen.open = kProducers;
  for (int i = 0; i < kProducers; ++i) world.spawn(produce(queue, i * kEach, kEach, seen));
  for (int i = 0; i < 2; ++i) world.spawn(consume(queue, world.clock, seen));
  world.run_until([&] { return seen.open == 0; });
  faults = {};
  for (int i = 0; i < 60 && !world.aws.sqs().queue_at(url).messages().empty(); ++i) {
    const SteadyTime until = world.clock.steady_now() + seconds{10};
    world.run_until([&] { return world.clock.steady_now() >= until; });
  }
  EXPECT_TRUE(world.aws.sqs().queue_at(url).messages().empty());
  EXPECT_FALSE(seen.taken.empty());
  for (const auto& id : seen.taken) EXPECT_TRUE(seen.handed.contains(id)) << id;
  seen.open = 2;
  seen.is_over = true;
  queue.wake_receivers();
  world.run_until([&] { return seen.open == 0; });
  EXPECT_TRUE(world.complaints.empty());
}

TEST(AdaptersUnderFaults, AJobThatWasTakenIsHandedOut) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) run_jobs(seed, false);
  for (std::uint64_t seed = 13; seed <= 18; ++seed) run_jobs(seed, true);
}

// Until it is known whether the run was new, as settlement does.
Task<void> settle(RunRecorder& recorder, Clock& clock, LogRow row, int& wins, int& open) {
  while (true) {
    const auto put = co_await recorder.record(row);
    if (put) {
      wins += *put ? 1 : 0;
      break;
    }
    co_await clock.sleep_until(clock.steady_now() + seconds{1});
  }
  --open;
}

void record_runs(std::uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  FaultyWorld world(seed);
  world.aws.dynamodb().make_table("functions", SimulatedDynamoDb::functions_table());
  world.aws.dynamodb().make_table("logs", SimulatedDynamoDb::logs_table());
  DynamoDbFunctionStore functions(world.dynamodb, "functions", world.clock, {});
  ASSERT_TRUE(world.run(functions.insert(make_function("f", world.clock.now()))));
  auto& faults = world.aws.faults().dynamodb;
  world.make_faulty(faults);
  faults.stale = world.perhaps(0.5);
  DynamoDbRunRecorder one(world.dynamodb, {.functions = "functions", .logs = "logs"}, world.random);
  DynamoDbRunRecorder two(world.dynamodb, {.functions = "functions", .logs = "logs"}, world.random);
  constexpr int kRuns = 20;
  std::vector<int> wins(kRuns);
  int open = 0;
  for (std::size_t i = 0; i < kRuns; ++i) {
    const LogRow row = make_log(fmt::format("r{}", i), world.clock.now(), world.clock.now() + limits::kLogTtl);
    open += 2;  // a job that two workers have run
    world.spawn(settle(one, world.clock, row, wins[i], open));
    world.spawn(settle(two, world.clock, row, wins[i], open));
  }
  world.run_until([&] { return open == 0; });
  const bool may_lose = faults.cut > 0 || faults.cut_body > 0 || faults.silent > 0 || faults.failed > 0 ||
                        faults.failed_after > 0 || faults.slow > 0 || faults.unreachable > 0;
  faults = {};
  world.pass(seconds{60});  // what is late
  for (const int won : wins) EXPECT_EQ(won, 1);
  EXPECT_EQ(world.aws.dynamodb().items("logs").size(), static_cast<std::size_t>(kRuns));
  const auto counted = aws::function_from(world.aws.dynamodb().items("functions").at(0)).invocations;
  EXPECT_LE(counted, kRuns);
  if (!may_lose) EXPECT_EQ(counted, kRuns);
  EXPECT_TRUE(world.complaints.empty());
}

TEST(AdaptersUnderFaults, ARunIsRecordedOnceAndCountedOnceAtMost) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) record_runs(seed);
}

// A controller that changes a function by requests that go wrong, and another that has announced nothing.
void change_function(std::uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  FaultyWorld world(seed);
  world.aws.dynamodb().make_table("functions", SimulatedDynamoDb::functions_table());
  DynamoDbFunctionStore here(world.dynamodb, "functions", world.clock, {});
  DynamoDbFunctionStore there(world.dynamodb, "functions", world.clock, {});
  auto& faults = world.aws.faults().dynamodb;
  world.make_faulty(faults);
  faults.stale = world.perhaps(0.5);
  faults.unprocessed = world.perhaps(0.3);
  std::set<int> tried{256};
  for (int i = 0; i < 30; ++i) {
    DynamoDbFunctionStore& store = world.dice.chance(0.5) ? here : there;
    const auto choice = world.dice.below(10);
    if (choice == 0) {
      (void)world.run(store.insert(make_function("f", world.clock.now())));
    } else if (choice == 1) {
      (void)world.run(store.remove({"f"}));
    } else if (choice < 5) {
      FunctionChange change;
      change.set(&FunctionSettings::memory_mb, 512 + i);
      tried.insert(512 + i);
      (void)world.run(store.update({"f"}, change, world.clock.now()));
    } else if (choice < 9) {
      const auto found = world.run(store.find({"f"}));
      if (found) EXPECT_TRUE(tried.contains(found->memory_mb));
      if (!found)
        EXPECT_TRUE(found.error().kind == ErrorKind::not_found || found.error().kind == ErrorKind::unavailable);
    } else {
      world.spawn(store.refresh_once());
      world.pass(milliseconds{700});
    }
  }
  const milliseconds late = faults.late_most;
  faults = {};
  for (milliseconds passed{0}; passed < late + seconds{20}; passed += seconds{1}) {
    world.pass(seconds{1});
    world.spawn(here.refresh_once());
    world.spawn(there.refresh_once());
    world.run_ready();
  }
  const auto rows = world.aws.dynamodb().items("functions");
  for (auto* const store : {&here, &there}) {
    const auto found = world.run(store->find({"f"}));
    ASSERT_EQ(found.has_value(), !rows.empty()) << (found ? "" : found.error().message);
    if (!found) continue;
    const auto row = aws::function_from(rows[0]);
    EXPECT_EQ(found->memory_mb, row.memory_mb);
    EXPECT_EQ(found->version, row.version);
  }
  EXPECT_TRUE(world.complaints.empty());
}

TEST(AdaptersUnderFaults, WhatAControllerKnowsByHeartComesTrueAgain) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) change_function(seed);
}

std::string bundle(std::size_t bytes, int which) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i)
    text[i] = static_cast<char>((i + static_cast<std::size_t>(which)) * 7919 >> 8);
  return text;
}

void keep_code(std::uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  FaultyWorld world(seed);
  world.aws.s3().make_bucket("code");
  auto& faults = world.aws.faults().s3;
  world.make_faulty(faults);
  faults.broken_200 = world.perhaps(0.1);
  const testing::TempFolder folder;
  S3CodeStore store(world.s3, "code", {.folder = folder.path() / "here"}, world.executor, world.clock);
  S3CodeStore other(world.s3, "code", {.folder = folder.path() / "there"}, world.executor, world.clock);
  std::map<std::string, CodeRef> taken;
  for (int i = 0; i < 6; ++i) {
    const bool is_large = i == 0 && seed % 4 == 0;
    const std::string bytes = bundle(is_large ? aws::kS3PartBytes + 1234 : 2000, i);
    const CodeRef code{fmt::format("functions/f/{}.zip", i), sha256_of(bytes)};
    const auto staged = testing::write_text(folder.path() / "staged", bytes);
    const bool put = world.run(store.put_bundle(code, staged)).has_value();
    if (put) taken[bytes] = code;
    const auto got = world.run(other.fetch_bundle(code));
    if (got) EXPECT_TRUE(testing::file_text(*got) == bytes);
    if (!got && put) EXPECT_EQ(got.error().kind, ErrorKind::unavailable) << got.error().message;
    const std::string key = fmt::format("results/{}.json", i);
    const bool kept = world.run(store.put_object(key, bytes)).has_value();
    const auto object = world.run(other.get_object(key));
    if (object) EXPECT_TRUE(*object == bytes);
    if (!object && kept) EXPECT_EQ(object.error().kind, ErrorKind::unavailable);
    const auto opened = world.run(other.open_object(key));
    const auto read = opened ? world.run(testing::read_in_pieces(**opened)) : Result<std::string>(fail(opened.error()));
    if (read) EXPECT_TRUE(*read == bytes);
    if (!read && kept) EXPECT_EQ(read.error().kind, ErrorKind::unavailable);
  }
  faults = {};
  world.pass(seconds{60});
  for (const auto& [bytes, code] : taken) {
    const auto got = world.run(other.fetch_bundle(code));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_TRUE(testing::file_text(*got) == bytes);
  }
  EXPECT_TRUE(world.complaints.empty());
}

TEST(AdaptersUnderFaults, CodeIsWhatWasPutOrUnavailable) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) keep_code(seed);
}

}  // namespace
}  // namespace infra::simulation
