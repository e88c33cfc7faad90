// Shared by all adapters that keep files: a descriptor with an owner, writes that end whole or not at all, and disk
// errors as sentences.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "core/error.h"

namespace infra {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_;
};

// `unavailable` (code disk_full) for a full disk or quota, else `internal` (code disk_error) with what the system said.
[[nodiscard]] std::unexpected<Error> disk_error(std::string_view doing, int error_number);

[[nodiscard]] Result<void> write_all(int fd, std::span<const char> bytes);

// Makes a rename, creation or removal in `folder` survive a crash.
[[nodiscard]] Result<void> sync_folder(const std::filesystem::path& folder);

// `temporary` (complete, same file system) becomes `target`, whatever was there; durable when it returns.
[[nodiscard]] Result<void> move_durably(const std::filesystem::path& temporary, const std::filesystem::path& target);

// Makes `folder` and its parents (0700). Throws std::filesystem::filesystem_error: for start-up.
void make_private_folder(const std::filesystem::path& folder);

// Removes everything inside `folder`. Throws like the above.
void empty_folder(const std::filesystem::path& folder);

}  // namespace infra
