// Who waits for an answer awake: what it sees, and when it gives up.
#include "worker/runner/exchange.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/manual_clock.h"
#include "support/real_clock.h"

namespace infra::worker {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

class ConversationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    worker_.reset(ends[0]);
    runner_.reset(ends[1]);
    handles_.control = worker_.get();
  }
  void say(std::string_view bytes) const {
    ASSERT_EQ(::write(runner_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  // A runner that writes all of it as the worker reads, and then says no more.
  std::thread say_behind(std::string bytes) {
    return std::thread([fd = runner_.get(), bytes = std::move(bytes)] {
      for (std::size_t sent = 0; sent < bytes.size();) {
        const ssize_t count = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) return;
        sent += static_cast<std::size_t>(count);
      }
    });
  }
  // What the runner has written and nobody has read.
  [[nodiscard]] int unread() const {
    int bytes = 0;
    EXPECT_EQ(::ioctl(worker_.get(), FIONREAD, &bytes), 0);
    return bytes;
  }

  sandbox::UniqueFd worker_, runner_;
  sandbox::SandboxHandles handles_;
  RealClock clock_;
  ByteBudget budget_{limits::kMiB};
  Asked asked_{.kind = kAnswerFrame, .budget = &budget_, .owner = "f", .cost = 2};
};

class Listener final : public LiveEvents {
 public:
  Listener() { want(true); }
  void tell(LiveEvent event) override { told.push_back(std::move(event.data)); }
  std::vector<std::string> told;
};

TEST_F(ConversationTest, WhatIsPrintedIsToldOnceAndKept) {
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const sandbox::UniqueFd reader(ends[0]);
  const sandbox::UniqueFd writer(ends[1]);
  handles_.stdout_pipe = reader.get();
  Listener listener;
  Conversation conversation(handles_, clock_, asked_, "{}");
  conversation.show_output(listener, {"f"}, {"r"});
  ASSERT_EQ(::write(writer.get(), "a\nb", 3), 3);
  say("\x02\0\0\0{}"sv);
  Exchange talk = conversation.finish(steady_clock::now() + std::chrono::seconds(10));
  EXPECT_EQ(talk.out.take(), "a\nb");
  ASSERT_EQ(listener.told.size(), 2);
  EXPECT_NE(listener.told[0].find(R"("text":"a")"), std::string::npos) << listener.told[0];
  EXPECT_NE(listener.told[1].find(R"("text":"b")"), std::string::npos) << listener.told[1];
}

TEST_F(ConversationTest, AnAnswerThatIsThereIsSeen) {
  Conversation conversation(handles_, clock_, asked_, "{}");
  ASSERT_TRUE(conversation.send());
  say("\x02\0\0\0{}"sv);
  EXPECT_TRUE(conversation.watch(steady_clock::now() + std::chrono::seconds(10)));
  EXPECT_EQ(conversation.take_answer().text, "{}");
}

TEST_F(ConversationTest, OneThatIsNotThereInTimeIsWaitedForAsleep) {
  Conversation conversation(handles_, clock_, asked_, "{}");
  ASSERT_TRUE(conversation.send());
  say("\x02\0\0\0{"sv);
  const auto until = steady_clock::now() + std::chrono::milliseconds(1);
  EXPECT_FALSE(conversation.watch(until));
  EXPECT_GE(steady_clock::now(), until);
  say("}");
  const Exchange talk = conversation.finish(steady_clock::now() + std::chrono::seconds(10));
  EXPECT_EQ(talk.end, ExchangeEnd::answered);
  EXPECT_EQ(talk.answer.text, "{}");
}

TEST_F(ConversationTest, NobodyIsAwakeForATimeThatDoesNotPass) {
  ManualClock clock;
  Conversation conversation(handles_, clock, asked_, "{}");
  ASSERT_TRUE(conversation.send());
  EXPECT_FALSE(conversation.watch(clock.steady_now() + std::chrono::hours(1)));
}

TEST_F(ConversationTest, WhatGoesFirstIsAFrameOfItsOwn) {
  Conversation conversation(handles_, clock_, asked_, "[2]", "1");
  ASSERT_TRUE(conversation.send());
  std::array<char, 32> heard{};
  const ssize_t size = ::read(runner_.get(), heard.data(), heard.size());
  EXPECT_EQ(std::string_view(heard.data(), static_cast<std::size_t>(size)),
            "\x01\0\0\0"
            "1"
            "\x03\0\0\0[2]"sv);
}

TEST_F(ConversationTest, NobodyWatchesARunnerThatHasGone) {
  Conversation conversation(handles_, clock_, asked_, "{}");
  ASSERT_TRUE(conversation.send());
  runner_.reset();
  EXPECT_FALSE(conversation.watch(steady_clock::now() + std::chrono::hours(1)));
  EXPECT_EQ(conversation.finish(steady_clock::now()).end, ExchangeEnd::closed);
}

std::string large_answer(std::size_t bytes) {
  return framed(R"({"value":")" + std::string(bytes, 'x') + R"("})");
}

TEST_F(ConversationTest, ASmallAnswerIsCountedNowhere) {
  const auto full = budget_.claim("other", limits::kMiB, [] {});
  Conversation conversation(handles_, clock_, asked_, "{}");
  ASSERT_TRUE(conversation.send());
  std::thread runner = say_behind(large_answer(60'000));
  EXPECT_EQ(conversation.finish(steady_clock::now() + 30s).end, ExchangeEnd::answered);
  runner.join();
}

TEST_F(ConversationTest, ALargeAnswerIsReadOnceThereIsRoomForIt) {
  auto full = budget_.claim("other", limits::kMiB, [] {});
  std::thread runner = say_behind(large_answer(300'000));
  auto talk = std::async(std::launch::async, [this] {
    Conversation conversation(handles_, clock_, asked_, "{}");
    return conversation.finish(steady_clock::now() + 60s);
  });
  while (budget_.use().waiting == 0) std::this_thread::sleep_for(1ms);
  const int left = unread();
  EXPECT_GT(left, 0);
  full.reset();
  const Exchange answered = talk.get();
  runner.join();
  EXPECT_EQ(answered.end, ExchangeEnd::answered);
  EXPECT_EQ(answered.answer.text.size(), 300'000 + std::string_view(R"({"value":""})").size());
  EXPECT_TRUE(answered.claim->granted());
  EXPECT_EQ(budget_.use().bytes, 2 * answered.answer.text.size());
}

TEST_F(ConversationTest, WhoWaitsForRoomReadsNothingAndItsTimeGoesOn) {
  const auto full = budget_.claim("other", limits::kMiB, [] {});
  std::thread runner = say_behind(large_answer(5'000'000));
  {
    Conversation conversation(handles_, clock_, asked_, "{}");
    EXPECT_EQ(conversation.finish(steady_clock::now() + 50ms).end, ExchangeEnd::timed_out);
    EXPECT_GT(unread(), 0);
  }
  EXPECT_EQ(budget_.use().waiting, 0U);
  worker_.reset();
  runner.join();
}

TEST_F(ConversationTest, NobodyWaitsForRoomForOneThatHasGone) {
  const auto full = budget_.claim("other", limits::kMiB, [] {});
  say(large_answer(1'000'000).substr(0, 100'000));
  Conversation conversation(handles_, clock_, asked_, "{}");
  runner_.reset();
  EXPECT_EQ(conversation.finish(steady_clock::now() + 60s).end, ExchangeEnd::closed);
}

TEST_F(ConversationTest, WhatIsRefusedIsReadNoFurtherAndCountedNoLonger) {
  std::thread runner = say_behind(framed(R"({"value":[0,,)" + std::string(5'000'000, '0')));
  Conversation conversation(handles_, clock_, asked_, "{}");
  const Exchange talk = conversation.finish(steady_clock::now() + 60s);
  EXPECT_EQ(talk.end, ExchangeEnd::broken);
  ASSERT_TRUE(talk.refusal);
  EXPECT_NE(talk.refusal->message.find("at byte 12: a value is expected"), std::string::npos) << talk.refusal->message;
  EXPECT_EQ(budget_.use().bytes, 0U);
  EXPECT_GT(unread(), 0);
  worker_.reset();
  runner.join();
}

}  // namespace
}  // namespace infra::worker
