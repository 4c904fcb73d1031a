#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""doc/haka.md lists Haka's rule API, row by row, with its tests. This test compares the list with the `covers` lines of
tests/rules/*.lua. A row without a test needs a reason:

    haka_rows_test.py SOURCE_ROOT          fails where the list is not true
    haka_rows_test.py SOURCE_ROOT --write  writes the list anew; rows, sentences and reasons stay
"""
import glob
import os
import re
import sys

sys.dont_write_bytecode = True
ROW = r"\| `([\w.]+)` \| ([AB]|fault) \| (.*) \| (.*) \| (.*) \|$"


def coverage(root):
    sys.path.insert(0, os.path.join(root, "tests/rules"))
    import run
    found = {}
    for path in sorted(glob.glob(os.path.join(root, "tests/rules/*.lua"))):
        for row in run.header(path)["covers"].split():
            found.setdefault(row, []).append(os.path.basename(path)[:-4])
    return found


def main():
    root = sys.argv[1]
    doc = os.path.join(root, "doc/haka.md")
    found, bad, out, rows = coverage(root), [], [], set()
    with open(doc, encoding="utf-8") as f:
        lines = f.readlines()
    for line in lines:
        m = re.match(ROW, line.rstrip("\n"))
        if not m:
            out.append(line)
            continue
        row, tier, what, where, reason = (g.strip() for g in m.groups())
        now = ", ".join(found.get(row, []))
        if row in rows:
            bad.append(f"{row}: twice")
        rows.add(row)
        if not now and not reason:
            bad.append(f"{row}: neither covered nor left out for a reason")
        if where != now:
            bad.append(f"{row}: the list says '{where}', it is '{now}'")
        out.append(f"| `{row}` | {tier} | {what} | {now} | {reason} |\n")
    bad += [f"{r}: covered by {', '.join(found[r])}, but no row" for r in sorted(found) if r not in rows]
    if "--write" in sys.argv:
        with open(doc, "w", encoding="utf-8") as f:
            f.write("".join(out))
        return 0
    print("\n".join(bad))
    print(f"{len(rows)} rows, {len(rows & set(found))} covered, {len(bad)} wrong")
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
