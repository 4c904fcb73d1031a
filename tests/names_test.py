#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Names of static functions: at least five letters, and no name twice in a folder, so that a name in a profile or a
backtrace tells its place. A function that scripts call may have the name of its table and method (sub_replace).
names_test.py ROOT [FOLDER ...]: the folders that comply, or those given"""

import collections
import os
import re
import sys

# Folders of src/ that comply; add others when their names are right.
FOLDERS = (
    "client/core", "client/os", "control", "gate", "gate/app", "gate/engine", "gate/guard", "gate/lua", "gate/net", "gate/run", "gate/tcp",
    "hook", "packet", "runtime", "script", "script/buffer", "script/library", "script/regexp", "script/rules", "script/state",
    "script/values", "server/core", "server/lua", "server/manage", "server/run", "server/stages", "server/worker",
    "tools",
)
# Files of which the build takes one.
INSTEAD = {"regexp_noscan.c": "regexp_vectorscan.c"}
MIN_LETTERS = 5
DEFINITION = re.compile(
    r"^static\s+(?:inline\s+)?[\w\s\*]*?(?:__attribute__\s*\(\(.*?\)\)\s*)?\b(\w+)\s*\([^;{}]*\)\s*\{", re.M)


def check_folder(root, folder):
    """The problems of one folder."""
    places = collections.defaultdict(list)
    directory = os.path.join(root, "src", folder)
    for name in sorted(os.listdir(directory)):
        if name.endswith((".c", ".h")):
            with open(os.path.join(directory, name), encoding="utf-8") as f:
                for m in DEFINITION.finditer(f.read()):
                    places[m[1]].append(INSTEAD.get(name, name))
    problems = ["src/%s/%s: %s: at least %d letters" % (folder, files[0], function, MIN_LETTERS)
                for function, files in places.items() if len(re.sub(r"[^A-Za-z]", "", function)) < MIN_LETTERS]
    problems += ["src/%s: %s is defined in %s" % (folder, function, " and ".join(sorted(set(files))))
                 for function, files in places.items() if len(set(files)) > 1]
    return problems if places else ["src/%s: has no static function: take it out of the list" % folder]


def main():
    root, folders = sys.argv[1], sys.argv[2:] or FOLDERS
    problems = [p for folder in folders for p in check_folder(root, folder)]
    print("\n".join(problems) or "nothing found")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
