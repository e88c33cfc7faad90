// The output files of a call, as they come out of its sandbox: descriptors, and what is not kept with its reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/enum_number.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

// Why a file is not kept.
enum class LeftOut : std::uint32_t {
  no = 0,  // it is kept
  too_large,
  over_total,
  too_many,
  not_regular,
  bad_name,
  too_deep,
  unreadable,
  too_many_entries,  // the rest of the folder has not been looked at
  out_of_reach,      // none of the folder could be looked at
  not_stored,
  no_room,         // the platform's disk, or the function's part of it, is full
  no_descriptors,  // the platform had none free for it
};

[[nodiscard]] std::string_view in_words(LeftOut why);  // "is over 10 MiB"

struct OutputEntry {
  std::string
      name;  // bytes as the function chose them, below the folder: "a/b.txt"; 255 at most, cut if it is left out
  LeftOut left_out = LeftOut::no;
  UniqueFd file;  // a regular file, open for reading, if it is kept; its size may have changed since
};

struct OutputTree {
  std::vector<OutputEntry> entries;
  std::size_t unnamed = 0;  // left out too, and no more told one by one
  bool emptied = true;      // nothing is left for the next call to find
};

}  // namespace infra::sandbox

namespace infra {

template <>
inline constexpr sandbox::LeftOut kLastOf<sandbox::LeftOut> = sandbox::LeftOut::no_descriptors;

}  // namespace infra
