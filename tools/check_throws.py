"""Calls that throw where an error is expected: a full disk or a missing descriptor is a value here, and costs one job. In src/, tests
aside."""

import re

from sources import files, line_of, read

FILESYSTEM = r"(?:std::filesystem|\bfs)::"
CALLS = re.compile(FILESYSTEM + r"(absolute|canonical|weakly_canonical|copy|copy_file|create_directories|create_directory|current_path|"
                   r"equivalent|exists|file_size|hard_link_count|is_directory|is_empty|is_regular_file|is_symlink|last_write_time|"
                   r"permissions|read_symlink|remove|remove_all|rename|resize_file|space|status|symlink_status|temp_directory_path)\(")
ERROR_CODES = re.compile(r"std::error_code&? ([\w, ]+)[;,){]")
OF_A_STATUS = re.compile(r"\w*status")  # a file_status, which has been asked for already
FORBIDDEN = {
    re.compile(r"recursive_directory_iterator"): "walks with a descriptor a level: walk one folder at a time",
    re.compile(r":\s*" + FILESYSTEM + r"directory_iterator"): "a range-for throws when the folder can't be read on: increment(error)",
    re.compile(r"\.(?:is_directory|is_regular_file|is_symlink|file_size|symlink_status)\(\)"): "throws without an error code",
    re.compile(r"std::sto(?:i|l|ul|ll|ull|f|d|ld)\b"): "throws on what is no number: std::from_chars",
    re.compile(r"\bjson::parse\([^,()]*(?:\([^()]*\))?[^,()]*\)"): "throws on what is no JSON: give it an error code",
    re.compile(r"\.exceptions\("): "makes a stream throw",
}
ALONE = {
    re.compile(r"asio::co_spawn\("): ({"src/net/loops/event_loops.cc"}, "starts a task without an owner: spawn_on(), or EventLoops::spawn()"),
    re.compile(r"\(stderr\b|, stderr\)|std::cerr"): (
        {"src/main/", "src/cli/", "src/sandbox/spawner/spawner_main.cc"}, "waits for whoever reads it: the log does not"),
}


def arguments_of(text, start):
    """The arguments of the call whose parenthesis opens before `start`."""
    depth, found, begun = 0, [], start
    for position in range(start, len(text)):
        character = text[position]
        if character in "([{":
            depth += 1
        elif character in ")]}" and depth > 0:
            depth -= 1
        elif character == ")":
            return [*found, text[begun:position].strip()]
        elif character == "," and depth == 0:
            found.append(text[begun:position].strip())
            begun = position + 1
    return found


def without_comments(text):
    return re.sub(r"//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", lambda match: " " * len(match[0]), text)


def check_file(path):
    text = without_comments(read(path))
    codes = {name.strip() for match in ERROR_CODES.finditer(text) for name in match[1].split(",")}
    for call in CALLS.finditer(text):
        arguments = arguments_of(text, call.end())
        asked = call[1].startswith("is_") and OF_A_STATUS.fullmatch(arguments[0])
        if arguments[-1] not in codes and not asked:
            yield f"{path}:{line_of(text, call.start())}: {call[1]}() throws without an error code as its last argument"
    for pattern, why in FORBIDDEN.items():
        for found in pattern.finditer(text):
            yield f"{path}:{line_of(text, found.start())}: {found[0]} {why}"
    for pattern, (allowed, why) in ALONE.items():
        if not any(str(path).startswith(place) for place in allowed):
            for found in pattern.finditer(text):
                yield f"{path}:{line_of(text, found.start())}: {found[0]} {why}"


def check():
    sources = [path for path in files(".cc", ".h", under=("src",)) if not path.name.endswith("_test.cc")
               and not path.name.startswith("test_")]
    return [complaint for path in sources for complaint in check_file(path)]
