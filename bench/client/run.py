#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""usher-client beside Debian's udhcpc, dhclient and dhcpcd, in one run, in network namespaces of its own: time,
memory, system calls, size; and the activity of usher-client while it waits. As root; about seven minutes, --quick one.
The numbers go to bench/results/NAME-client.json, the tables of a whole run into doc/performance.md and README.md. A run with
--only keeps its numbers, and a quick one none; both leave documents alone.

The last line is `N rows, N failures`; the exit code is 1 when there were failures."""

import argparse
import os
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests", "system")]
sys.dont_write_bytecode = True

from bench.client import rows, world  # noqa: E402
from bench.lib import measure, numbers, record  # noqa: E402

MARKERS = "<!-- bench-client:begin -->", "<!-- bench-client:end -->"
TOOLS = ("ip", "ethtool", "unshare", "strace", "strip", "kea-dhcp4", "busybox", "dhclient", "dhcpcd")


def options():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--build", default=os.path.join(ROOT, "build"), help="a release build")
    a.add_argument("--only", default="", help="these rows (comma between): " + " ".join(rows.ROWS))
    a.add_argument("--quick", action="store_true", help="few runs of each")
    a.add_argument("--name", default=os.uname().nodename, help="of the file in bench/results")
    a.add_argument("--no-doc", action="store_true", help="leave doc/performance.md and README.md alone")
    return a.parse_args()


def problem(o):
    """Why it cannot run, or None."""
    unknown = [r for r in o.only.split(",") if r and r not in rows.ROWS]
    if unknown:
        return "no such row: %s; there are: %s" % (" ".join(unknown), " ".join(rows.ROWS))
    if os.geteuid():
        return "root is needed: it makes network namespaces"
    own = [os.path.join(o.build, p) for p in ("usher-client", "usher-server", "bench/client/usher-timed")]
    missing = [t for t in (*TOOLS, *own) if not shutil.which(t)]
    return "missing: " + " ".join(missing) if missing else None


def keep(o, run):
    record.keep(o.name + "-client", run, rows.ROWS)
    if record.is_document(o):
        record.write_block(os.path.join("doc", "performance.md"), rows.document(run), *MARKERS)
        record.write_block("README.md", rows.short(run), *MARKERS)


def main():
    o = options()
    o.build = os.path.abspath(o.build)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    why = problem(o)
    if why:
        print("bench: " + why, file=sys.stderr)
        return 1
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(143))
    began, results = time.monotonic(), {}
    ctx = rows.Context(world.Labs(o.build), o.build, o.quick)
    try:
        for name, (title, fn) in rows.ROWS.items():
            if o.only and name not in o.only.split(","):
                continue
            print("== %s: %s" % (name, title), flush=True)
            results[name] = fn(ctx)
            print(numbers.table(results[name]["columns"], results[name]["lines"]) + "\n", flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted: what was measured is kept", file=sys.stderr)
        ctx.failures.append("interrupted")
    if results:
        keep(o, {"facts": measure.facts(), "quick": o.quick, "results": results,
                 "versions": [world.version(b) for b in ("busybox", "dhclient", "dhcpcd", "kea-dhcp4")]})
    for f in ctx.failures:
        print("FAIL " + f)
    print("%d s" % (time.monotonic() - began))
    print("%d rows, %d failures" % (len(results), len(ctx.failures)))
    return 1 if ctx.failures else 0


if __name__ == "__main__":
    sys.exit(main())
