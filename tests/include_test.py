#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The shape of the source tree: which layer may include which (the same table stands in
ARCHITECTURE.md), that every C file names its licence and opens with a comment on its purpose,
and that no file grows beyond 900 lines. include_test.py includes|files ROOT."""

import os
import re
import sys

# layer: the layers below it that it may include
MAY_USE = {
    "base": "",
    "wire": "base",
    "packet": "base wire",
    "capture": "base packet wire",
    "runtime": "base capture",
    "config": "base wire packet",
    "lease": "base",
    "hook": "base wire packet config lease",
    "script": "base wire packet config hook",
    "control": "base config runtime",
    "server": "base wire packet capture runtime config lease hook script control",
    "client": "base wire packet capture runtime config control",
    "gate": "base wire packet capture runtime config hook control script",
    "tools": "base wire packet capture config lease control",
}
# the rows of the commands, which usherctl has for its help
COMMAND_ROWS = ("server/commands.def", "client/command.def", "gate/commands.def")
MAX_LINES = 900
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def c_files(root, *tops):
    for top in tops:
        for directory, _, names in sorted(os.walk(os.path.join(root, top))):
            for n in sorted(names):
                if n.endswith((".c", ".h", ".def")):
                    yield os.path.join(directory, n)


def check_layers(root):
    problems = []
    for layer in sorted(os.listdir(os.path.join(root, "src"))):
        if os.path.isdir(os.path.join(root, "src", layer)) and layer not in MAY_USE:
            problems.append("src/%s: a layer that the table does not know" % layer)
    for path in c_files(root, "src"):
        name = os.path.relpath(path, root)
        layer = name.split(os.sep)[1]
        allowed = {layer, *MAY_USE.get(layer, "").split()}
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for kind, inc in INCLUDE.findall(text):
            top = inc.split("/")[0]
            if kind == "<" and not inc.startswith("usher/"):
                continue
            if inc.startswith("usher/"):
                # the hook ABI: for the layers that carry it out
                if layer not in ("hook", "server"):
                    problems.append("%s: %s: only hook and server know the ABI" % (name, inc))
            elif "/" not in inc:
                problems.append("%s: \"%s\": includes name their layer" % (name, inc))
            elif name == "src/tools/ctl_help.c" and inc in COMMAND_ROWS:
                continue
            elif layer == "server" and top == "script" and not os.path.basename(path).startswith("lua_"):
                problems.append("%s: \"%s\": of the server only lua_*, its hook library, knows scripts" % (name, inc))
            elif top not in allowed:
                problems.append("%s: \"%s\": %s may use: %s" % (name, inc, layer, " ".join(sorted(allowed))))
    for path in c_files(root, "include"):
        with open(path, encoding="utf-8") as f:
            for kind, inc in INCLUDE.findall(f.read()):
                if kind == '"':
                    problems.append("%s: \"%s\": an installed header stands alone" % (os.path.relpath(path, root), inc))
    return problems


def check_files(root):
    problems = []
    for path in c_files(root, "src", "include", "tests", "fuzz", "modules", "bench"):
        name = os.path.relpath(path, root)
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        if not re.match(r"(/\*|//) SPDX-License-Identifier: MPL-2\.0", lines[0]):
            problems.append("%s:1: no SPDX line" % name)
        rest = next((line for line in lines[1:] if line.strip()), "")
        if not rest.lstrip().startswith(("/*", "//")):
            problems.append("%s:2: does not open with a comment saying what it is" % name)
        if len(lines) - 1 > MAX_LINES:
            problems.append("%s: %d lines, at most %d" % (name, len(lines) - 1, MAX_LINES))
    return problems


def main():
    what, root = sys.argv[1], sys.argv[2]
    problems = {"includes": check_layers, "files": check_files}[what](root)
    print("\n".join(problems) or "nothing found")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
