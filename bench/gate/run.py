#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""usher-gate on captures of a million packets, with rules and without, and beside other programs of Debian's on the same
files. About six minutes, --quick one; needs 3 GB of room for the captures, which go to memory (/dev/shm) where there is some.
The numbers go to bench/results/NAME-gate.json, the tables of a whole run into doc/performance.md. A run with --only keeps its
numbers, and a quick one none; both leave documents alone.

The last line is `N rows, N failures`; the exit code is 1 when there were failures."""

import argparse
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests", "system")]
sys.dont_write_bytecode = True

from bench.gate import rows  # noqa: E402
from bench.lib import measure, numbers, record  # noqa: E402

MARKERS = "<!-- bench-gate:begin -->", "<!-- bench-gate:end -->"
TOOLS = ("tcpdump", "tshark", "ngrep", "ndpiReader")


def options():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--build", default=os.path.join(ROOT, "build"), help="a release build")
    a.add_argument("--only", default="", help="these rows (comma between): " + " ".join(rows.ROWS))
    a.add_argument("--quick", action="store_true", help="a tenth of the packets, two runs of each")
    a.add_argument("--name", default=os.uname().nodename, help="of the file in bench/results")
    a.add_argument("--no-doc", action="store_true", help="leave doc/performance.md alone")
    return a.parse_args()


def problem(o):
    """Why it cannot run, or None."""
    unknown = [r for r in o.only.split(",") if r and r not in rows.ROWS]
    if unknown:
        return "no such row: %s; there are: %s" % (" ".join(unknown), " ".join(rows.ROWS))
    own = [os.path.join(o.build, p) for p in ("usher-gate", "bench/gate/gate-gen")]
    missing = [t for t in (*TOOLS, *own) if not shutil.which(t)]
    return "missing: " + " ".join(missing) if missing else None


def keep(o, run):
    record.keep(o.name + "-gate", run, rows.ROWS)
    if record.is_document(o):
        record.write_block(os.path.join("doc", "performance.md"), rows.document(run), *MARKERS)


def main():
    o = options()
    o.build = os.path.abspath(o.build)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    why = problem(o)
    if why:
        print("bench: " + why, file=sys.stderr)
        return 1
    began, results = time.monotonic(), {}
    room = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > 4 << 30 else None
    with tempfile.TemporaryDirectory(prefix="usher-bench-", dir=room) as work:
        ctx = rows.Context(o.build, work, o.quick)
        for name, (title, fn) in rows.ROWS.items():
            if o.only and name not in o.only.split(","):
                continue
            print("== %s: %s" % (name, title), flush=True)
            results[name] = fn(ctx)
            print(numbers.table(results[name]["columns"], results[name]["lines"]) + "\n", flush=True)
    keep(o, {"facts": measure.facts(), "quick": o.quick, "results": results,
             "versions": [measure.package(shutil.which(t) or t) for t in TOOLS]})
    for f in ctx.failures:
        print("FAIL " + f)
    print("%d s" % (time.monotonic() - began))
    print("%d rows, %d failures" % (len(results), len(ctx.failures)))
    return 1 if ctx.failures else 0


if __name__ == "__main__":
    sys.exit(main())
