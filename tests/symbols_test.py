#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""No global symbol is defined by two files of src, main excepted: a program that linked both would take one of them by
chance, and a reader who looks a name up would find two. symbols_test.py ROOT BUILD reads the objects of the build."""

import json
import os
import re
import subprocess
import sys

# functions, data, read-only data, memory that begins at zero
DEFINED = re.compile(r"^[0-9a-f]+ [TDRB] (\w+)$", re.M)
EXPECTED = {"main"}


def objects(root, build):
    """The objects of files of src that are built: (name of the file, path of the object)."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        commands = json.load(f)
    for c in commands:
        source = os.path.relpath(os.path.join(c["directory"], c["file"]), root)
        path = os.path.join(c["directory"], c.get("output", ""))
        if source.startswith("src/") and os.path.isfile(path):
            yield source, path


def main():
    root, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    places = {}
    sources = set()
    for source, path in objects(root, build):
        sources.add(source)
        out = subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout
        for name in DEFINED.findall(out):
            if not name.startswith("__"):
                places.setdefault(name, set()).add(source)
    problems = [f"{name}: defined in {', '.join(sorted(files))}" for name, files in sorted(places.items())
                if len(files) > 1 and name not in EXPECTED]
    if len(places.get("main", ())) < 2:
        problems.append(f"{build}: the objects of the programs are not there")
    print("\n".join(problems) or f"{len(places)} symbols of {len(sources)} files, each defined once")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
