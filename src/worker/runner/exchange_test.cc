// Who waits for an answer awake: what it sees, and when it gives up.
#include "worker/runner/exchange.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace infra::worker {
namespace {

using std::chrono::steady_clock;
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

  sandbox::UniqueFd worker_, runner_;
  sandbox::SandboxHandles handles_;
};

TEST_F(ConversationTest, AnAnswerThatIsThereIsSeen) {
  Conversation conversation(handles_, "{}");
  ASSERT_TRUE(conversation.send());
  say("\x04\0\0\0true"sv);
  EXPECT_TRUE(conversation.watch(steady_clock::now() + std::chrono::seconds(10)));
  EXPECT_EQ(conversation.answer(), "true");
}

TEST_F(ConversationTest, OneThatIsNotThereInTimeIsWaitedForAsleep) {
  Conversation conversation(handles_, "{}");
  ASSERT_TRUE(conversation.send());
  say("\x04\0\0\0tr"sv);
  const auto until = steady_clock::now() + std::chrono::milliseconds(1);
  EXPECT_FALSE(conversation.watch(until));
  EXPECT_GE(steady_clock::now(), until);
  say("ue");
  const Exchange talk = conversation.finish(steady_clock::now() + std::chrono::seconds(10));
  EXPECT_EQ(talk.end, ExchangeEnd::answered);
  EXPECT_EQ(talk.answer, "true");
}

TEST_F(ConversationTest, WhatGoesFirstIsAFrameOfItsOwn) {
  Conversation conversation(handles_, "[2]", "1");
  ASSERT_TRUE(conversation.send());
  std::array<char, 32> heard{};
  const ssize_t size = ::read(runner_.get(), heard.data(), heard.size());
  EXPECT_EQ(std::string_view(heard.data(), static_cast<std::size_t>(size)),
            "\x01\0\0\0"
            "1"
            "\x03\0\0\0[2]"sv);
}

TEST_F(ConversationTest, NobodyWatchesARunnerThatHasGone) {
  Conversation conversation(handles_, "{}");
  ASSERT_TRUE(conversation.send());
  runner_.reset();
  EXPECT_FALSE(conversation.watch(steady_clock::now() + std::chrono::hours(1)));
  EXPECT_EQ(conversation.finish(steady_clock::now()).end, ExchangeEnd::closed);
}

}  // namespace
}  // namespace infra::worker
