#include "adapters/system/system_random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <thread>
#include <vector>

#include "core/mutex.h"

namespace infra {
namespace {

using Block = std::array<std::byte, 16>;

TEST(SystemRandomTest, NoBlockComesTwiceFromSeveralThreads) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kBlocks = 2000;
  SystemRandom random;
  struct {
    Mutex mutex;
    std::set<Block> blocks INFRA_GUARDED_BY(mutex);
  } seen;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (std::size_t n = 0; n < kBlocks; ++n) {
        Block block{};
        random.fill(block);
        const MutexLock lock(seen.mutex);
        seen.blocks.insert(block);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const MutexLock lock(seen.mutex);
  EXPECT_EQ(seen.blocks.size(), kThreads * kBlocks);
}

TEST(SystemRandomTest, FillsEverySizeToItsEnd) {
  SystemRandom random;
  for (const std::size_t size : {1U, 255U, 256U, 257U, 5000U}) {
    // 64 draws that all leave the last byte zero have a chance of 2^-512.
    bool last_byte_set = false;
    for (int draw = 0; draw < 64; ++draw) {
      std::vector<std::byte> bytes(size);
      random.fill(bytes);
      last_byte_set = last_byte_set || bytes.back() != std::byte{0};
    }
    EXPECT_TRUE(last_byte_set) << size;
  }
}

}  // namespace
}  // namespace infra
