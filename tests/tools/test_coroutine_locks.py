"""clang's thread-safety analysis does not see a coroutine suspend. What refuses a lock that lives over a co_await is clang-tidy, by the
attribute on MutexLock: it has to go on doing so with the project's own settings."""

import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = """
#include <coroutine>

#include "core/mutex.h"

struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

Task held_over_a_wait(infra::Mutex& mutex) {
  const infra::MutexLock over(mutex);
  co_await std::suspend_always{};
}

Task given_back_before(infra::Mutex& mutex) {
  {
    const infra::MutexLock before(mutex);
  }
  co_await std::suspend_always{};
}
"""


class CoroutineLocks(unittest.TestCase):
    def test_a_lock_that_is_held_over_a_wait_is_refused(self):
        with tempfile.TemporaryDirectory(prefix="infra-tools-") as folder:
            path = Path(folder, "held.cc")
            path.write_text(SOURCE, encoding="ascii")
            done = subprocess.run(["clang-tidy-19", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", str(path), "--", "-std=c++23",
                                   "-Wthread-safety", f"-I{ROOT / 'src'}"], capture_output=True, text=True, timeout=60)
        said = [line for line in done.stdout.splitlines() if "error:" in line or "warning:" in line]
        self.assertEqual(len(said), 1, done.stdout + done.stderr)
        self.assertIn("'over'", said[0])
        self.assertIn("misc-coroutine-hostile-raii", said[0])
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
