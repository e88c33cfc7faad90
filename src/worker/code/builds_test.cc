// Builds with the real builder and compiler, without isolation: what is kept is not compiled again, and each way to
// fail has its words.
#include "worker/code/builds.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <iterator>
#include <optional>

#include "core/error_codes.h"
#include "core/executable.h"
#include "core/object_keys.h"
#include "sandbox/client/plain_launcher.h"
#include "support/memory_objects.h"
#include "support/temp_folder.h"
#include "support/worker_world.h"
#include "worker/code/executables.h"

namespace infra::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kSha(64, 'a');

// Counts launches on their way to a launcher.
class CountingLauncher : public sandbox::Launcher {
 public:
  explicit CountingLauncher(sandbox::Launcher& launcher) : launcher_(launcher) {}
  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest& request) override {
    ++launches;
    last = request;
    return launcher_.launch(request);
  }
  [[nodiscard]] int capacity() const override { return launcher_.capacity(); }

  int launches = 0;
  sandbox::LaunchRequest last;

 private:
  sandbox::Launcher& launcher_;
};

// A sandbox whose builder says what the test wants.
class ScriptedSandbox : public sandbox::Sandbox {
 public:
  explicit ScriptedSandbox(const std::string& answer) {
    std::array<int, 2> ends{};
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0 || ::pipe2(out.data(), O_NONBLOCK) != 0 ||
        ::pipe2(err.data(), O_NONBLOCK) != 0) {
      std::abort();
    }
    for (const int fd : {ends[0], ends[1], out[0], out[1], err[0], err[1]}) fds_.emplace_back(fd);
    handles_ = {.control = ends[0], .stdout_pipe = out[0], .stderr_pipe = err[0]};
    builder_ = std::thread([fd = ends[1], answer] {
      send_frame(fd, R"({"ready":true})");
      std::array<char, 256> question{};
      (void)::read(fd, question.data(), question.size());
      send_frame(fd, answer);
    });
  }
  ~ScriptedSandbox() override { builder_.join(); }
  ScriptedSandbox(const ScriptedSandbox&) = delete;
  ScriptedSandbox& operator=(const ScriptedSandbox&) = delete;

  sandbox::SandboxHandles& handles() override { return handles_; }
  void kill() override {}
  sandbox::SandboxExit wait(milliseconds) override { return {}; }
  sandbox::SandboxUsage usage() override { return {}; }
  void reset_peak() override {}
  sandbox::SandboxState look() override { return {}; }
  void freeze() override {}
  void thaw() override {}
  bool has_output() override { return false; }
  sandbox::OutputTree take_output(milliseconds) override { return {}; }

 private:
  static void send_frame(int fd, const std::string& body) {
    const auto size = static_cast<std::uint32_t>(body.size());
    std::string frame(reinterpret_cast<const char*>(&size), sizeof size);
    frame += body;
    for (std::size_t sent = 0; sent < frame.size();) {
      const ssize_t count = ::send(fd, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return;
      sent += static_cast<std::size_t>(count);
    }
  }

  std::vector<sandbox::UniqueFd> fds_;
  sandbox::SandboxHandles handles_;
  std::thread builder_;
};

class ScriptedLauncher : public sandbox::Launcher {
 public:
  Result<std::unique_ptr<sandbox::Sandbox>> launch(const sandbox::LaunchRequest&) override {
    return std::make_unique<ScriptedSandbox>(answer);
  }
  [[nodiscard]] int capacity() const override { return 1; }
  std::string answer;
};

// Another clock's time, and some more.
class MovedClock : public Clock {
 public:
  explicit MovedClock(Clock& clock) : clock_(clock) {}
  [[nodiscard]] WallTime now() const override { return clock_.now(); }
  [[nodiscard]] SteadyTime steady_now() const override { return clock_.steady_now() + ahead; }
  Task<void> sleep_until(SteadyTime deadline) override { return clock_.sleep_until(deadline - ahead); }
  [[nodiscard]] std::shared_ptr<Signal> make_signal() override { return clock_.make_signal(); }
  int poll(std::span<pollfd> descriptors, SteadyTime deadline) override {
    return poll_really(*this, descriptors, deadline);
  }
  void pause_until(SteadyTime deadline) override { pause_really(*this, deadline); }
  std::chrono::minutes ahead{0};

 private:
  Clock& clock_;
};

class BuildsTest : public ::testing::Test {
 protected:
  Result<void> provide(const std::string& source, BuildLimits limits = {}, bool aborted = false) {
    fs::create_directories(version_);
    std::ofstream(version_ / "main.cpp") << source;
    Builds builds(store_, launcher_, loop_, clock_, room(), limits);
    if (aborted) builds.abort();
    return provide_with(builds);
  }

  Result<void> provide_with(Builds& builds) {
    Result<void> provided;
    loop_.run([](Builds& all, const fs::path& folder, Result<void>& into) -> Task<void> {
      into = co_await all.provide(kSha, Runtime::cpp, folder, "sender");
    }(builds, version_, provided));
    return provided;
  }

  Builds::Room room() {
    return {.enter = [this](const std::string&) { return enter(); },
            .leave = [this](const std::string&) { --inside_; },
            .frames = &frames_};
  }
  Task<Result<void>> enter() {
    ++inside_;
    co_return Result<void>();
  }

  std::string key() { return build_key(kSha, machine_name()); }
  bool is_runnable() {
    struct stat info{};
    return ::stat((version_ / kBuiltProgram).c_str(), &info) == 0 && (info.st_mode & 0111) == 0111;
  }

  ByteBudget frames_{64 * limits::kMiB};
  testing::TempFolder folder_;
  fs::path version_ = folder_.path() / "versions" / kSha;
  TestLoop loop_;
  TestClock clock_{loop_};
  testing::MemoryObjects store_;
  sandbox::PlainLauncher plain_{{.versions = folder_.path() / "versions",
                                 .runners = {.runtimes = INFRA_RUNTIMES, .native = INFRA_NATIVE_RUNNER},
                                 .temporary = folder_.path() / "instances",
                                 .capacity = 4}};
  CountingLauncher launcher_{plain_};
  int inside_ = 0;
};

TEST_F(BuildsTest, SourceIsCompiledOnceAndKept) {
  const auto built = provide("int main() { return 0; }");
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_TRUE(is_runnable());
  EXPECT_FALSE(fs::exists(version_ / kWarmMark));
  EXPECT_EQ(launcher_.last.purpose, sandbox::LaunchPurpose::build);
  EXPECT_EQ(launcher_.last.memory_mb, BuildLimits{}.memory_mb);
  ASSERT_TRUE(store_.find(key()));
  EXPECT_TRUE(check_executable(store_.find(key())->substr(0, kExecutableStart)));

  fs::remove_all(version_);  // another worker, which has the same bundle and the same store
  ASSERT_TRUE(provide("this would not compile"));
  EXPECT_TRUE(is_runnable());
  EXPECT_EQ(launcher_.launches, 1);
  EXPECT_EQ(inside_, 0);
}

TEST_F(BuildsTest, WhatIsKeptAndNoProgramIsCompiledAnew) {
  loop_.run([](CodeStore& store, std::string key) -> Task<void> { (void)co_await store.put_object(key, "half a pro"); }(
                                                      store_, key()));
  ASSERT_TRUE(provide("int main() {}"));
  EXPECT_EQ(launcher_.launches, 1);
  EXPECT_NE(store_.find(key()), "half a pro");
}

TEST_F(BuildsTest, AStoreThatIsAwayCostsACompilationAndNothingElse) {
  store_.fail_with(Error{errors::code_store_unavailable, "Away."});
  EXPECT_TRUE(provide("int main() {}"));
  EXPECT_TRUE(is_runnable());
}

TEST_F(BuildsTest, AHandlerIsMarked) {
  ASSERT_TRUE(
      provide("#include <infra.hpp>\nstd::string handler(const std::string& e, const infra::Context&) { return e; }\n"
              "INFRA_HANDLER(handler)\n"));
  EXPECT_TRUE(fs::exists(version_ / kWarmMark));
}

TEST_F(BuildsTest, ACompileErrorIsRemembered) {
  fs::create_directories(version_);
  std::ofstream(version_ / "main.cpp") << "int main() { return oops; }";
  Builds builds(store_, launcher_, loop_, clock_, room());
  for (int round = 0; round < 2; ++round) {
    const auto built = provide_with(builds);
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().kind, ErrorKind::unusable);
    EXPECT_EQ(built.error().code, "compile_error");
    EXPECT_THAT(built.error().message, HasSubstr("main.cpp:1:21: error"));
  }
  EXPECT_EQ(launcher_.launches, 1);
  EXPECT_EQ(store_.count(), 0);
  EXPECT_EQ(inside_, 0);
}

TEST_F(BuildsTest, TheBuildersAnswerIsNotTrusted) {
  fs::create_directories(version_);
  const auto answered = [&](std::string answer) {
    ScriptedLauncher launcher;
    launcher.answer = std::move(answer);
    Builds builds(store_, launcher, loop_, clock_, room());
    const auto built = provide_with(builds);
    return built ? Error{errors::internal, "It was built."} : built.error();
  };
  EXPECT_EQ(answered(R"({"missing":"g++"})").code, "compiler_missing");
  EXPECT_THAT(answered(R"({"missing":"go"})").message, HasSubstr("golang-go"));
  EXPECT_THAT(answered(R"({"missing":"rm -rf"})").message, Not(HasSubstr("rm -rf")));
  EXPECT_THAT(answered(R"({"failed":"main.cpp:1: error"})").message, HasSubstr("\nmain.cpp:1: error"));
  EXPECT_THAT(answered(R"({"failed":"main.go:1: error","note":"This worker has Go 1.19."})").message,
              HasSubstr("\nmain.go:1: error\nThis worker has Go 1.19."));
  for (const auto* answer : {"", "{", "[]", "null", R"({"failed":7,"note":7})"}) {
    EXPECT_EQ(answered(answer).code, "compile_error") << answer;
  }
  const std::string much(1 << 20, 'x');
  const auto flood = answered(R"({"failed":")" + much + R"(","note":")" + much + "\"}");
  EXPECT_LT(flood.message.size(), 20'000U);
  EXPECT_EQ(store_.count(), 0);
  EXPECT_EQ(answered("\x7f"
                     "ELF but no more")
                .code,
            "invalid_executable");
  EXPECT_FALSE(fs::exists(version_ / kWarmMark));
}

TEST_F(BuildsTest, TimeIsBounded) {
  const auto built = provide("int main() {}", {.time = milliseconds(1)});
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().code, "compile_error");
  EXPECT_THAT(built.error().message, HasSubstr("longer than 1 ms"));
  EXPECT_EQ(store_.count(), 0);
  EXPECT_EQ(inside_, 0);
}

TEST_F(BuildsTest, WhatTakesTooLongIsNotCompiledAgain) {
  fs::create_directories(version_);
  std::ofstream(version_ / "main.cpp") << "int main() {}";
  Builds builds(store_, launcher_, loop_, clock_, room(), {.time = milliseconds(1)});
  for (int round = 0; round < 3; ++round) EXPECT_EQ(provide_with(builds).error().code, "compile_error");
  EXPECT_EQ(launcher_.launches, 1);
}

TEST_F(BuildsTest, AFailureIsRememberedForAnHour) {
  ScriptedLauncher launcher;
  launcher.answer = R"({"failed":"main.cpp:1: error"})";
  MovedClock clock(clock_);
  Builds builds(store_, launcher, loop_, clock, room());
  fs::create_directories(version_);
  EXPECT_THAT(provide_with(builds).error().message, HasSubstr("main.cpp:1"));
  launcher.answer = R"({"failed":"main.cpp:2: error"})";
  clock.ahead = std::chrono::minutes(59);
  EXPECT_THAT(provide_with(builds).error().message, HasSubstr("main.cpp:1"));
  clock.ahead = std::chrono::minutes(61);
  EXPECT_THAT(provide_with(builds).error().message, HasSubstr("main.cpp:2"));
}

TEST_F(BuildsTest, AfterAnAbortNothingIsCompiled) {
  const auto built = provide("int main() {}", {}, true);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(built.error().code, "shutting_down");
  EXPECT_FALSE(fs::exists(version_ / kBuiltProgram));
}

}  // namespace
}  // namespace infra::worker
