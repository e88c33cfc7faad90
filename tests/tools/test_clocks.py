"""`./dev check clocks`: what takes the machine's time, threads or randomness past the ports is found, and no more is allowed than is used."""

import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import check_clocks  # noqa: E402  (it lives beside the tool that is tested)
from sources import read  # noqa: E402

FOUND = """const auto now = steady_clock::now();
const auto then = std::chrono::system_clock::now();
clock_gettime(CLOCK_REALTIME, &time);
std::this_thread::sleep_for(pause);
std::this_thread::sleep_until(deadline);
boost::asio::steady_timer timer(loop);
const int ready = ::poll(polled.data(), polled.size(), -1);
if (out || err) ::poll(polled.data(), 1, kPauseMs);
std::thread([this] { run(); });
CondVar changed_;
std::promise<void> done;
std::random_device seed;
SystemRandom random{};
"""
FINE = """// as steady_clock::now() says
log::warn("steady_clock::now() is not asked");
co_await clock.sleep_until(clock.steady_now() + kPause);
clock_.pause_until(clock_.steady_now() + pause);
const int ready = clock_.poll(polled_, until);
return ::poll(&control, 1, 0) == 0;
Task<Result<void>> SqsJobQueue::poll(int max, seconds wait) {
std::thread::id thread;
const int cores = std::thread::hardware_concurrency();
std::chrono::steady_clock::time_point due;
"""


class Clocks(unittest.TestCase):
    def test_each_way_past_the_ports_is_found(self):
        lines = [complaint.split(":")[1] for complaint in check_clocks.complaints_in("a.cc", FOUND)]
        self.assertEqual(sorted(map(int, lines)), list(range(1, FOUND.count("\n") + 1)))

    def test_the_ports_and_questions_are_not(self):
        self.assertEqual(list(check_clocks.complaints_in("a.cc", FINE)), [])

    def test_the_sources_keep_to_it(self):
        self.assertEqual(check_clocks.check(), [])

    def test_a_place_that_needs_no_exception_has_none(self):
        for place in check_clocks.PLACES:
            used = any(list(check_clocks.complaints_in(path, read(path))) for path in check_clocks.sources() if str(path).startswith(place))
            self.assertTrue(used, place)


if __name__ == "__main__":
    unittest.main()
