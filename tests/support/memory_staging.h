// Staging in memory: what is being received is counted and hashed, and a test sees how much of it is left.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/sha256.h"
#include "ports/staging.h"

namespace infra::testing {

class MemoryStaging final : public Staging {
 public:
  int files = 0;  // that are there now

  Task<Result<std::unique_ptr<StagedFile>>> create() override { co_return std::make_unique<File>(files); }

 private:
  class File final : public StagedFile {
   public:
    explicit File(int& files) : files_(files) { ++files_; }
    ~File() override { --files_; }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    Task<Result<void>> append(std::span<const char> bytes) override {
      hash_.add(bytes);
      size_ += bytes.size();
      co_return Result<void>{};
    }
    Task<Result<void>> finish() override {
      sha256_ = hash_.finish();
      co_return Result<void>{};
    }
    [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] const std::string& sha256() const override { return sha256_; }

   private:
    int& files_;
    const std::filesystem::path path_ = "staged";
    Sha256 hash_;
    std::string sha256_;
    std::uint64_t size_ = 0;
  };
};

}  // namespace infra::testing
