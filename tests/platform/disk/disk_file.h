// One file as the page cache and the disk below it have it: what was written and not synced may be there after a power
// cut, or not, or in part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/dice.h"

namespace infra::sim {

class DiskFile {
 public:
  static constexpr std::size_t kSector = 512;  // the disk writes one wholly or not at all
  // Older changes than those of so many bytes are on the disk though nobody has synced.
  static constexpr std::size_t kMostUnsynced = std::size_t{64} << 20;

  [[nodiscard]] std::uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  // Fills `out`, past the file's end with zeros; how much of it is of the file.
  std::size_t read(std::uint64_t offset, std::span<char> out) const;
  void write(std::uint64_t offset, std::string_view bytes);
  void resize(std::uint64_t size);

  void sync();
  // A sync that fails, as Linux has it: some sectors reach the disk, the others never will unless they are written
  // again, for nobody remembers that they should. Some of these are read back from the disk, as they were before.
  void fail_sync(Dice& dice);
  // Each sector is what was synced last or what was written since, whatever else was; the size is one that it has had
  // since, or between two as it grew. Where it grew and no sector came, there are zeros, or what the disk had there.
  void cut_power(Dice& dice);

 private:
  struct Change {
    std::uint64_t offset = 0;
    std::size_t length = 0;  // of what was written; of a new size, 0
    std::string before;      // what stood there, as far as the file went
    std::uint64_t old_size = 0;
    std::uint64_t new_size = 0;
    std::string after{};  // while time goes back
  };

  static bool is_cut(const Change& change) { return change.new_size < change.old_size; }
  void note(Change change);
  void undo(Change& change);
  void redo(const Change& change);
  [[nodiscard]] std::string sector(std::uint64_t number) const;
  static void put_sector(std::string& image, std::uint64_t number, std::string_view bytes);
  static void lay_out(std::string& image, std::uint64_t size, Dice* dice);
  // One of the sizes that it has had, or one between two as it grew.
  static std::uint64_t choose_size(const std::vector<std::uint64_t>& sizes, double share, Dice& dice);

  std::string bytes_;            // as programs read it
  std::deque<Change> unsynced_;  // since the last sync
  std::size_t unsynced_bytes_ = 0;
  std::map<std::uint64_t, std::string> lost_;  // sectors that the disk has in an older form, and no sync brings it anew
};

}  // namespace infra::sim
