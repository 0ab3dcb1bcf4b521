#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests have run of src/ and guile/, by gcov: coverage.py BUILD LIST.

Prints the shares of lines and branches and the ways of failing that no test has
taken (a line that deals with an error, or a choice by one that was always the same),
but for those that LIST says cannot happen; and what LIST has that is no longer in
its file, or was met after all.  A point of TAP says that all this could be read."""

import collections
import glob
import json
import os
import re
import subprocess
import sys

# What is about errors: a value below 0, an errno, what throws or gives up.
ERRORS = re.compile(
    r"< 0|-E[A-Z0-9]{3,}|\berr(or|no|s)?\b|_error|refuse|out_of_range|wrong_type"
    r"|SCM_ASSERT|== NULL|!= 0|MAP_FAILED|abort|ERROR")


def objects(build):
    for place in ("src/libsockport-private.a.p", "guile/libguile-sockport.so*.p"):
        found = sorted(glob.glob(os.path.join(build, place, "*.gcno")))
        if found:
            yield found


def counts(build):
    """Counts by file and line: of the line, and of each of its branches."""
    lines = collections.defaultdict(dict)
    for notes in objects(build):
        output = subprocess.run(
            ["gcov", "--json-format", "--stdout", "--branch-probabilities",
             *(os.path.relpath(note, build) for note in notes)],
            cwd=build, capture_output=True, check=True).stdout
        for text in output.splitlines():
            for file in json.loads(text)["files"]:
                name = os.path.normpath(os.path.join(build, file["file"]))
                name = os.path.relpath(name, ROOT)
                if name.startswith(("src/", "guile/")):
                    add(lines[name], file["lines"])
    return lines


def add(known, lines):
    for line in lines:
        old = known.get(line["line_number"], (0, []))
        branches = [branch["count"] for branch in line["branches"]]
        if len(branches) == len(old[1]):
            branches = [a + b for a, b in zip(branches, old[1])]
        known[line["line_number"]] = (old[0] + line["count"], branches or old[1])


def share(what, name, part, whole):
    print(f"# {name}: {100 * part / max(whole, 1):.1f} % of {whole} {what}")


def print_shares(lines):
    for folder in ("src/", "guile/"):
        values = [value for file, known in lines.items()
                  if file.startswith(folder) for value in known.values()]
        branches = [count for _, counts in values for count in counts]
        share("lines", folder, sum(count > 0 for count, _ in values), len(values))
        share("branches", folder, sum(count > 0 for count in branches), len(branches))


def not_taken(lines):
    """(file, number, text) of each line that fails, and never has."""
    for file, known in sorted(lines.items()):
        with open(os.path.join(ROOT, file), encoding="utf-8") as source:
            texts = source.read().splitlines()
        for number, (count, branches) in sorted(known.items()):
            text = " ".join(texts[number - 1].split())
            choice = re.search(r" [?:] ", text) and 0 in branches
            if ERRORS.search(text) and (count == 0 or choice):
                yield file, number, text


def read_list(path):
    """The excuses: pairs of a file and a text that begins the line."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.strip()
            if line and not line.startswith("#"):
                yield tuple(line.split(": ", 1))


def squeezed(file):
    with open(os.path.join(ROOT, file), encoding="utf-8") as source:
        return {" ".join(line.split()) for line in source}


def main():
    lines = counts(sys.argv[1])
    excuses = set(read_list(sys.argv[2]))
    failing = list(not_taken(lines))
    left = [place for place in failing if (place[0], place[2]) not in excuses]
    print_shares(lines)
    print(f"# {len(left)} ways of failing are not tested, and "
          f"{len(excuses)} cannot happen")
    for file, number, text in left:
        print(f"#   {file}:{number}: {text}")
    for file, text in sorted(excuses - {(place[0], place[2]) for place in failing}):
        what = "was met" if text in squeezed(file) else "is not there"
        print(f"#   {what}, so take it from {sys.argv[2]}: {file}: {text}")
    enough = sum(len(known) for known in lines.values()) > 1000
    print("ok" if enough else "not ok", "1 - the coverage of the C code is read")
    print("1..1")
    sys.exit(not enough)


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))
main()
