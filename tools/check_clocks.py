"""Time, waiting, threads and randomness come through ports (docs/decisions/0003), so that the platform runs on one thread and on virtual
time: in src/, tests aside, only the places below have the machine's own."""

import re

from check_throws import without_comments
from sources import files, line_of, read

# Each with the reason why a simulation does without it, or brings its own.
PLACES = {
    "src/adapters/system/": "what the ports stand on",
    "src/adapters/files/left_behind.": "deletes what an earlier program left, beside the platform",
    "src/adapters/ollama/ollama_ai_proxy.cc": "serves sandboxes' sockets, behind main/network.h",
    "src/cli/": "a person's own process, beside every platform",
    "src/core/mutex.h": "what the others wait with",
    "src/main/server_command.cc": "the program around the platform",
    "src/main/setup_command.cc": "a program of its own, without the platform",
    "src/net/": "real sockets and event threads, behind main/network.h",
    "src/sandbox/": "other processes, behind launcher.h",
    "src/telemetry/log": "the program's own log, whose times are for people",
    "src/telemetry/thread_stacks.": "the stacks of threads that hang",
}
A_TIME = "the machine's time: ask the Clock"
A_PAUSE = "the machine's time: wait by the Clock (sleep_until, make_signal; poll, pause_until where blocking is allowed)"
A_THREAD = "a thread, or a wait for one: Executor (spawn, offload, background)"
PATTERNS = {
    re.compile(r"\b(?:steady_clock|system_clock|high_resolution_clock|utc_clock|file_clock)::now\b|\b(?:clock_gettime|gettimeofday)\("
               r"|\bstd::time\("): A_TIME,
    re.compile(r"\bsleep_for\b|\bthis_thread::sleep_until\b|\b(?:usleep|nanosleep|clock_nanosleep|timerfd_create|alarm|setitimer)\("
               r"|(?<![\w:.>])::sleep\("): A_PAUSE,
    re.compile(r"\b(?:steady_timer|system_timer|high_resolution_timer|deadline_timer)\b"): A_PAUSE,
    # One that waits for nothing is a question.
    re.compile(r"(?<![\w:>])::(?:poll|ppoll|select|epoll_wait)\((?![^;]*, 0\))"): A_PAUSE,
    re.compile(r"\bstd::(?:jthread|thread)\b(?!::)|\bstd::(?:async|promise|future|latch|barrier|condition_variable)\b|\bCondVar\b"
               r"|\bpthread_create\(|\basio::thread_pool\b"): A_THREAD,
    re.compile(r"\brandom_device\b|\bgetrandom\(|\bSystemRandom\b"): "the machine's randomness: Random is handed in",
}


def complaints_in(path, text):
    text = without_comments(text)
    for pattern, instead in PATTERNS.items():
        for found in pattern.finditer(text):
            yield f"{path}:{line_of(text, found.start())}: {found[0].rstrip('(')} is {instead}"


def sources():
    return [path for path in files(".cc", ".h", under=("src",)) if not path.name.endswith("_test.cc")
            and not path.name.startswith("test_")]


def check():
    return [complaint for path in sources() if not str(path).startswith(tuple(PLACES)) for complaint in complaints_in(path, read(path))]
