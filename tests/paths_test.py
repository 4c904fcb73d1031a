#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Every file of the project that a comment or a document names exists. paths_test.py ROOT

A name with a folder is looked up from the root, from src/, include/ and from the folder of the file that names it; a name
without one must be the name of any file of the tree."""

import os
import re
import sys

KINDS = ("c", "h", "def", "py", "md", "sh", "scn", "scd", "build", "expected")
NAME = re.compile(r"(?<![\w*<>/.@~$-])((?:[\w.-]+/)*[\w-]+\.(?:%s))(?![\w*<>(/-])" % "|".join(KINDS))
COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
# names of others: headers of systems and libraries, files that users write, examples
OTHERS = re.compile(r"(?:linux|net|netinet|sys|arpa|lua5.1)/.*|stdio\.h|lauxlib\.h|pcap\.h|libmnl\.h|hs\.h|pcre2\.h|cmocka\.h|if_link\.h|"
                    r"virtio_net\.h|errno\.h|(?:my|your|mine|foo|bar|s|x|y|fuzz_x)\w*\.(?:c|h|md|sh|py)|[A-Z]+\.\w+")


def text_of(path, text):
    """The parts of a file that are prose."""
    if path.endswith((".c", ".h", ".def")):
        return ((m.start(), m.group(0)) for m in COMMENT.finditer(text) if m.group(0).startswith("/"))
    if path.endswith((".py", ".sh", ".lua", ".build", "Makefile")):
        return ((m.start(), m.group(0)) for m in re.finditer(r"(?m)(?:#|--).*$", text))
    return [(0, text)]


def main():
    root = os.path.abspath(sys.argv[1])
    files = []
    for directory, subs, names in os.walk(root):
        subs[:] = [s for s in subs if not s.startswith((".git", "build")) and s not in ("corpus", "regress", "__pycache__", "node_modules")]
        files += [os.path.relpath(os.path.join(directory, n), root) for n in names]
    known, bases = set(files), {os.path.basename(f) for f in files}
    bad = []
    for f in sorted(files):
        if not f.endswith((".c", ".h", ".def", ".py", ".sh", ".lua", ".build", ".md", ".scd", "Makefile")) or "tests/data" in f:
            continue
        if f == "CHANGELOG.md":
            continue  # of earlier versions
        with open(os.path.join(root, f), encoding="utf-8") as fh:
            text = fh.read()
        for at, part in text_of(f, text):
            for m in NAME.finditer(part):
                name = m.group(1)
                places = (name, "src/" + name, "include/" + name, os.path.normpath(os.path.join(os.path.dirname(f), name)))
                if OTHERS.fullmatch(name) or any(p in known for p in places):
                    continue
                if "/" not in name and name in bases:
                    continue
                if "/" in name and any(k.endswith("/" + name) for k in known):
                    continue
                line = text.count("\n", 0, at + m.start()) + 1
                bad.append("%s:%d: %s: there is no such file" % (f, line, name))
    print("\n".join(bad) or "%d files, nothing found" % len(files))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
