#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""doc/client-hostile.md lists hostile input of a client, row by row, with its tests. This test compares the
list with the scenarios of the client (`case 24b ...`), the rows of test_client_hostile.py (R("24b", ...),
A(...), scene(...), frames of ARP), the names of system tests (test_client_24_...) and the names and comments
of unit tests (test_24_..., "row 24"). A row that nothing covers needs a reason:

    client_rows_test.py SOURCE_ROOT          fails where the list is not true
    client_rows_test.py SOURCE_ROOT --write  writes the list anew; rows, sentences and reasons stay
"""
import glob
import os
import re
import sys

HEAD = """# Robustness of the client

Behaviour of the client under hostile or broken input (packets, servers, interfaces, machines), with the test of each
row. `tests/client_rows_test.py --write` writes the third
column; the test of the same name fails when it is not true, or when a row is neither covered nor left out for
a reason.

| row | input, and expected behaviour | tested in | left out |
|---|---|---|---|
"""
LAST = 90
WHERE = [
    ("tests/scenario/client/*.scn", [r"^case (\d+)[a-z]?\b"]),
    ("tests/system/test_client_hostile.py", [r'^[RA]\("(\d+)[a-z]?"', r'^@scene\("(\d+)[a-z]?"', r'^        \("(\d+)[a-z]?", "',
                                             r"\brow (\d+)"]),
    ("tests/system/test_client*.py", [r"^def test_client_(\d+)_"]),
    ("tests/unit/client/test_client_*.c", [r"\btest_(\d+)_\w+\(void", r"\brow (\d+)"]),
]


def coverage(root):
    found = {}
    for pattern, forms in WHERE:
        for path in sorted(glob.glob(os.path.join(root, pattern))):
            with open(path, encoding="utf-8") as f:
                text = f.read()
            for form in forms:
                for m in re.finditer(form, text, re.M | re.I):
                    name = os.path.basename(path)
                    where = found.setdefault(int(m.group(1)), [])
                    if name not in where:
                        where.append(name)
    return found


def read_rows(doc):
    rows = []
    with open(doc, encoding="utf-8") as f:
        for line in f:
            m = re.match(r"\| (\d+) \| (.*) \| (.*) \| (.*) \|$", line.rstrip("\n"))
            if m:
                rows.append((int(m.group(1)), *(g.strip() for g in m.groups()[1:])))
    return rows


def main():
    root = sys.argv[1]
    doc = os.path.join(root, "doc/client-hostile.md")
    rows, found = read_rows(doc), coverage(root)
    bad, out = [], []
    if [r[0] for r in rows] != list(range(1, LAST + 1)):
        bad.append(f"the rows are not 1 to {LAST}")
    for row, what, where, reason in rows:
        now = ", ".join(found.get(row, []))
        if not now and not reason:
            bad.append(f"{row}: neither covered nor left out for a reason")
        if where != now:
            bad.append(f"{row}: the list says '{where}', it is '{now}'")
        out.append(f"| {row} | {what} | {now} | {reason} |\n")
    bad += [f"{i}: covered by {', '.join(found[i])}, but no row" for i in sorted(found) if not 1 <= i <= LAST]
    if "--write" in sys.argv:
        with open(doc, "w", encoding="utf-8") as f:
            f.write(HEAD + "".join(out))
        return 0
    for b in bad:
        print(b)
    print(f"{len(rows)} rows, {sum(1 for r in rows if r[2])} covered, {len(bad)} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
