#!/usr/bin/python3
"""table.py [TAP FILE]...: the conformance table, item by item.

Reads verbose TAP output, takes the tests named "item N: …", and prints item, level, result and what it is
about.  --readme puts the table of items, without results, into the README; --check prints what differs there.
Exit status 1 when an item failed, or when one that has a test saw none.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "| item | level | behaviour | here |\n|---|---|---|---|\n"


def items():
    for line in open(os.path.join(HERE, "items.txt"), encoding="utf-8"):
        if not line.startswith("#"):
            number, level, what, how = line.rstrip("\n").split("|")
            yield int(number), level, what, how


def results(paths):
    seen = {}
    for path in paths:
        for line in open(path, encoding="utf-8", errors="replace"):
            found = re.match(r"(not ok|ok) \d+ - item (\d+): ", line)
            if found:
                passed, failed = seen.get(int(found.group(2)), (0, 0))
                if found.group(1) == "ok" and "# SKIP" not in line:
                    passed += 1
                elif found.group(1) == "not ok":
                    failed += 1
                seen[int(found.group(2))] = (passed, failed)
    return seen


def died(paths):
    """Test files that did not end as a test file does."""
    return [line.strip() for path in paths for line in open(path, encoding="utf-8", errors="replace")
            if re.search(r"^Dubious|No plan found|FAILED--", line)]


def verdict(number, how, seen):
    passed, failed = seen.get(number, (0, 0))
    if failed:
        return "FAIL"
    if passed:
        return "pass"
    return "MISSING" if how == "test" or how.startswith("differs") else "n/a"


def print_table(paths):
    seen = results(paths)
    rows = [(number, level, verdict(number, how, seen), what, how) for number, level, what, how in items()]
    for number, level, result, what, how in rows:
        note = "" if how == "test" else "  (%s)" % how
        print("%3d  %-6s  %-7s  %s%s" % (number, level, result, what, note))
    counts = {result: sum(row[2] == result for row in rows) for result in ("pass", "FAIL", "MISSING", "n/a")}
    print("items: " + ", ".join("%d %s" % (counts[r], r) for r in counts))
    for line in died(paths):
        print(line)
    return 1 if counts["FAIL"] or counts["MISSING"] or died(paths) else 0


def readme(write):
    path = os.path.join(HERE, "..", "..", "README")
    text = open(path, encoding="utf-8").read()
    wanted = "\n".join("| %d | %s | %s | %s |" % (n, level, what.replace("\\", "\\\\"), "tested" if how == "test" else how)
                       for n, level, what, how in items())
    start = text.index(HEAD) + len(HEAD)
    end = text.index("\n\n", start)
    if write:
        open(path, "w", encoding="utf-8").write(text[:start] + wanted + text[end:])
    elif text[start:end] != wanted:
        print("the README's conformance table is not that of t/conformance/items.txt")


def main():
    if "--readme" in sys.argv or "--check" in sys.argv:
        return readme("--readme" in sys.argv)
    return print_table(sys.argv[1:])


sys.exit(main())
