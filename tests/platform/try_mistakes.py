#!/usr/bin/env python3
"""Shows that the simulation finds bugs: each patch in mistakes/ breaks the platform in one way, and seeds must complain of it.

Sources are left alone: what a patch changes is compiled from a copy, and comes before the rooms' libraries at the linker. That is why patches
change .cc files only. A mistake has several rounds of seeds, each from another first seed; the table has the median of how many were
played up to the first that complained."""

import argparse
import json
import re
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MISTAKES = Path(__file__).resolve().parent / "mistakes"
WORK = ROOT / "build" / "mistakes"
FIRST_SEEDS = (1_000_000, 2_000_000, 3_000_000)  # of the rounds


class Broken(Exception):
    """A mistake that can't be tried."""


def mistakes(words=()):
    """The patches whose names have one of the words in them, or all."""
    return [patch for patch in sorted(MISTAKES.glob("*.patch")) if not words or any(word in patch.stem for word in words)]


def files_of(patch):
    return re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.MULTILINE)


def run(command, folder=ROOT, **options):
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def apply(patch, folder):
    """Copies what the patch changes into the folder, and changes it there."""
    for name in files_of(patch):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    # Without fuzz: a patch that only nearly fits may come to mean another thing.
    done = run(["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-i", str(patch)], folder)
    if done.returncode:
        raise Broken(f"{patch.name} does not apply to the sources:\n{done.stdout}")


def compile_commands(build):
    return {Path(entry["file"]): entry["command"] for entry in json.loads((build / "compile_commands.json").read_text())}


def build_with(patch, build):
    """Gives the path of a simulation that has the mistake."""
    folder = WORK / patch.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    apply(patch, folder)
    commands = compile_commands(build)
    objects = []
    for name in files_of(patch):
        if not name.endswith(".cc") or ROOT / name not in commands:
            raise Broken(f"{patch.name} changes {name}, which is no source of the platform")
        command = shlex.split(commands[ROOT / name])
        made = folder / f"{len(objects)}.o"
        command[command.index("-o") + 1] = str(made)
        command[command.index("-c") + 1] = str(folder / name)
        done = run(command, build)
        if done.returncode:
            raise Broken(f"{patch.name} does not compile:\n{done.stdout}")
        objects.append(str(made))
    link = run(["ninja", "-t", "commands", "-s", "tests/platform/simulate"], build).stdout.strip()
    words = shlex.split(link.removeprefix(": && ").removesuffix(" && :"))
    place = words.index("-o")
    program = folder / "simulate"
    words[place + 1] = str(program)
    done = run([*words[:place], *objects, *words[place:]], build)
    if done.returncode:
        raise Broken(f"{patch.name} does not link:\n{done.stdout}")
    return program


def kind_of(patch):
    """Which seeds are played: those of a fleet, or of one machine."""
    return "--fleets" if patch.read_text().startswith("In a fleet") else "--machines"


def play(program, sound, first, seeds, kind):
    """How many seeds were played up to the first that complained, and its first complaint; none if all held. What `sound`, the program without
    a mistake, complains of as well says nothing."""
    seed = first
    while seed < first + seeds:
        done = run([str(program), kind, "--seeds", str(first + seeds - seed), "--from", str(seed), "--no-shrink"])
        if done.returncode == 0:
            return None
        died = re.search(r"^the program dies; again: ./dev simulate --seed (\d+)", done.stdout, re.MULTILINE)
        failed = re.search(r"^seed (\d+) fails:\n(?:.*\n)*?  WRONG (?:at \d+ ms: )?(.*)", done.stdout, re.MULTILINE)
        if died:
            failed = (died[0], died[1], f"the program dies, by {-done.returncode}")
        if not failed:
            raise Broken(f"the simulation ended with {done.returncode}:\n{done.stdout[-2000:]}")
        seed = int(failed[1]) + 1
        if run([str(sound), "--seed", failed[1], "--no-shrink"]).returncode == 0:
            return seed - first, failed[2][:110]
        print(f"seed {failed[1]} fails without a mistake", flush=True)
    return None


def try_mistake(patch, build, seeds, rounds):
    """A line of the table, and whether each round has caught it."""
    program = build_with(patch, build)
    sound = build / "tests" / "platform" / "simulate"
    found = [play(program, sound, first, seeds, kind_of(patch)) for first in FIRST_SEEDS[:rounds]]
    program.unlink()
    caught = [one for one in found if one]
    if len(caught) < len(found):
        return f"{patch.stem:34} | not caught in {len(found) - len(caught)} of {len(found)} rounds of {seeds} seeds", False
    counts = [count for count, _ in caught]
    of_each = ", ".join(map(str, counts))
    return f"{patch.stem:34} | {statistics.median(counts):6.0f} ({of_each}) | {caught[0][1]}", True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("words", nargs="*", help="only mistakes with one of these in their names")
    parser.add_argument("--seeds", type=int, default=2000, help="at most, a round")
    parser.add_argument("--rounds", type=int, default=len(FIRST_SEEDS), choices=range(1, len(FIRST_SEEDS) + 1))
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "dev")
    wanted = parser.parse_args()
    built = run(["ninja", "-C", str(wanted.build), "simulate"])
    if built.returncode:
        sys.exit(built.stdout)
    tried = mistakes(wanted.words)
    all_caught = bool(tried)
    print(f"{'mistake':34} | seeds, median (of each round) | the complaint", flush=True)
    for patch in tried:
        try:
            line, caught = try_mistake(patch, wanted.build.resolve(), wanted.seeds, wanted.rounds)
        except Broken as broken:
            line, caught = f"{patch.stem:34} | {broken}", False
        print(line, flush=True)
        all_caught = all_caught and caught
    return 0 if all_caught else 1


if __name__ == "__main__":
    sys.exit(main())
