#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The man page of usher-gate names every option that args.def has, and no other. gate_man_test.py ROOT."""

import os
import re
import sys


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "src/gate/run/args.def"), encoding="utf-8") as f:
        table = {m for m in re.findall(r'^ARGUMENT\([^,]+,\s*"([^"@]+)"', f.read(), re.M)}
    with open(os.path.join(root, "doc/usher-gate.8.scd"), encoding="utf-8") as f:
        page = {m for line in f if line.startswith("*-") for m in re.findall(r"\*--([a-z-]+)\*", line)}
    for name in sorted(table - page):
        print("doc/usher-gate.8.scd: --%s is missing" % name)
    for name in sorted(page - table):
        print("doc/usher-gate.8.scd: --%s is no option" % name)
    return 1 if table != page else 0


if __name__ == "__main__":
    sys.exit(main())
