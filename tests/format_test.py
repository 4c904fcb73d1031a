#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""The layout of every C file is that of .clang-format, by clang-format 14 (Debian 12; other versions lay out some lines
differently). format_test.py ROOT compares; format_test.py ROOT --write lays the files out."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

VERSION = 14
TOPS = ("bench", "fuzz", "include", "modules", "proof", "src", "tests", "tools")
BATCH = 40


def c_files(root):
    for top in TOPS:
        for directory, _, names in sorted(os.walk(os.path.join(root, top))):
            for n in sorted(names):
                if n.endswith((".c", ".h")):
                    yield os.path.join(directory, n)


def formatter():
    """The program, or None with a reason."""
    for name in ("clang-format-%d" % VERSION, "clang-format"):
        path = shutil.which(name)
        if path:
            out = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            if re.search(r"version %d\." % VERSION, out):
                return path
    return None


def main():
    root = sys.argv[1]
    program = formatter()
    if not program:
        print("clang-format %d is needed (Debian package clang-format): make deps" % VERSION)
        return 1
    files = list(c_files(root))
    how = ["-i"] if "--write" in sys.argv else ["--dry-run", "-Werror"]

    def run(batch):
        return subprocess.run([program, "--style=file", *how, *batch], capture_output=True, text=True, check=False)

    batches = [files[i:i + BATCH] for i in range(0, len(files), BATCH)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(run, batches))
    places = sorted({os.path.relpath(m, root) for r in results
                     for m in re.findall(r"^(\S+?:\d+):\d+: error", r.stderr, re.M)})
    if any(r.returncode for r in results) and not places:
        print("".join(r.stderr for r in results))
        return 1
    print("\n".join(places + ["another layout than .clang-format's: make format"]) if places
          else "%d files, nothing found" % len(files))
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main())
