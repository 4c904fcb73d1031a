#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Runs the row tests: each NAME.lua through usher-gate on a capture; its output, packets and drops are compared with
NAME.expected (README.md beside this file).

    run.py USHER-GATE [NAME ...]           those whose name has one of these parts; all
    run.py USHER-GATE [NAME ...] --update  writes NAME.expected anew: read it before you keep it
    run.py --captures                      the captures there are
"""
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

import captures  # noqa: E402
import frames  # noqa: E402

MODULES = os.path.join(HERE, "../../modules/gate")  # "@modules@" in options
KEYS = ("capture", "options", "covers")


def header(path):
    """The `-- key: value` lines at the head of a rule file."""
    found = dict.fromkeys(KEYS, "")
    with open(path, encoding="utf-8") as f:
        for line in f:
            m = re.match(r"-- (\w+): (.*)", line)
            if m and m.group(1) in found:
                found[m.group(1)] += (" " if found[m.group(1)] else "") + m.group(2).strip()
            elif not line.startswith("--"):
                break
    return found


def log_lines(text):
    """Without time and process id."""
    return [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d+ (\w+ +\[[\w.-]+)/\d+\]", r"\1]", line) for line in text.splitlines()]


def run(gate, path, work):
    """The result as text."""
    head = header(path)
    cap, out = os.path.join(work, "in.pcap"), os.path.join(work, "out.pcap")
    frames.write_pcap(cap, captures.make(head["capture"]))
    cmd = [gate, path, "-r", cap, "-w", out, "--json", *head["options"].replace("@modules@", MODULES).split()]
    p = subprocess.run(cmd, cwd=work, capture_output=True, timeout=60, env={**os.environ, "TZ": "UTC"}, check=False)
    printed = p.stdout.decode("utf-8", "backslashreplace").splitlines()
    result = []
    sums = json.loads(printed.pop()) if printed and printed[-1].startswith("{") else None
    if p.returncode:
        result += ["== exit %d" % p.returncode]
    log = log_lines(p.stderr.decode("utf-8", "backslashreplace"))
    for what, lines in (("== printed", printed), ("== log", log)):
        result += [what, *(line.replace(os.path.dirname(path) + "/", "") for line in lines)] if lines else []
    if sums:
        counts = ["%s %s" % (k, sums[k]) for k in ("packets", "accepted", "modified", "injected") if sums[k]]
        result += ["== counts", *counts, *("%s %s" % x for x in sums["drops"].items())]
    if os.path.exists(out) and os.path.getsize(out):
        result += ["== out", *("%.3f %s" % (at, frames.tell(data)) for at, data in frames.read_pcap(out))]
        os.unlink(out)
    return "\n".join(result) + "\n"


def check(gate, name, update, work):
    expected = os.path.join(HERE, name + ".expected")
    got = run(gate, os.path.join(HERE, name + ".lua"), work)
    if update:
        with open(expected, "w", encoding="utf-8") as f:
            f.write(got)
        return True
    want = ""
    if os.path.exists(expected):
        with open(expected, encoding="utf-8") as f:
            want = f.read()
    if got != want:
        print("FAIL %s" % name)
        print("\n".join(difflib.unified_diff(want.splitlines(), got.splitlines(), "expected", "got", lineterm="", n=2)))
    return got == want


def main():
    args = [a for a in sys.argv[1:] if not a.startswith("--")]
    if "--captures" in sys.argv:
        print("\n".join(captures.listing()))
        return 0
    gate, parts = os.path.abspath(args[0]), args[1:]
    tests = sorted(f[:-4] for f in os.listdir(HERE) if f.endswith(".lua"))
    tests = [t for t in tests if not parts or any(p in t for p in parts)]
    with tempfile.TemporaryDirectory(prefix="usher-rules-") as work:
        good = sum(check(gate, t, "--update" in sys.argv, work) for t in tests)
    print("%d passed, %d failed, 0 skipped" % (good, len(tests) - good))
    return 0 if tests and good == len(tests) else 1


if __name__ == "__main__":
    sys.exit(main())
