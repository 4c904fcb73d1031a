# SPDX-License-Identifier: MPL-2.0
"""Kept measurements: a file of numbers, and the blocks of documents that show them."""

import json
import os

from bench.lib import numbers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESULTS = os.path.join(ROOT, "bench", "results")


def load_json(path, otherwise):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return otherwise


def is_document(o):
    """Whether a run with these options may change documents: a quick one, or one of some rows, prints its tables only."""
    return not (o.quick or o.only or o.no_doc)


def keep(name, run, rows, where=RESULTS):
    """Writes the file of that name, but not after a quick run. run["results"] gets the rows that were not measured now from the
    old file, in the order of `rows`."""
    if run.get("quick"):
        print("numbers: not kept, the run was a quick one")
        return
    os.makedirs(where, exist_ok=True)
    path = os.path.join(where, name + ".json")
    merged = {**load_json(path, {}).get("results", {}), **run["results"]}
    run["results"] = {row: merged[row] for row in rows if row in merged}
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(run, f, indent=1)
        f.write("\n")
    os.replace(path + ".new", path)
    print("numbers: " + os.path.relpath(path, ROOT))


def write_block(name, block, *markers):
    """Into the document `name`, between its markers."""
    path = os.path.join(ROOT, name)
    with open(path, encoding="utf-8") as f:
        text = numbers.replace_block(f.read(), block, *markers)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    print("tables: " + name)
