#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""usher-server beside Debian's Kea, ISC dhcpd and dnsmasq under the same generator, pair by pair, in
network namespaces of its own. As root; about 20 minutes, --quick a few. The numbers go to
bench/results/NAME.json, the tables of a whole run into doc/performance.md. A run with --only keeps its numbers, and a quick
one none; both leave documents alone.

The last line is `N rows, N failures`; the exit code is 1 when there were failures."""

import argparse
import os
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests", "system")]
sys.dont_write_bytecode = True

from bench.lib import measure, numbers, record, rows  # noqa: E402
from bench.lib.peers import Dhcpd, Dnsmasq, Kea  # noqa: E402

TOOLS = ("ip", "ethtool", "taskset", "strace", Kea.binary, Dhcpd.binary, Dnsmasq.binary)


def options():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--build", default=os.path.join(ROOT, "build"), help="a release build")
    a.add_argument("--only", default="", help="these rows (comma between): " + " ".join(rows.ROWS))
    a.add_argument("--quick", action="store_true", help="one short run of each, small lease files")
    a.add_argument("--name", default=os.uname().nodename, help="of the file in bench/results")
    a.add_argument("--no-doc", action="store_true", help="leave doc/performance.md alone")
    a.add_argument("--generator", help="usher-load (that of the build)")
    return a.parse_args()


def problem(o, generator, server):
    """Why it cannot run, or None."""
    unknown = [r for r in o.only.split(",") if r and r not in rows.ROWS]
    if unknown:
        return "no such row: %s; there are: %s" % (" ".join(unknown), " ".join(rows.ROWS))
    if os.geteuid():
        return "root is needed: it makes network namespaces"
    missing = [t for t in (*TOOLS, generator, server) if not shutil.which(t)]
    return "missing: " + " ".join(missing) if missing else None


def keep(o, run):
    record.keep(o.name, run, rows.ROWS)
    if record.is_document(o):
        micro = record.load_json(os.path.join(HERE, "micro", "baseline.json"), {}).get("instructions", {})
        record.write_block(os.path.join("doc", "performance.md"), rows.document(run, micro))


def main():
    o = options()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    generator = os.path.abspath(o.generator or os.path.join(o.build, "usher-load"))
    server = os.path.abspath(os.path.join(o.build, "usher-server"))
    why = problem(o, generator, server)
    if why:
        print("bench: " + why, file=sys.stderr)
        return 1
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(143))
    began, results = time.monotonic(), {}
    world = measure.World(generator)
    try:
        ctx = rows.Context(world, server, o.quick)
        for name, (title, fn) in rows.ROWS.items():
            if o.only and name not in o.only.split(","):
                continue
            print("== %s: %s" % (name, title), flush=True)
            t = time.monotonic()
            results[name] = fn(ctx)
            print("%s\n(%d s)\n" % (numbers.table(results[name]["columns"], results[name]["lines"]), time.monotonic() - t),
                  flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted: what was measured is kept", file=sys.stderr)
        ctx.failures.append("interrupted")
    finally:
        world.close()
    if results:
        keep(o, {"facts": measure.facts(), "versions": [measure.version(p) for p in (Kea, Dhcpd, Dnsmasq)],
                 "quick": o.quick, "reps": ctx.reps, "seconds": ctx.seconds, "results": results})
    for f in ctx.failures:
        print("FAIL " + f)
    print("%d s" % (time.monotonic() - began))
    print("%d rows, %d failures" % (len(results), len(ctx.failures)))
    return 1 if ctx.failures else 0


if __name__ == "__main__":
    sys.exit(main())
