// What a run's output files cost the worker on one machine while they are stored: memory, by counting every allocation
// of this process. In a fleet: tests/integration/s3_test.cc.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "adapters/files/file_code_store.h"
#include "core/limits.h"
#include "core/sha256.h"
#include "support/counted_heap.h"
#include "support/fake_code_use.h"
#include "support/inline_executor.h"
#include "support/manual_clock.h"
#include "support/run_task.h"
#include "support/temp_folder.h"
#include "worker/instances/keep_output.h"

namespace infra::worker {
namespace {

namespace fs = std::filesystem;

Task<bool> keep(CodeStore& store, sandbox::OutputTree tree, JobResult& result) {
  co_await keep_output(store, std::move(tree), 1, result);
  co_return true;
}

TEST(OutputCost, FilesOf32MiBCost64KiBAtATime) {
  const testing::TempFolder folder;
  fakes::InlineExecutor executor;
  ManualClock clock;
  testing::FakeCodeUse use;
  FileCodeStore store(folder.path() / "data", executor, clock, use, use);
  sandbox::OutputTree tree;
  for (const std::uint64_t size : {10U, 10U, 10U, 2U}) {
    const fs::path path = folder.path() / "file";
    fs::remove(path);
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    fs::resize_file(path, size * limits::kMiB);
    tree.entries.push_back({.name = std::to_string(tree.entries.size()),
                            .left_out = sandbox::LeftOut::no,
                            .file = sandbox::UniqueFd(file)});
  }
  JobResult result;
  result.function_id = {"f"};
  result.request_id = {"r"};
  testing::CountedHeap heap;
  heap.begin();
  run_task(keep(store, std::move(tree), result));
  EXPECT_LE(heap.most(), 64U * 1024U + 16U * 1024U);  // and names, paths, coroutines
  ASSERT_EQ(result.output_files.size(), 4U) << result.err;
  EXPECT_EQ(result.output_files.back().sha256, sha256_of(std::string(2 * limits::kMiB, '\0')));
  EXPECT_EQ(fs::file_size(folder.path() / "data/objects/outputs/f/r/0"), 10 * limits::kMiB);
}

}  // namespace
}  // namespace infra::worker
