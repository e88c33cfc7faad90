// What every Launcher promises a worker, whichever runners are behind it. Instantiate with a world type: launcher(),
// clock(), add(Does) for a version that has this for its code, run(body) for what blocks; kBounded, kFreezes: whether
// it refuses more than its capacity, and can hold processes up.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/at_end.h"
#include "core/error_codes.h"
#include "ports/clock.h"
#include "sandbox/launcher.h"

namespace infra::testing {

// What a version's code does with a call.
enum class Does : std::uint8_t {
  echoes,      // returns its input
  prints,      // "out" and "err", returns null
  exits,       // with code 3
  kills_self,  // by SIGKILL
  hangs,
  writes,  // "b.txt" and "a.txt", with "1" and "22"
};

template <typename World>
class LauncherContract : public ::testing::Test {
 protected:
  static constexpr milliseconds kPatience{20'000};

  void run(const std::function<void()>& body) { world_.run(body); }

  std::unique_ptr<sandbox::Sandbox> launch(Does does) {
    auto launched = world_.launcher().launch({.runtime = Runtime::python, .version = world_.add(does)});
    if (!launched) {
      ADD_FAILURE() << launched.error().message;
      return nullptr;
    }
    EXPECT_EQ(hear(**launched), R"({"ready":true})");
    return std::move(*launched);
  }
  void ask(sandbox::Sandbox& box, const std::string& input = "{}") {
    const std::string body = R"({"requestId":"r-1","functionId":"f-1","modelId":"m","memoryMb":128,)"
                             R"("deadlineMs":1790000000000,"timeoutMs":60000,"env":{},"input":)" +
                             input + "}";
    say(box, body);
  }
  void say(sandbox::Sandbox& box, const std::string& body) {
    std::string frame(4, '\0');
    for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<char>((body.size() >> (8 * i)) & 0xff);
    frame += body;
    ASSERT_EQ(::send(box.handles().control, frame.data(), frame.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(frame.size()));
  }
  [[nodiscard]] bool comes(int descriptor, milliseconds patience = kPatience) {
    pollfd one{.fd = descriptor, .events = POLLIN, .revents = 0};
    return world_.clock().poll({&one, 1}, world_.clock().steady_now() + patience) > 0;
  }
  // Nothing at the end of the stream.
  std::optional<std::string> hear(sandbox::Sandbox& box) {
    std::string heard;
    std::size_t wanted = 4;
    while (heard.size() < wanted) {
      if (!comes(box.handles().control)) {
        ADD_FAILURE() << "no frame within the patience of a test";
        return std::nullopt;
      }
      std::array<char, 4096> part;
      const std::size_t most = std::min(part.size(), wanted - heard.size());
      const ssize_t count = ::recv(box.handles().control, part.data(), most, MSG_DONTWAIT);
      if (count <= 0) return std::nullopt;
      heard.append(part.data(), static_cast<std::size_t>(count));
      if (heard.size() == 4) {
        for (std::size_t i = 0; i < 4; ++i) wanted += std::size_t{static_cast<unsigned char>(heard[i])} << (8 * i);
      }
    }
    return heard.substr(4);
  }
  boost::json::object answer(sandbox::Sandbox& box) {
    const auto frame = hear(box);
    if (!frame) {
      ADD_FAILURE() << "the stream has ended";
      return {};
    }
    return boost::json::parse(*frame).as_object();
  }
  std::string read(int descriptor, std::size_t size) {
    std::string text;
    while (text.size() < size && comes(descriptor)) {
      std::array<char, 256> part;
      const ssize_t count = ::read(descriptor, part.data(), part.size());
      if (count <= 0) break;
      text.append(part.data(), static_cast<std::size_t>(count));
    }
    return text;
  }
  static std::string content(int file) {
    std::array<char, 64> text;
    const ssize_t count = ::pread(file, text.data(), text.size(), 0);
    return {text.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
  }

  World world_;
};

TYPED_TEST_SUITE_P(LauncherContract);

TYPED_TEST_P(LauncherContract, ARunnerIsReadyAndAnswersEachCall) {
  this->run([this] {
    const auto box = this->launch(Does::echoes);
    ASSERT_NE(box, nullptr);
    for (const std::string input : {R"({"n":1})", R"({"n":2})"}) {
      this->ask(*box, input);
      const auto answer = this->answer(*box);
      EXPECT_EQ(answer.at("ok"), true);
      EXPECT_EQ(answer.at("requestId"), "r-1");
      EXPECT_EQ(boost::json::serialize(answer.at("value")), input);
      EXPECT_GE(answer.at("handlerMs").template to_number<double>(), 0);
    }
  });
}

TYPED_TEST_P(LauncherContract, LoadingAheadAnswersNothing) {
  this->run([this] {
    const auto box = this->launch(Does::echoes);
    ASSERT_NE(box, nullptr);
    this->say(*box, R"({"requestId":"","functionId":"f-1","modelId":"m","memoryMb":128,"deadlineMs":1790000000000,)"
                    R"("timeoutMs":60000,"env":{},"load":true,"input":{}})");
    const auto answer = this->answer(*box);
    EXPECT_EQ(answer.at("ok"), true);
    EXPECT_TRUE(answer.at("value").is_null());
    this->ask(*box, "[1]");
    EXPECT_EQ(boost::json::serialize(this->answer(*box).at("value")), "[1]");
  });
}

TYPED_TEST_P(LauncherContract, WhatIsPrintedIsThereWhenTheAnswerIs) {
  this->run([this] {
    const auto box = this->launch(Does::prints);
    ASSERT_NE(box, nullptr);
    this->ask(*box);
    EXPECT_EQ(this->answer(*box).at("ok"), true);
    std::array<char, 64> out, err;
    EXPECT_EQ(::read(box->handles().stdout_pipe, out.data(), out.size()), 4);
    EXPECT_EQ(::read(box->handles().stderr_pipe, err.data(), err.size()), 4);
    EXPECT_EQ(::read(box->handles().stdout_pipe, out.data(), out.size()), -1) << "and does not block";
  });
}

TYPED_TEST_P(LauncherContract, AnEmptyFrameHasNoAnswer) {
  this->run([this] {
    const auto box = this->launch(Does::echoes);
    ASSERT_NE(box, nullptr);
    this->ask(*box, "1");
    (void)this->answer(*box);
    this->say(*box, "");
    this->ask(*box, "2");
    EXPECT_EQ(boost::json::serialize(this->answer(*box).at("value")), "2");
  });
}

TYPED_TEST_P(LauncherContract, AKilledOneEndsItsStreamAndSaysTheSignal) {
  this->run([this] {
    const auto box = this->launch(Does::hangs);
    ASSERT_NE(box, nullptr);
    this->ask(*box);
    EXPECT_FALSE(this->comes(box->handles().control, milliseconds(50)));
    box->kill();
    box->kill();
    EXPECT_EQ(this->hear(*box), std::nullopt);
    const auto exit = box->wait(this->kPatience);
    EXPECT_FALSE(exit.exited);
    EXPECT_EQ(exit.signal, SIGKILL);
    EXPECT_FALSE(exit.out_of_memory);
    EXPECT_EQ(box->wait(this->kPatience).signal, SIGKILL) << "asked again";
  });
}

TYPED_TEST_P(LauncherContract, WaitingKillsWhoDoesNotEnd) {
  this->run([this] {
    const auto box = this->launch(Does::hangs);
    ASSERT_NE(box, nullptr);
    EXPECT_EQ(box->wait(milliseconds(20)).signal, SIGKILL);
    EXPECT_EQ(this->hear(*box), std::nullopt);
  });
}

TYPED_TEST_P(LauncherContract, ItSaysHowARunnerEnded) {
  this->run([this] {
    const auto exits = this->launch(Does::exits);
    ASSERT_NE(exits, nullptr);
    this->ask(*exits);
    EXPECT_EQ(this->hear(*exits), std::nullopt);
    const auto exit = exits->wait(this->kPatience);
    EXPECT_TRUE(exit.exited);
    EXPECT_EQ(exit.exit_code, 3);

    const auto killed = this->launch(Does::kills_self);
    ASSERT_NE(killed, nullptr);
    this->ask(*killed);
    EXPECT_EQ(this->hear(*killed), std::nullopt);
    const auto signalled = killed->wait(this->kPatience);
    EXPECT_FALSE(signalled.exited);
    EXPECT_EQ(signalled.signal, SIGKILL);
  });
}

TYPED_TEST_P(LauncherContract, OutputFilesAreTakenOutInTheOrderOfTheirNames) {
  this->run([this] {
    const auto box = this->launch(Does::writes);
    ASSERT_NE(box, nullptr);
    EXPECT_FALSE(box->has_output());
    this->ask(*box);
    EXPECT_EQ(this->answer(*box).at("ok"), true);
    EXPECT_TRUE(box->has_output());
    const auto tree = box->take_output(this->kPatience);
    EXPECT_TRUE(tree.emptied);
    ASSERT_EQ(tree.entries.size(), 2U);
    EXPECT_EQ(tree.entries[0].name, "a.txt");
    EXPECT_EQ(this->content(tree.entries[0].file.get()), "22");
    EXPECT_EQ(tree.entries[1].name, "b.txt");
    EXPECT_EQ(this->content(tree.entries[1].file.get()), "1");
    EXPECT_FALSE(box->has_output());
    EXPECT_TRUE(box->take_output(this->kPatience).entries.empty());
  });
}

TYPED_TEST_P(LauncherContract, NothingIsTakenOutOfOneThatHasEnded) {
  this->run([this] {
    const auto box = this->launch(Does::writes);
    ASSERT_NE(box, nullptr);
    box->kill();
    (void)box->wait(this->kPatience);
    EXPECT_TRUE(box->take_output(this->kPatience).entries.empty());
  });
}

TYPED_TEST_P(LauncherContract, WhatIsUsedIsCountedToTheEnd) {
  this->run([this] {
    const auto box = this->launch(Does::echoes);
    ASSERT_NE(box, nullptr);
    this->ask(*box);
    (void)this->answer(*box);
    const auto used = box->usage();
    EXPECT_GT(used.cpu_us, 0);
    EXPECT_GT(used.peak_memory_bytes, 1'000'000);
    box->reset_peak();
    this->ask(*box);
    (void)this->answer(*box);
    EXPECT_GE(box->usage().cpu_us, used.cpu_us);
    EXPECT_GT(box->usage().peak_memory_bytes, 1'000'000);
    box->kill();
    (void)box->wait(this->kPatience);
    EXPECT_GE(box->usage().cpu_us, used.cpu_us);
  });
}

TYPED_TEST_P(LauncherContract, OneAtRestHasNothingBesideItsRunner) {
  this->run([this] {
    const auto box = this->launch(Does::echoes);
    ASSERT_NE(box, nullptr);
    const auto before = box->look();
    this->ask(*box);
    (void)this->answer(*box);
    const auto after = box->look();
    EXPECT_EQ(before.processes, 0);
    EXPECT_EQ(after.processes, 0);
    EXPECT_EQ(after.sockets, before.sockets);
  });
}

TYPED_TEST_P(LauncherContract, AFrozenOneGoesOnWhereItWas) {
  this->run([this] {
    const auto box = this->launch(Does::echoes);
    ASSERT_NE(box, nullptr);
    this->ask(*box, "1");
    (void)this->answer(*box);
    box->freeze();
    box->freeze();
    const auto after = this->launch(Does::echoes);  // which is answered after the freeze
    this->ask(*box, "2");
    if (TypeParam::kFreezes) EXPECT_FALSE(this->comes(box->handles().control, milliseconds(100)));
    box->thaw();
    EXPECT_EQ(boost::json::serialize(this->answer(*box).at("value")), "2");
    box->freeze();
    box->kill();
    EXPECT_EQ(box->wait(this->kPatience).signal, SIGKILL) << "frozen or not";
  });
}

TYPED_TEST_P(LauncherContract, ThereAreSoManyAndAPlaceIsFreeOnceOneIsGone) {
  if (!TypeParam::kBounded) GTEST_SKIP() << "it counts none: the worker does";
  this->run([this] {
    std::vector<std::unique_ptr<sandbox::Sandbox>> all;
    for (int i = 0; i < this->world_.launcher().capacity(); ++i) all.push_back(this->launch(Does::echoes));
    const auto refused =
        this->world_.launcher().launch({.runtime = Runtime::python, .version = this->world_.add(Does::echoes)});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errors::no_free_slot.code);
    EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
    all.pop_back();
    EXPECT_NE(this->launch(Does::echoes), nullptr);
  });
}

TYPED_TEST_P(LauncherContract, ARunnerWhoseSocketIsClosedEnds) {
  this->run([this] {
    const auto box = this->launch(Does::echoes);
    ASSERT_NE(box, nullptr);
    ::shutdown(box->handles().control, SHUT_RDWR);
    const auto exit = box->wait(this->kPatience);
    EXPECT_TRUE(exit.exited);
    EXPECT_EQ(exit.exit_code, 0);
  });
}

REGISTER_TYPED_TEST_SUITE_P(LauncherContract, ARunnerIsReadyAndAnswersEachCall, LoadingAheadAnswersNothing,
                            WhatIsPrintedIsThereWhenTheAnswerIs, AnEmptyFrameHasNoAnswer,
                            AKilledOneEndsItsStreamAndSaysTheSignal, WaitingKillsWhoDoesNotEnd, ItSaysHowARunnerEnded,
                            OutputFilesAreTakenOutInTheOrderOfTheirNames, NothingIsTakenOutOfOneThatHasEnded,
                            WhatIsUsedIsCountedToTheEnd, OneAtRestHasNothingBesideItsRunner, AFrozenOneGoesOnWhereItWas,
                            ThereAreSoManyAndAPlaceIsFreeOnceOneIsGone, ARunnerWhoseSocketIsClosedEnds);

}  // namespace infra::testing
