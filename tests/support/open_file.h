// A file or folder that is open for reading until the test has done with it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace infra::testing {

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path, int flags = O_RDONLY)
      : file_(::open(path.c_str(), flags | O_CLOEXEC)) {
    EXPECT_GE(file_, 0) << path;
  }
  ~OpenFile() { ::close(file_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int get() const { return file_; }

 private:
  int file_;
};

}  // namespace infra::testing
