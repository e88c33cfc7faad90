// What an earlier program left in the data folder and nobody needs: moved aside at the start, by one rename an entry,
// and deleted when the new program is at work. A folder of fifty thousand folders takes minutes to delete.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <thread>
#include <vector>

#include "core/error.h"

namespace infra {

class LeftBehind {
 public:
  // Moves what is in these folders of `data` into `<data>/trash`. What is there already, because a program was stopped
  // while it deleted, is deleted as well. Call it under the data folder's lock.
  [[nodiscard]] static Result<LeftBehind> move_aside(const std::filesystem::path& data,
                                                     const std::vector<std::string_view>& folders);
  LeftBehind(LeftBehind&&) = default;
  LeftBehind& operator=(LeftBehind&&) = delete;

  // Deletes it, with the lowest claim on processors and disk, until `stop`; says whether all of it is gone. Blocking.
  // Depth and breadth don't matter: a folder's folders are moved up beside it before they are looked into.
  [[nodiscard]] bool delete_all(const std::atomic<bool>& stop) const;

 private:
  explicit LeftBehind(std::filesystem::path trash) : trash_(std::move(trash)) {}
  std::filesystem::path trash_;
};

// Deletes it on a thread of its own. Destroying it stops that; what is left is the next program's.
class BackgroundDeletion {
 public:
  explicit BackgroundDeletion(LeftBehind left);
  ~BackgroundDeletion();
  BackgroundDeletion(const BackgroundDeletion&) = delete;
  BackgroundDeletion& operator=(const BackgroundDeletion&) = delete;

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace infra
