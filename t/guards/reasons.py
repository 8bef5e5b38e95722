#!/usr/bin/python3
"""reasons.py [--write]: the README's table of reasons is the one in src/core/reason.h.

Prints what differs; with --write, puts the table of the source into the README.
"""
import re
import sys

STATUS = {"DENY": "401", "BAD_REQUEST": "400", "FORBIDDEN": "403", "UNAVAILABLE": "503", "PASS": "–"}
SPECIAL = {"http11-required": "reset", "handshake": "401"}


def rows():
    source = open("src/core/reason.h", encoding="utf-8").read()
    block = source[source.index("#define WA_REASONS"):source.index("#define X(name")]
    block = block.replace("\\\n", " ")
    for row in re.findall(r'X\((\w+), "([^"]+)", (\w+), (\w+), (\d+), (\d+)u?,\s*((?:"[^"]*"\s*)+)\)',
                          block):
        token, answer, sub, win32 = row[1], row[2], row[4], row[5]
        text = " ".join("".join(re.findall(r'"([^"]*)"', row[6])).split())
        text = text or "logged in, or served under the connection's login"
        yield "| `%s` | %s | %s %s | %s |" % (token, SPECIAL.get(token, STATUS[answer]), sub, win32, text)


def main():
    readme = open("README", encoding="utf-8").read()
    head = "| reason | status | substatus, win32 | meaning |\n|---|---|---|---|\n"
    start = readme.index(head) + len(head)
    end = readme.index("\n\n", start)
    wanted = "\n".join(rows())
    if "--write" in sys.argv:
        open("README", "w", encoding="utf-8").write(readme[:start] + wanted + readme[end:])
    else:
        have, want = readme[start:end].splitlines(), wanted.splitlines()
        for line in [x for x in want if x not in have] + [x for x in have if x not in want]:
            print(line)


main()
