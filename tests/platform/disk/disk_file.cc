#include "platform/disk/disk_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace infra::sim {
namespace {

constexpr std::size_t kSector = DiskFile::kSector;

// Calls `visit` with the number of each sector that these bytes touch.
void visit_sectors(std::uint64_t offset, std::size_t length, const auto& visit) {
  if (length == 0) return;
  for (std::uint64_t number = offset / kSector; number <= (offset + length - 1) / kSector; ++number) visit(number);
}

}  // namespace

std::size_t DiskFile::read(std::uint64_t offset, std::span<char> out) const {
  const std::size_t there = offset < bytes_.size() ? std::min<std::size_t>(out.size(), bytes_.size() - offset) : 0;
  if (there > 0) std::memcpy(out.data(), bytes_.data() + offset, there);
  std::ranges::fill(out.subspan(there), '\0');
  return there;
}

void DiskFile::write(std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  Change change{.offset = offset, .length = bytes.size(), .before = {}, .old_size = bytes_.size(), .new_size = 0};
  if (offset < bytes_.size()) change.before = bytes_.substr(offset, bytes.size());
  if (bytes_.size() < offset + bytes.size()) bytes_.resize(offset + bytes.size());
  bytes.copy(bytes_.data() + offset, bytes.size());
  change.new_size = bytes_.size();
  note(std::move(change));
}

void DiskFile::resize(std::uint64_t size) {
  if (size == bytes_.size()) return;
  Change change{.offset = size, .length = 0, .before = {}, .old_size = bytes_.size(), .new_size = size};
  if (size < bytes_.size()) change.before = bytes_.substr(size);
  bytes_.resize(size);
  note(std::move(change));
}

void DiskFile::note(Change change) {
  unsynced_bytes_ += change.length + change.before.size();
  unsynced_.push_back(std::move(change));
  while (unsynced_bytes_ > kMostUnsynced) {
    const Change& oldest = unsynced_.front();
    visit_sectors(oldest.offset, oldest.length, [this](std::uint64_t number) { lost_.erase(number); });
    unsynced_bytes_ -= oldest.length + oldest.before.size();
    unsynced_.pop_front();
  }
}

void DiskFile::undo(Change& change) {
  if (change.length > 0) change.after = bytes_.substr(change.offset, change.length);
  bytes_.resize(change.old_size);
  change.before.copy(bytes_.data() + change.offset, change.before.size());
}

void DiskFile::redo(const Change& change) {
  bytes_.resize(change.new_size);
  change.after.copy(bytes_.data() + change.offset, change.after.size());
}

std::string DiskFile::sector(std::uint64_t number) const {
  const std::uint64_t begin = number * kSector;
  return begin < bytes_.size() ? bytes_.substr(begin, kSector) : std::string();
}

void DiskFile::put_sector(std::string& image, std::uint64_t number, std::string_view bytes) {
  const std::uint64_t begin = number * kSector;
  if (begin >= image.size()) return;
  const std::size_t length = std::min<std::size_t>(kSector, image.size() - begin);
  std::fill_n(image.begin() + static_cast<std::ptrdiff_t>(begin), length, '\0');
  bytes.copy(image.data() + begin, length);
}

// Gives it that size, with zeros where it grows, or with what the dice say has been there.
void DiskFile::lay_out(std::string& image, std::uint64_t size, Dice* dice) {
  const std::uint64_t old = image.size();
  image.resize(size);
  if (dice == nullptr) return;
  for (std::uint64_t place = old; place < size; ++place) image[place] = static_cast<char>(dice->next() >> 56);
}

std::uint64_t DiskFile::choose_size(const std::vector<std::uint64_t>& sizes, double share, Dice& dice) {
  if (share >= 1) return sizes.back();
  const std::size_t chosen = share <= 0 ? 0 : dice.below(sizes.size());
  if (chosen + 1 == sizes.size() || sizes[chosen + 1] <= sizes[chosen] || share <= 0) return sizes[chosen];
  const std::uint64_t sectors = (sizes[chosen + 1] - sizes[chosen]) / kSector;
  const std::uint64_t grown = ((sizes[chosen] / kSector) + dice.below(sectors + 1)) * kSector;
  return std::clamp(grown, sizes[chosen], sizes[chosen + 1]);
}

void DiskFile::sync() {
  for (const Change& change : unsynced_)
    visit_sectors(change.offset, change.length, [this](std::uint64_t number) { lost_.erase(number); });
  unsynced_.clear();
  unsynced_bytes_ = 0;
}

void DiskFile::fail_sync(Dice& dice) {
  for (auto change = unsynced_.rbegin(); change != unsynced_.rend(); ++change) undo(*change);
  std::map<std::uint64_t, std::string> older = lost_;
  for (const Change& change : unsynced_) {
    visit_sectors(change.offset, change.length,
                  [&](std::uint64_t number) { older.try_emplace(number, sector(number)); });
  }
  for (const Change& change : unsynced_) redo(change);
  const double share = static_cast<double>(dice.below(5)) / 4;
  const double read_back = dice.chance(0.5) ? 0 : 0.5;
  for (const Change& change : unsynced_) {
    visit_sectors(change.offset, change.length, [&](std::uint64_t number) {
      const auto found = older.find(number);
      if (found == older.end()) return;  // it has had its dice
      if (dice.chance(share)) {
        lost_.erase(number);
      } else if (dice.chance(read_back)) {
        put_sector(bytes_, number, found->second);
        lost_.erase(number);
      } else {
        lost_.insert_or_assign(number, found->second);
      }
      older.erase(found);
    });
  }
  unsynced_.clear();
  unsynced_bytes_ = 0;
}

void DiskFile::cut_power(Dice& dice) {
  // 0: nothing comes to the disk; 1: all.
  const double share = static_cast<double>(dice.below(5)) / 4;
  for (auto change = unsynced_.rbegin(); change != unsynced_.rend(); ++change) undo(*change);
  std::string image = bytes_;
  for (const auto& [number, bytes] : lost_) put_sector(image, number, bytes);

  // A file is cut wholly or not at all, and what is written behind the cut is never seen without it.
  const auto cuts = static_cast<std::uint64_t>(std::ranges::count_if(unsynced_, is_cut));
  std::uint64_t left = share <= 0 ? 0 : share >= 1 ? cuts : dice.below(cuts + 1);
  std::map<std::uint64_t, std::vector<std::string>> written;  // a sector's forms, the newest last
  std::vector<std::uint64_t> sizes{image.size()};
  for (const Change& change : unsynced_) {
    if (is_cut(change) && left-- == 0) break;
    redo(change);
    if (is_cut(change)) {
      image.resize(std::min<std::uint64_t>(image.size(), change.new_size));
      written.erase(written.lower_bound((change.new_size + kSector - 1) / kSector), written.end());
      sizes.clear();
    }
    sizes.push_back(change.new_size);
    visit_sectors(change.offset, change.length,
                  [&](std::uint64_t number) { written[number].push_back(sector(number)); });
  }
  const std::uint64_t size = choose_size(sizes, share, dice);
  lay_out(image, size, share < 1 && dice.chance(0.5) ? &dice : nullptr);
  for (const auto& [number, forms] : written) {
    if (!dice.chance(share)) continue;
    put_sector(image, number, share >= 1 || dice.chance(0.75) ? forms.back() : forms[dice.below(forms.size())]);
  }
  bytes_ = std::move(image);
  unsynced_.clear();
  unsynced_bytes_ = 0;
  lost_.clear();
}

}  // namespace infra::sim
