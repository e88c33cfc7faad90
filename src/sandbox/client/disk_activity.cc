#include "sandbox/client/disk_activity.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace infra::sandbox {
namespace {

constexpr int kSectorsField = 5;
constexpr std::uint64_t kSectorBytes = 512;
// The kernel gives whole lines, a page of them at most. One that is shorter than this by a line has all of them.
constexpr std::size_t kPage = 4096, kLongestLine = 512;

std::uint64_t field_of(std::string_view line, int index) {
  std::uint64_t number = 0;
  std::size_t at = line.find_first_not_of(' ');
  for (int i = 0; i < index && at != std::string_view::npos; ++i) {
    at = line.find(' ', at);
    at = line.find_first_not_of(' ', at);
  }
  if (at == std::string_view::npos) return 0;
  line.remove_prefix(at);
  std::from_chars(line.data(), line.data() + line.size(), number);
  return number;
}

}  // namespace

std::uint64_t sectors_read(std::string_view table) {
  std::uint64_t sum = 0;
  while (!table.empty()) {
    const auto end = std::min(table.find('\n'), table.size());
    sum += field_of(table.substr(0, end), kSectorsField);
    table.remove_prefix(std::min(end + 1, table.size()));
  }
  return sum;
}

DiskActivity::DiskActivity(const std::string& table) : table_(::open(table.c_str(), O_RDONLY | O_CLOEXEC)) {}

std::optional<std::uint64_t> DiskActivity::bytes_read() const {
  std::array<char, kPage> page;
  std::uint64_t sectors = 0;
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(table_.get(), page.data(), page.size(), at);
    if (got < 0) return std::nullopt;
    const std::string_view text(page.data(), static_cast<std::size_t>(got));
    const std::size_t lines = text.rfind('\n') + 1;  // 0 if there is none
    sectors += sectors_read(text.substr(0, lines));
    if (lines == 0 || text.size() + kLongestLine <= page.size()) return sectors * kSectorBytes;
    at += static_cast<off_t>(lines);
  }
}

}  // namespace infra::sandbox
