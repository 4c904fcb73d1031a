#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""doc/conformance.md lists every conformance row with its tests. This test compares the list with
the scenarios (their `covers` lines, as the runner prints them) and the names of system tests:

    conformance_test.py SOURCE_ROOT SCENARIO_RUNNER          fails where the list is not true
    conformance_test.py SOURCE_ROOT SCENARIO_RUNNER --write  writes the list anew; ids and reasons stay
"""
import glob
import os
import re
import subprocess
import sys

HEAD = """# Conformance

Every row of the DHCPv4 conformance list, its invariants and robustness cases, and where it is tested:
a scenario file of `tests/scenario/` (its `covers` lines), a system test of `tests/system/` (its name), or
the reason why it is left out. `tests/conformance_test.py --write` writes the middle column; the test of
the same name fails when it is not true.

| id | scenarios and system tests | left out |
|---|---|---|
"""


def scenario_coverage(root, runner):
    found = {}
    for path in sorted(glob.glob(os.path.join(root, "tests/scenario/*.scn"))):
        out = subprocess.run([runner, "--list-coverage", path], check=True, capture_output=True, text=True).stdout
        for word in out.split():
            if not word.startswith(("drop:", "hook:")):
                found.setdefault(word, []).append(os.path.basename(path))
    return found


def ids_in_name(name):
    """INV_04_05_kill names INV-04 and INV-05; R2131_2_2_01_x names R2131-2.2-01."""
    for m in re.finditer(r"(INV|ROB|KEA_[A-Z]+)((?:_\d\d(?!\d))+)", name):
        for n in re.findall(r"\d\d", m.group(2)):
            yield m.group(1).replace("_", "-") + "-" + n
    for m in re.finditer(r"(R\d{3,4})_((?:\d_)*)(\d\d)(?!\d)", name):
        section = ".".join(m.group(2).strip("_").split("_"))
        yield m.group(1) + "-" + (section + "-" if section else "") + m.group(3)


def system_coverage(root):
    found = {}
    for path in sorted(glob.glob(os.path.join(root, "tests/system/test_*.py"))):
        with open(path, encoding="utf-8") as f:
            for name in re.findall(r"^def (test_\w+)", f.read(), re.M):
                for i in ids_in_name(name):
                    entry = os.path.basename(path) + ":" + name
                    if entry not in found.setdefault(i, []):
                        found[i].append(entry)
    return found


def read_rows(doc):
    rows = []
    with open(doc, encoding="utf-8") as f:
        for line in f:
            m = re.match(r"\| ([A-Z][A-Za-z0-9.-]*\d) \| (.*) \| (.*) \|$", line.rstrip("\n"))
            if m:
                rows.append((m.group(1), m.group(2).strip(), m.group(3).strip()))
    return rows


def main():
    root, runner = sys.argv[1], sys.argv[2]
    doc = os.path.join(root, "doc/conformance.md")
    rows = read_rows(doc)
    scenarios, system = scenario_coverage(root, runner), system_coverage(root)
    bad, out = [], []
    seen = set()
    for row_id, where, reason in rows:
        if row_id in seen:
            bad.append(f"{row_id}: twice in the list")
        seen.add(row_id)
        now = ", ".join(scenarios.get(row_id, []) + system.get(row_id, []))
        if now and reason:
            bad.append(f"{row_id}: covered by {now}, yet left out because: {reason}")
        if not now and not reason:
            bad.append(f"{row_id}: neither covered nor left out for a reason")
        if where != now:
            bad.append(f"{row_id}: the list says '{where}', it is '{now}'")
        out.append(f"| {row_id} | {now} | {'' if now else reason} |\n")
    for i in scenarios:
        if re.match(r"(R\d|INV-|ROB-)", i) and i not in seen:
            bad.append(f"{i}: a scenario covers it, no row of the list")
    if "--write" in sys.argv:
        with open(doc, "w", encoding="utf-8") as f:
            f.write(HEAD + "".join(out))
        return 0
    for b in bad:
        print(b)
    print(f"{len(rows)} rows, {sum(1 for r in rows if r[1])} covered, {len(bad)} wrong")
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
