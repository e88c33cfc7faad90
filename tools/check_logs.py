"""Log lines about a run or a request are found by its trace as well as by its id."""

import re

from sources import files, line_of, read

LINE = re.compile(r"log::(?:info|warn|error)\((?:[^;\"]|\"(?:\\.|[^\"\\])*\")*\);")
# Who knows an id alone.
NO_TRACE = {"src/adapters/redis/redis_result_bus.cc": "a published result can't be read",
            "src/telemetry/task_failures.cc": "a task ended with an exception"}


def check():
    complaints = []
    for path in files(".cc", ".h", under=("src",)):
        text = read(path)
        for line in LINE.finditer(text):
            if '"requestId"' in line[0] and '"traceId"' not in line[0] and NO_TRACE.get(str(path), "\0") not in line[0]:
                complaints.append(f"{path}:{line_of(text, line.start())}: a log line with a requestId and no traceId")
    return complaints
