#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The shape of the program by its objects. symbols_test.py ROOT BUILD [--list]

- No global symbol is defined by two files of src, main excepted: a program that linked both would take one of them by chance,
  and a reader who looks a name up would find two.
- No folders of src form a circle, by the symbols that their files use of each other, tables included.
- At most MAX_CIRCLE files of one folder form a circle. --list prints those."""

import json
import os
import re
import subprocess
import sys

# functions, data, read-only data, memory that begins at zero; and uses
SYMBOL = re.compile(r"^(\S+?):(?:[0-9a-f]+| +) ([TDRBU]) (\w+)$", re.M)
EXPECTED = {"main"}
MAX_CIRCLE = 5
BATCH = 100


def objects(root, build):
    """The objects of files of src that are built: {path of the object: name of the file}."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as f:
        commands = json.load(f)
    found = {}
    for c in commands:
        source = os.path.relpath(os.path.join(c["directory"], c["file"]), root)
        path = os.path.normpath(os.path.join(c["directory"], c.get("output", "")))
        if source.startswith("src/") and os.path.isfile(path):
            found[path] = source
    return found


def circles(graph):
    """The strongly connected parts of {node: nodes} with more than one member (Tarjan)."""
    index, low, stack, out = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in graph[v]:
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            part = stack[stack.index(v):]
            del stack[-len(part):]
            if len(part) > 1:
                out.append(sorted(part))

    for v in sorted(graph):
        if v not in index:
            visit(v)
    return sorted(out)


def main():
    root, build = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    found = objects(root, build)
    defined, used = {}, {source: set() for source in found.values()}
    paths = sorted(found)
    for i in range(0, len(paths), BATCH):
        out = subprocess.run(["nm", "-A", *paths[i:i + BATCH]], check=True, capture_output=True, text=True).stdout
        for path, kind, name in SYMBOL.findall(out):
            if kind == "U":
                used[found[path]].add(name)
            elif not name.startswith("__"):
                defined.setdefault(name, set()).add(found[path])
    problems = [f"{name}: defined in {', '.join(sorted(files))}" for name, files in sorted(defined.items())
                if len(files) > 1 and name not in EXPECTED]
    if len(defined.get("main", ())) < 2:
        problems.append(f"{build}: the objects of the programs are not there")

    uses = {source: {f for name in names for f in defined.get(name, ())} - {source} for source, names in used.items()}
    folders = {os.path.dirname(s): set() for s in uses}
    for source, others in uses.items():
        folders[os.path.dirname(source)] |= {os.path.dirname(o) for o in others} - {os.path.dirname(source)}
    problems += ["folders form a circle: " + " ".join(c) for c in circles(folders)]
    listed = []
    for folder in sorted(folders):
        inside = {s: {o for o in others if os.path.dirname(o) == folder}
                  for s, others in uses.items() if os.path.dirname(s) == folder}
        for c in circles(inside):
            line = f"{folder}: {len(c)} files form a circle: {' '.join(os.path.basename(f) for f in c)}"
            listed.append(line)
            if len(c) > MAX_CIRCLE:
                problems.append(line)
    if "--list" in sys.argv:
        print("\n".join(listed))
    print("\n".join(problems) or f"{len(defined)} symbols of {len(uses)} files, each defined once; {len(listed)} circles of files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
