#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Names of static functions: at least five letters (but for the cursor's, which headers define), and no name twice in a folder, so that a name in a profile or a
backtrace tells its place. A function that scripts call may have the name of its table and method (sub_replace).
names_test.py ROOT [FOLDER ...]: all folders of src/, or those given"""

import collections
import os
import re
import sys

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
                for function, files in places.items()
                if len(re.sub(r"[^A-Za-z]", "", function)) < MIN_LETTERS and not files[0].endswith(".h")]
    problems += ["src/%s: %s is defined in %s" % (folder, function, " and ".join(sorted(set(files))))
                 for function, files in places.items() if len(set(files)) > 1]
    return problems


def source_folders(root):
    """All folders of src/ with C files."""
    top = os.path.join(root, "src")
    return sorted(os.path.relpath(d, top) for d, _, names in os.walk(top) if any(n.endswith(".c") for n in names))


def main():
    root, folders = sys.argv[1], sys.argv[2:] or source_folders(sys.argv[1])
    problems = [p for folder in folders for p in check_folder(root, folder)]
    print("\n".join(problems) or "nothing found in %d folders" % len(folders))
    return 1 if problems or not folders else 0


if __name__ == "__main__":
    sys.exit(main())
