#include "sandbox/protocol/output_files.h"

namespace infra::sandbox {

std::string_view in_words(LeftOut why) {
  switch (why) {
    case LeftOut::no:
      return "is kept";
    case LeftOut::too_large:
      return "is over 10 MiB";
    case LeftOut::over_total:
      return "is past 32 MiB in all";
    case LeftOut::too_many:
      return "is past the 20 files of a run";
    case LeftOut::not_regular:
      return "is not a regular file";
    case LeftOut::bad_name:
      return "has a name that is over 255 bytes, not UTF-8, or holds control characters";
    case LeftOut::too_deep:
      return "is more than 8 folders deep";
    case LeftOut::unreadable:
      return "can't be read";
    case LeftOut::too_many_entries:
      return "holds too much to look at";
    case LeftOut::out_of_reach:
      return "could not be looked at";
    case LeftOut::not_stored:
      return "could not be stored";
    case LeftOut::no_room:
      return "has no room on the platform's disk";
    case LeftOut::no_descriptors:
      return "could not be taken: the platform has too many files open";
  }
  return "is not kept";
}

}  // namespace infra::sandbox
