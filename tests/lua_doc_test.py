#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""doc/lua.md lists the names of rule files, and no others: lua_doc_test.py NAMES_PROGRAM doc/lua.md; so does doc/lua-gate.md for
the names that usher-gate adds. A row begins
with its names in backquotes, with or without parameters; `string.` in the first column opens a list of names."""
import re
import subprocess
import sys


def documented(path):
    names = set()
    kind = ""
    for line in open(path, encoding="utf-8"):
        cells = [c.strip() for c in line.split("|")]
        if len(cells) < 4 or not cells[1].startswith("`"):
            if len(cells) >= 4 and not cells[1].startswith("--"):
                kind = {"element": "element.", "option": "option"}.get(cells[1], "")
            continue
        first = re.findall(r"`([^`]+)`", cells[1])
        if len(first) == 1 and first[0].endswith("."):
            prefix = "" if first[0] == "_G." else first[0]
            names |= {prefix + n for n in re.findall(r"`([^`]+)`", cells[2])}
        else:
            names |= {kind + re.match(r"(set sink:)?[\w/.:]*\w", n).group() for n in first}
    return names


def main():
    program, doc = sys.argv[1:3]
    told = documented(doc)
    found = set(subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines())
    found -= {"_G", "haka", "haka.methods", "haka.message", "haka.state_machine", "haka.grammar", "OBJECTS", "MACHINE", "GRAMMAR"}
    # names that functions look up cannot be listed, but asked for
    asked = sorted(n for n in told - found if re.match(r"(address|network|machine|instance|element|option|rule|array|time|policy|group|event|object|msg|options|vbuffer|sub|iterator|shared)[.:]\w+$", n))
    absent = set(subprocess.run([program, *asked], check=True, capture_output=True, text=True).stdout.splitlines()) if asked else set()
    problems = ["%s: is there, but not in %s" % (n, doc) for n in sorted(found - told)]
    problems += ["%s: in %s, but not there" % (n, doc) for n in sorted((told - found - set(asked)) | absent)]
    if len(told) < 100:
        problems.append("%s: only %d names were found in it" % (doc, len(told)))
    print("\n".join(problems) or "%d names" % len(told))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
