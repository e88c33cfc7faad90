// A reader that stalls costs lines, never time of those who log; and every line that is lost is told of.
#include "telemetry/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <future>
#include <optional>
#include <sstream>
#include <utility>

namespace infra::log {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

std::string note(std::uint64_t lines) {
  return "dropped " + std::to_string(lines);
}

// A pipe that takes little, as a reader who may stall.
class StalledPipe {
 public:
  StalledPipe() {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::fcntl(ends_[1], F_SETPIPE_SZ, 4096), 4096);
    ::signal(SIGPIPE, SIG_IGN);
  }
  ~StalledPipe() {
    close_reader();
    ::close(ends_[1]);
  }
  StalledPipe(const StalledPipe&) = delete;
  StalledPipe& operator=(const StalledPipe&) = delete;

  [[nodiscard]] int writer() const { return ends_[1]; }
  void close_reader() {
    if (ends_[0] >= 0) ::close(std::exchange(ends_[0], -1));
  }
  // Until a line begins so.
  std::vector<std::string> read_to(std::string_view last) {
    std::vector<std::string> lines;
    while (lines.empty() || !lines.back().starts_with(last)) {
      std::array<char, 512> piece{};
      const ssize_t count = ::read(ends_[0], piece.data(), piece.size());
      if (count <= 0) break;
      text_.append(piece.data(), static_cast<std::size_t>(count));
      for (std::size_t end = 0; (end = text_.find('\n')) != std::string::npos; text_.erase(0, end + 1))
        lines.push_back(text_.substr(0, end));
    }
    return lines;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
  std::string text_;
};

TEST(LogWriterTest, WithoutItsThreadALineIsWrittenAtOnce) {
  StalledPipe pipe;
  LogWriter log(pipe.writer(), note);
  log.put("one");
  EXPECT_EQ(pipe.read_to("one").size(), 1U);
}

TEST(LogWriterTest, LinesComeInOrderAndWhole) {
  StalledPipe pipe;
  LogWriter log(pipe.writer(), note);
  log.start();
  auto reader = std::async(std::launch::async, [&] { return pipe.read_to("line 9999 "); });
  for (int i = 0; i < 10'000; ++i) log.put("line " + std::to_string(i) + " and what it says");
  const auto lines = reader.get();
  ASSERT_EQ(lines.size(), 10'000U);
  for (std::size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i], "line " + std::to_string(i) + " and what it says");
  EXPECT_EQ(log.dropped(), 0U);
}

TEST(LogWriterTest, AStalledReaderCostsLinesWhichAreCountedAndToldOf) {
  constexpr int kLines = 20'000;
  StalledPipe pipe;
  LogWriter log(pipe.writer(), note, {.capacity = 64UL * 1024});
  log.start();
  for (int i = 0; i < kLines; ++i) log.put("line " + std::to_string(i));  // would not return if it waited
  const auto lost = log.dropped();
  EXPECT_GT(lost, 0U);
  EXPECT_FALSE(log.flush(milliseconds(10)));
  auto flushed = std::async(std::launch::async, [&] {
    const bool all = log.flush(seconds(60));
    log.put("it flows again");
    return all;
  });
  // Each gap is told of where it is: how many there are depends on when the writer found room in the pipe.
  std::size_t told = 0;
  std::size_t kept = 0;
  for (const auto& line : pipe.read_to("it flows")) {
    if (line.starts_with("dropped ")) {
      told += std::stoul(line.substr(8));
    } else {
      ++kept;
    }
  }
  EXPECT_TRUE(flushed.get());
  EXPECT_EQ(told, lost);
  EXPECT_EQ(kept - 1 + lost, static_cast<std::size_t>(kLines));
}

TEST(LogWriterTest, ItsEndWaitsForTheReaderAndNoLongerThanItsTime) {
  StalledPipe read;
  {
    LogWriter log(read.writer(), note);
    log.start();
    log.put("the last");
    log.stop(seconds(60));
    log.put("after it");  // as without a thread
  }
  EXPECT_EQ(read.read_to("after").size(), 2U);

  StalledPipe stalled;
  LogWriter log(stalled.writer(), note);
  log.start();
  for (int i = 0; i < 10'000; ++i) log.put("nobody reads this");
  const auto begun = steady_clock::now();
  log.stop(milliseconds(50));
  EXPECT_LT(steady_clock::now() - begun, seconds(30));
  const auto before = log.dropped();
  log.put("too late");  // and does not block
  EXPECT_EQ(log.dropped(), before + 1);
}

TEST(LogWriterTest, AReaderThatIsGoneCostsLinesOnly) {
  StalledPipe pipe;
  LogWriter log(pipe.writer(), note);
  log.start();
  pipe.close_reader();
  log.put("one");
  log.put("two");
  EXPECT_TRUE(log.flush(seconds(60)));
  EXPECT_EQ(log.dropped(), 2U);
  LogWriter closed(-1, note);
  closed.start();
  closed.put("nowhere");
  EXPECT_TRUE(closed.flush(seconds(60)));
  EXPECT_EQ(closed.dropped(), 1U);
}

TEST(LogWriterTest, ADescriptorThatSomebodyMadeNonBlockingIsWaitedFor) {
  StalledPipe pipe;
  ASSERT_EQ(::fcntl(pipe.writer(), F_SETFL, O_NONBLOCK), 0);
  LogWriter log(pipe.writer(), note);
  log.start();
  for (int i = 0; i < 1000; ++i) log.put("line " + std::to_string(i));
  EXPECT_EQ(pipe.read_to("line 999").size(), 1000U);
  EXPECT_EQ(log.dropped(), 0U);
}

}  // namespace
}  // namespace infra::log
