#!/usr/bin/python3
"""coverage.py [--fail-under PERCENT] COUNTS OBJECTS SOURCE... - lines that ran, file by file.

COUNTS has the .gcda files and OBJECTS the .gcno ones, both below the source's own path.  What gcov says
about a header counts for no file.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile


def lines_of(source, counts, objects):
    """{line: count} of one source; a file that nothing ever ran has no counts, and every line is 0."""
    stem = os.path.splitext(source)[0]
    with tempfile.TemporaryDirectory() as work:
        shutil.copy(os.path.join(objects, stem + ".gcno"), work)
        gcda = os.path.join(counts, objects, stem + ".gcda")
        if os.path.exists(gcda):
            shutil.copy(gcda, work)
        name = os.path.join(work, os.path.basename(stem) + ".gcno")
        out = subprocess.run(["gcov", "--stdout", "--json-format", name], check=True, capture_output=True).stdout
    lines = {}
    for file in json.loads(out)["files"]:
        if file["file"] == source:
            for line in file["lines"]:
                lines[line["line_number"]] = max(line["count"], lines.get(line["line_number"], 0))
    return lines


def ranges(numbers):
    """[1, 2, 3, 7] -> "1-3 7" """
    text, numbers = [], sorted(numbers)
    while numbers:
        end = 0
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        text.append(str(numbers[0]) if end == 0 else "%d-%d" % (numbers[0], numbers[end]))
        numbers = numbers[end + 1:]
    return " ".join(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fail-under", type=float, default=0)
    parser.add_argument("counts")
    parser.add_argument("objects")
    parser.add_argument("sources", nargs="+")
    args = parser.parse_args()
    ran = total = 0
    for source in args.sources:
        lines = lines_of(source, args.counts, args.objects)
        missed = [n for n, count in lines.items() if count == 0]
        total += len(lines)
        ran += len(lines) - len(missed)
        percent = 100 * (len(lines) - len(missed)) / max(1, len(lines))
        print("%6.1f %% of %4d  %-32s %s" % (percent, len(lines), source, ranges(missed)))
    percent = 100 * ran / max(1, total)
    print("%6.1f %% of %4d lines in all" % (percent, total))
    if percent < args.fail_under:
        sys.exit("less than %g %%" % args.fail_under)


if __name__ == "__main__":
    main()
