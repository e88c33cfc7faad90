// The chain on a clock that the test moves: who waits, who does not, and how often a source is asked.
#include "adapters/aws/auth/credential_chain.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <thread>

#include "adapters/aws/auth/test_peer.h"
#include "core/error_codes.h"
#include "core/mutex.h"
#include "support/manual_clock.h"

namespace infra::aws {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// Gives a new key at each fetch, or the error that it is told to; it can be held up.
class ScriptedSource final : public CredentialSource {
 public:
  struct Script {
    Mutex mutex;
    CondVar changed;
    std::optional<Error> failing INFRA_GUARDED_BY(mutex);
    std::optional<milliseconds> lifetime INFRA_GUARDED_BY(mutex);
    std::shared_ptr<Signal> gate INFRA_GUARDED_BY(mutex);  // a fetch waits for it
    int begun INFRA_GUARDED_BY(mutex) = 0;
    int done INFRA_GUARDED_BY(mutex) = 0;

    void await_done(int count) {
      const MutexLock lock(mutex);
      while (done < count) changed.wait(mutex);
    }
    void await_begun(int count) {
      const MutexLock lock(mutex);
      while (begun < count) changed.wait(mutex);
    }
    void fail_with(std::optional<Error> error) {
      const MutexLock lock(mutex);
      failing = std::move(error);
    }
    void hold_at(std::shared_ptr<Signal> signal) {
      const MutexLock lock(mutex);
      gate = std::move(signal);
    }
    void live_for(milliseconds time) {
      const MutexLock lock(mutex);
      lifetime = time;
    }
    int fetches() {
      const MutexLock lock(mutex);
      return begun;
    }
  };

  ScriptedSource(std::string name, std::shared_ptr<Script> script, Clock& clock)
      : name_(std::move(name)), script_(std::move(script)), clock_(clock) {}
  [[nodiscard]] std::string name() const override { return name_; }

  Task<Result<Credentials>> fetch() override {
    std::shared_ptr<Signal> gate;
    {
      const MutexLock lock(script_->mutex);
      ++script_->begun;
      gate = script_->gate;
    }
    script_->changed.notify_all();
    if (gate) co_await gate->wait_until(SteadyTime::max());
    Result<Credentials> got;
    {
      const MutexLock lock(script_->mutex);
      const int number = ++script_->done;
      if (script_->failing) {
        got = fail(*script_->failing);
      } else {
        got->access_key_id = fmt::format("{}{}", name_, number);
        if (script_->lifetime) got->expires_at = clock_.now() + *script_->lifetime;
      }
    }
    script_->changed.notify_all();
    co_return got;
  }

 private:
  std::string name_;
  std::shared_ptr<Script> script_;
  Clock& clock_;
};

class CredentialChainTest : public PeerTest {
 protected:
  using Script = ScriptedSource::Script;

  void build() {
    std::vector<std::unique_ptr<CredentialSource>> sources;
    sources.push_back(std::make_unique<ScriptedSource>("first", first_, clock_));
    sources.push_back(std::make_unique<ScriptedSource>("second", second_, clock_));
    chain_ = std::make_unique<CredentialChain>(std::move(sources), executor_, clock_);
  }
  void SetUp() override {
    first_->live_for(minutes{60});
    build();
  }
  static Error error(ErrorKind kind, std::string why = "why") {
    return {errors::no_credentials.as(kind), std::move(why)};
  }
  void first_fails(std::optional<ErrorKind> kind) {
    first_->fail_with(kind ? std::optional(error(*kind)) : std::nullopt);
  }
  int first_fetches() { return first_->fetches(); }
  Result<Credentials> get() { return run(chain_->get(clock_.steady_now() + seconds{5})); }
  std::string key() {
    const auto got = get();
    return got ? got->access_key_id : got.error().message;
  }

  ManualClock clock_;
  std::shared_ptr<Script> first_ = std::make_shared<Script>();
  std::shared_ptr<Script> second_ = std::make_shared<Script>();
  std::unique_ptr<CredentialChain> chain_;
};

TEST_F(CredentialChainTest, KeepsWhatItGot) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(key(), "first1");
  clock_.advance(minutes{54});
  EXPECT_EQ(key(), "first1");
  EXPECT_EQ(first_fetches(), 1);
  EXPECT_EQ(second_->fetches(), 0);
}

TEST_F(CredentialChainTest, AsksTheNextOnlyIfThereAreNone) {
  first_fails(ErrorKind::not_found);
  EXPECT_EQ(key(), "second1");
  for (const auto kind : {ErrorKind::unavailable, ErrorKind::invalid}) {
    build();
    first_fails(kind);
    const auto got = get();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(got.error().code, "no_credentials");
    EXPECT_NE(got.error().message.find("first: why"), std::string::npos) << got.error().message;
    EXPECT_EQ(second_->fetches(), 1);
  }
}

TEST_F(CredentialChainTest, SaysWhatWasTriedAndFailsFastAfterwards) {
  first_fails(ErrorKind::not_found);
  second_->fail_with(error(ErrorKind::unavailable, "nobody there."));
  const auto got = get();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().retry_after, seconds{1});
  EXPECT_NE(got.error().message.find("first: why second: nobody there."), std::string::npos) << got.error().message;
  clock_.advance(milliseconds{999});
  EXPECT_FALSE(get());
  EXPECT_EQ(first_fetches(), 1);
  clock_.advance(milliseconds{1});
  first_fails(std::nullopt);
  EXPECT_EQ(key(), "first2");
}

TEST_F(CredentialChainTest, RenewsBehindTheCallersBack) {
  EXPECT_EQ(key(), "first1");
  const auto gate = clock_.make_signal();
  first_->hold_at(gate);
  clock_.advance(minutes{55} + seconds{1});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(key(), "first1");
  first_->await_begun(2);
  EXPECT_EQ(key(), "first1");
  EXPECT_EQ(first_fetches(), 2);  // one at a time
  gate->notify();
  first_->await_done(2);
  settle();
  EXPECT_EQ(key(), "first2");
  EXPECT_EQ(first_fetches(), 2);
}

TEST_F(CredentialChainTest, AFailedRenewalIsRepeatedWhileTheOldOnesLive) {
  EXPECT_EQ(key(), "first1");
  first_fails(ErrorKind::unavailable);
  clock_.advance(minutes{55} + seconds{1});
  int fetches = 1;
  // Repeated after 1, 2, 4 … 30 s; 285 s are left until it would be waited for.
  for (const auto pause : {0, 1, 2, 4, 8, 16, 30, 30}) {
    clock_.advance(seconds{pause} - milliseconds{pause == 0 ? 0 : 1});
    if (pause != 0) {
      EXPECT_EQ(key(), "first1");
      EXPECT_EQ(first_fetches(), fetches) << pause;
      clock_.advance(milliseconds{1});
    }
    EXPECT_EQ(key(), "first1");
    first_->await_done(++fetches);
    settle();
  }
  first_fails(std::nullopt);
  clock_.advance(seconds{30});
  EXPECT_EQ(key(), "first1");
  first_->await_done(++fetches);
  settle();
  EXPECT_EQ(key(), fmt::format("first{}", fetches));
}

TEST_F(CredentialChainTest, WaitsOnlyOnceTheyAreAsGoodAsExpired) {
  EXPECT_EQ(key(), "first1");
  clock_.advance(minutes{60} - seconds{9});
  EXPECT_EQ(key(), "first2");
  // Those that live on a little are better than none.
  first_fails(ErrorKind::unavailable);
  clock_.advance(minutes{60} - seconds{9});
  EXPECT_EQ(key(), "first2");
  clock_.advance(seconds{9});
  EXPECT_FALSE(get());
}

TEST_F(CredentialChainTest, FirstCallersShareOneFetchAndHaveADeadline) {
  const auto gate = clock_.make_signal();
  first_->hold_at(gate);
  std::vector<std::string> keys(4);
  std::vector<std::thread> callers;
  for (auto& slot : keys) callers.emplace_back([&] { slot = key(); });
  first_->await_begun(1);
  clock_.await_sleepers(keys.size());
  Result<Credentials> hurried;
  std::thread impatient([&] { hurried = run(chain_->get(clock_.steady_now() + seconds{1})); });
  clock_.await_sleepers(keys.size() + 1);
  clock_.advance(seconds{1});
  impatient.join();
  ASSERT_FALSE(hurried);
  EXPECT_EQ(hurried.error().code, "no_credentials");
  gate->notify();
  for (auto& caller : callers) caller.join();
  for (const auto& seen : keys) EXPECT_EQ(seen, "first1");
  EXPECT_EQ(first_fetches(), 1);
}

TEST_F(CredentialChainTest, RefusedOnesAreFetchedAnew) {
  const auto old = get().value();
  chain_->refused(old);  // just fetched: there are no better ones
  EXPECT_EQ(key(), "first1");
  clock_.advance(seconds{5});
  chain_->refused({.access_key_id = "another", .secret_access_key = "", .session_token = ""});
  EXPECT_EQ(key(), "first1");
  chain_->refused(old);
  EXPECT_EQ(key(), "first2");
  chain_->refused(old);  // heard of late
  EXPECT_EQ(key(), "first2");
}

TEST_F(CredentialChainTest, OnesThatLookExpiredAreUsedForAWhile) {
  first_->live_for(-minutes{10});
  EXPECT_EQ(key(), "first1");
  clock_.advance(seconds{29});
  EXPECT_EQ(key(), "first1");
  EXPECT_EQ(first_fetches(), 1);
  clock_.advance(seconds{25});
  EXPECT_EQ(key(), "first2");
}

TEST_F(CredentialChainTest, AFetchOutlivesItsChain) {
  const auto gate = clock_.make_signal();
  first_->hold_at(gate);
  std::thread caller([&] { EXPECT_EQ(key(), "first1"); });
  first_->await_begun(1);
  clock_.await_sleepers(1);
  chain_.reset();
  gate->notify();
  caller.join();
}

TEST_F(CredentialChainTest, TheWholeChainOnAnInstance) {
  peer_.say([](const Seen& seen, std::size_t) {
    if (seen.method == "PUT") return reply(200, "PROOF");
    if (seen.path.ends_with('/')) return reply(200, "role");
    return reply(
        200, R"({"AccessKeyId":"FROM_IMDS","SecretAccessKey":"S","Token":"T","Expiration":"2026-11-23T06:00:00Z"})");
  });
  Variables variables{{"AWS_EC2_METADATA_SERVICE_ENDPOINT", peer_.url()}};
  const auto instance = make_credential_chain(variables, "eu-west-1", http_, executor_, clock_);
  EXPECT_EQ(run(instance->get(clock_.steady_now() + seconds{5})).value().access_key_id, "FROM_IMDS");
  variables["AWS_ACCESS_KEY_ID"] = "FROM_ENVIRONMENT";
  variables["AWS_SECRET_ACCESS_KEY"] = "S";
  const auto environment = make_credential_chain(variables, "eu-west-1", http_, executor_, clock_);
  EXPECT_EQ(run(environment->get(clock_.steady_now() + seconds{5})).value().access_key_id, "FROM_ENVIRONMENT");
}

// Whoever started the program may be the only one who can read them.
TEST_F(CredentialChainTest, EveryFileIsOpenedByTheGivenWayAndIsOnTheList) {
  const std::map<std::string, std::string> texts{
      {"/root/credentials", "[default]\naws_access_key_id=FROM_FILE\naws_secret_access_key=S\n"},
      {"/root/config", ""},
      {"/root/container-token", "container token"}};
  std::vector<std::string> listed;
  const OpenFile open = [&](const std::string& path) {
    EXPECT_THAT(listed, testing::Contains(path));
    const auto text = texts.find(path);
    if (text == texts.end()) return -ENOENT;
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return -errno;
    EXPECT_EQ(::write(ends[1], text->second.data(), text->second.size()), std::ssize(text->second));
    ::close(ends[1]);
    return ends[0];
  };
  peer_.say([](const Seen& seen, std::size_t) {
    EXPECT_EQ(seen.header("Authorization"), "container token");
    return reply(
        200,
        R"({"AccessKeyId":"FROM_CONTAINER","SecretAccessKey":"S","Token":"T","Expiration":"2026-11-23T06:00:00Z"})");
  });
  Variables variables{{"AWS_SHARED_CREDENTIALS_FILE", "/root/credentials"},
                      {"AWS_CONFIG_FILE", "/root/config"},
                      {"AWS_CONTAINER_CREDENTIALS_FULL_URI", peer_.url() + "/"},
                      {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/root/container-token"},
                      {"AWS_EC2_METADATA_DISABLED", "true"}};
  const auto key_of = [&] {
    listed = credential_files(variables);
    const auto chain = make_credential_chain(variables, "eu-west-1", http_, executor_, clock_, open);
    return run(chain->get(clock_.steady_now() + seconds{5})).value().access_key_id;
  };
  EXPECT_EQ(key_of(), "FROM_FILE");
  variables["AWS_SHARED_CREDENTIALS_FILE"] = "/root/none";
  EXPECT_EQ(key_of(), "FROM_CONTAINER");
  variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/root/token";
  EXPECT_THAT(credential_files(variables), testing::Contains("/root/token"));
}

}  // namespace
}  // namespace infra::aws
