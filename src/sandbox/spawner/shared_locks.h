// Locks that sandboxes hold on files that others see, too: one that is frozen would keep its lock for as long as it
// stands still. The machine's list of locks is had from the kernel only after a wait for all processors, some ten
// milliseconds; a process of its own waits for it, and goes.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

struct FileLock {
  pid_t process = -1;  // that took it; -1 if the file itself holds it
  dev_t device = 0;    // of the file system
  auto operator<=>(const FileLock&) const = default;
};
// Of a line of /proc/locks or, behind its first word, of a descriptor's fdinfo; none of one that only waits.
[[nodiscard]] std::optional<FileLock> parse_lock(std::string_view line);

// The file system that a line of a sandbox's mountinfo tells of, if it is one of the sandbox's own.
[[nodiscard]] std::optional<dev_t> own_device(std::string_view mount);

class SharedLocks {
 public:
  struct Suspect {
    std::uint64_t sandbox = 0;
    pid_t init = -1;
    std::string processes{};  // the file with their ids
    std::int64_t most = 0;    // of locks, whatever they are on; 0: as many as it likes, but none on a shared file
  };

  struct Finding {
    std::uint64_t sandbox = 0;
    bool many = false;  // it has too many, else one on a shared file
  };

  static constexpr std::chrono::milliseconds kPause{5000};  // between looks at those that were frozen meanwhile

  // Nothing, where a look is on already or can't be begun: `suspects` then wait for the next.
  void look(std::vector<Suspect>& suspects);
  [[nodiscard]] bool is_looking() const { return answer_.valid(); }
  // Until the next look: never while one is on.
  [[nodiscard]] std::chrono::milliseconds pause_left(SteadyTime now) const;
  [[nodiscard]] int answer() const { return answer_.get(); }  // to wait for; -1: none
  [[nodiscard]] std::vector<Finding> take();

 private:
  UniqueFd answer_;
  pid_t process_ = -1;
  SteadyTime looked_ = SteadyTime{} - kPause;
};

}  // namespace infra::sandbox
