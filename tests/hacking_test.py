#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The examples in HACKING.md are the files that are compiled and tested: hacking_test.py ROOT [--write]. Each block of code there is the
end of its file, from the line it begins with."""

import os
import re
import sys

EXAMPLES = {"c": "tests/unit/gate/example_daytime.c", "lua": "modules/gate/tftp.lua"}


def main():
    root = sys.argv[1]
    path = os.path.join(root, "HACKING.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found, bad = set(), []
    for m in re.finditer(r"```(\w+)\n(.*?)```\n", text, re.S):
        kind, block = m.groups()
        with open(os.path.join(root, EXAMPLES[kind]), encoding="utf-8") as f:
            source = f.read()
        first = block.split("\n", 1)[0]
        want = source[source.index(first):] if first in source else None
        found.add(kind)
        if want is None:
            bad.append("%s does not have the line \"%s\"" % (EXAMPLES[kind], first))
        elif want != block:
            bad.append("the example is not as %s has it (--write)" % EXAMPLES[kind])
            text = text.replace(block, want)
    bad += ["no example in %s" % kind for kind in sorted(EXAMPLES.keys() - found)]
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return 0
    print("\n".join(bad) or "%d examples" % len(found))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
