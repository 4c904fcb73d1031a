#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Runs the system tests: real network namespaces, real clients, the real server program. As root.
The last line is always `N passed, N failed, N skipped`; the exit code is 1 when one failed."""

import argparse
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from lib import runner  # noqa: E402

TOOLS = ("ip", "ethtool", "mount", "umount", "prlimit", "unshare", "busybox", "dhclient", "dhcpcd", "dhcrelay",
         "perfdhcp", "kea-dhcp4", "dhcpd", "dnsmasq", "sysctl", "valgrind", "chattr", "mkfs.ext4", "setpriv", "bash", "dash",
         "iptables-legacy", "ping", "curl", "dig", "promtool")


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--only", help="tests whose name has one of these parts (comma between)")
    a.add_argument("--tag", help="tests of a subset: asan, tsan")
    a.add_argument("--binary", default=os.path.join(ROOT, "build", "usher-server"), help="the server")
    a.add_argument("--workers", type=int, default=2, help="threads of the server")
    a.add_argument("--jobs", type=int, default=2, help="tests at a time")
    a.add_argument("--long", action="store_true", help="the long loops (50 kills instead of 10, …)")
    a.add_argument("--list", action="store_true", help="names only")
    a.add_argument("--keep", help="keep the files of failed tests in this directory")
    a.add_argument("--again", action="store_true", help="what failed runs once more at the end, alone (two tests at most)")
    a.add_argument("--verbose", action="store_true", help="tracebacks")
    o = a.parse_args()
    cases = runner.collect(HERE, o)
    if o.list:
        print("\n".join(c.name for c in cases))
        return 0
    o.binary = os.path.abspath(o.binary)
    os.environ["USHER_WORKERS"] = str(o.workers)
    missing = [t for t in TOOLS if not shutil.which(t, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")]
    if os.geteuid() or missing or not os.access(o.binary, os.X_OK):
        print("FAIL setup: %s" % ("must run as root" if os.geteuid() else "missing: " + " ".join(missing)
                                  if missing else "no server at " + o.binary))
        print("0 passed, 1 failed, 0 skipped")
        return 1
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    return 1 if runner.run(cases, o) else 0


if __name__ == "__main__":
    sys.exit(main())
