#include "worker/runner/shown_output.h"

#include <algorithm>

namespace infra::worker {

void ShownLines::append(std::string_view part) {
  while (!part.empty()) {
    const auto end = std::min(part.find('\n'), part.size());
    line_.append(part.substr(0, std::min(end, kMaxLiveLine - line_.size())));
    if (end == part.size()) return;
    tell();
    part.remove_prefix(end + 1);
  }
}

void ShownLines::flush() {
  if (!line_.empty()) tell();
}

void ShownLines::tell() {
  if (run_.live.is_wanted())
    run_.live.tell(line_printed(run_.function, run_.request, stream_, line_, run_.clock.now()));
  line_.clear();
}

}  // namespace infra::worker
