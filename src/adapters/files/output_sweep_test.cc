// Expired runs' files go, others stay.
#include "adapters/files/output_sweep.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "core/ids.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

class OutputSweep : public testing::Test {
 protected:
  OutputSweep() {
    std::string name = (fs::temp_directory_path() / "output-sweep-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~OutputSweep() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  fs::path put(const std::string& path) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << "bytes";
    return folder_ / path;
  }

  fs::path folder_;
};

TEST_F(OutputSweep, DeletesTheFilesOfRunsBeforeATime) {
  const std::string earlier = "018bcfe5-687b-7abc-8def-0123456789ab";
  const std::string later = "018bcfe5-687c-7abc-8def-0123456789ab";
  const auto time = uuid_v7_time(later);
  ASSERT_TRUE(time);
  put("f1/" + earlier + "/a.txt");
  put("f1/" + earlier + "/_/hashed");
  const auto kept = put("f1/" + later + "/a/b.txt");
  put("f2/" + earlier + "/a.txt");
  const auto unknown = put("f3/no-time-in-it/a.txt");
  sweep_outputs(folder_, *time);
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_TRUE(fs::exists(unknown));
  EXPECT_FALSE(fs::exists(folder_ / "f1" / earlier));
  EXPECT_FALSE(fs::exists(folder_ / "f2")) << "a function's empty folder goes too";
  sweep_outputs(folder_, *time + std::chrono::milliseconds(1));
  EXPECT_TRUE(fs::exists(unknown));
  EXPECT_FALSE(fs::exists(kept));
}

TEST_F(OutputSweep, NeedsNoFolder) {
  sweep_outputs(folder_ / "outputs", WallTime::max());
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace infra
