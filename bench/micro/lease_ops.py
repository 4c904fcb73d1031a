#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Instructions an operation of the lease layer, counted by callgrind, which no other load on the
machine disturbs: lease_ops.py build/bench/lease_bench ops 200000 | pools 18.
The kernel's part (write, fdatasync, futex) is not in it."""

import os
import re
import subprocess
import sys
import tempfile

CALLS = re.compile(r"^calls=(\d+)")


def collect(argv):
    out = tempfile.NamedTemporaryFile(suffix=".callgrind", delete=False).name
    subprocess.run(["valgrind", "-q", "--tool=callgrind", "--toggle-collect=op_*", "--compress-strings=no",
                    "--compress-pos=no", "--callgrind-out-file=" + out, *argv],
                   check=True, stdout=subprocess.DEVNULL)
    return out


def inclusive(path):
    """{function: (calls, instructions with all they call)} of the op_ functions."""
    calls, cost = {}, {}
    fn = callee = None
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.startswith("fn="):
                fn = line[3:].strip().split("'")[0]
            elif line.startswith("cfn="):
                callee = line[4:].strip().split("'")[0]
            elif CALLS.match(line):
                n = int(CALLS.match(line)[1])
                ir = int(next(f).split()[1])
                if fn and fn.startswith("op_"):
                    cost[fn] = cost.get(fn, 0) + ir
                if callee.startswith("op_"):
                    calls[callee] = calls.get(callee, 0) + n
            elif fn and fn.startswith("op_") and re.match(r"^\+?-?\d+ \d+$", line):
                cost[fn] = cost.get(fn, 0) + int(line.split()[1])
    return {f: (calls.get(f, 0), c) for f, c in cost.items()}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    path = collect(sys.argv[1:])
    rounds = 2000 if sys.argv[2] == "pools" else 20000
    for fn, (n, ir) in sorted(inclusive(path).items()):
        per = n or rounds // (64 if fn.endswith("_64") else 1)
        print("%-36s %8.0f instructions" % (fn[3:], ir / per))
    os.unlink(path)


if __name__ == "__main__":
    main()
