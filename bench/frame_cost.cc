// `./dev bench frames`: the processor's time that a runner's answer takes of the worker, beside that of reading its
// bytes from the same kind of socket and scanning them once; each in turn, in one run. Fails where what is no answer
// takes more than three times that.
#include <fmt/format.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "core/byte_budget.h"
#include "core/json_scanner.h"
#include "core/limits.h"
#include "support/real_clock.h"
#include "support/spoken_frame.h"
#include "worker/instances/call_frame.h"
#include "worker/runner/exchange.h"

namespace {

using namespace infra;
using namespace infra::worker;
using infra::testing::Speaker;
using infra::testing::SpokenFrame;

constexpr int kRounds = 9;
constexpr double kMostTimes = 3;

double thread_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + values.size() / 2);
  return values[values.size() / 2];
}

// All of it, valid or not: each byte is scanned, behind a fault by a scanner that begins anew.
double read_and_scan(const SpokenFrame& frame) {
  const Speaker runner(frame);
  const double begun = thread_ms();
  std::array<char, kSmallFrame> chunk;
  JsonScanner scanner;
  for (std::size_t left = kFrameHeader + frame.size(); left > 0;) {
    const ssize_t count = ::recv(runner.handles().control, chunk.data(), std::min(left, chunk.size()), 0);
    if (count <= 0) break;
    std::string_view bytes(chunk.data(), static_cast<std::size_t>(count));
    if (left == kFrameHeader + frame.size()) bytes.remove_prefix(std::min(kFrameHeader, bytes.size()));
    while (!bytes.empty()) {
      const std::size_t taken = scanner.take(bytes);
      bytes.remove_prefix(std::max<std::size_t>(taken, 1));
      if (!bytes.empty()) scanner = JsonScanner();
    }
    left -= static_cast<std::size_t>(count);
  }
  return thread_ms() - begun;
}

double hear(const SpokenFrame& frame, ByteBudget& budget) {
  const Speaker runner(frame);
  const double begun = thread_ms();
  RealClock clock;
  Conversation conversation(runner.handles(), clock, {.kind = kAnswerFrame, .budget = &budget, .owner = "f", .cost = 4},
                            "");
  Exchange talk = conversation.finish(std::chrono::steady_clock::now() + std::chrono::minutes(1));
  if (talk.end == ExchangeEnd::answered) (void)parse_answer(std::move(talk.answer), {"r"});
  return thread_ms() - begun;
}

}  // namespace

int main() {
  ByteBudget budget(64 * limits::kMiB);
  std::vector<SpokenFrame> frames = testing::useless_frames();
  const std::size_t useless = frames.size();
  frames.push_back({"a valid array", R"({"requestId":"r","ok":true,"value":[0)", ",0", "]}", limits::kMaxResultBytes});
  frames.push_back(
      {"a valid text", R"({"requestId":"r","ok":true,"value":")", "text", R"("})", limits::kMaxResultBytes});
  bool holds = true;
  fmt::print("| answer | MiB | read and scanned once, ms | heard, ms | times |\n| --- | --- | --- | --- | --- |\n");
  for (std::size_t i = 0; i < frames.size(); ++i) {
    std::vector<double> scanned;
    std::vector<double> heard;
    for (int round = 0; round < kRounds; ++round) {
      scanned.push_back(read_and_scan(frames[i]));
      heard.push_back(hear(frames[i], budget));
    }
    const double times = median(heard) / median(scanned);
    fmt::print("| {} | {:.1f} | {:.2f} | {:.2f} | {:.2f} |\n", frames[i].name,
               static_cast<double>(frames[i].size()) / static_cast<double>(limits::kMiB), median(scanned),
               median(heard), times);
    holds = holds && (i >= useless || times <= kMostTimes);
  }
  return holds ? 0 : 1;
}
