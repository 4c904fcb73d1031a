#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks the comments above functions of src/ and include/: each starts with a verb in the third person ("Returns ...",
"Removes ...", "Called when ..."), and none refers to a neighbouring comment.

    comments_test.py ROOT [FOLDER ...] [--long]

Folders are names below src/; without one all are checked. With --long, sentences above 25 words are printed too, for people.
"""
import pathlib
import re
import sys

MAX_WORDS = 25
# Words with the ending of a verb that are none.
NO_VERBS = set("""Is Has Does Was As Its This Thus Always Others Bytes Options Rows Rules Values Parts Packets Frames Words Addresses Leases Names
Files Lines Numbers Times Ones Seconds Microseconds Classes Clients Events Arguments Characters Lists Keys Flags Bits Tables Messages Fields Sums
Functions Pools Subnets Records Statistics Octets Upvalues Sizes Items Nanoseconds Datagrams Results Neighbours Ports Timers
Tags Bindings Alerts Sometimes Perhaps Plus Minus Less Unless Across Towards Besides Afterwards""".split()) - {
    "Names", "Lists", "Times", "Numbers", "Flags", "Records", "Frames", "Sums"}
COMMENT = r"((?:^//[^\n]*\n)+|^/\*(?:[^*]|\*(?!/))*\*/\n)"
# A definition or a declaration at the left margin; its name is the last word before the first parenthesis.
FUNCTION = r"(?=(?!typedef|return|else|struct \w+ \{|enum \w+ \{|union \w+ \{|#|//)[A-Za-z_][\w \t\n*]*?\b(\w+)\s*\([^;{]*\)[^;{}=]*[;{])"
PLACE = re.compile(COMMENT + FUNCTION, re.M)
MARKS = re.compile(r"^(?:/\*+|//|[ \t]*\*(?!/))[ \t]?|[ \t]*\*/\s*$", re.M)
TITLE = re.compile(r"\A(?:-{3,}[^\n]*(?:\n|\Z))+")    # a line of a section, above the comment or alone
VERB = re.compile(r"[A-Z][a-z]+s\b|Called\b|[A-Z][a-z]+es\b")
NEIGHBOUR = re.compile(r"\A(?:The same|Likewise|Ditto|As above|Same)\b", re.I)
SENTENCE = re.compile(r"(?<=[.:;])\s+")


def function_comments(path):
    """Yields (line, function, text) of each comment that stands directly above a function."""
    source = path.read_text(encoding="utf-8")
    for m in PLACE.finditer(source):
        text = TITLE.sub("", MARKS.sub("", m[1]).strip()).strip()
        if text and not text.startswith("SPDX"):
            yield source.count("\n", 0, m.start()) + 1, m[2], text


def check(path, long):
    """Returns the problems of one file."""
    problems = []
    for line, function, text in function_comments(path):
        first = re.match(r"[\w']+", text)
        verb = VERB.match(text)
        if not verb or verb[0] in NO_VERBS:
            problems.append("%s:%d: %s: starts with \"%s\", not with a verb" % (path, line, function, first[0] if first else text[:10]))
        elif NEIGHBOUR.match(text):
            problems.append("%s:%d: %s: refers to another comment" % (path, line, function))
        if long:
            problems += ["%s:%d: %s: %d words: %s" % (path, line, function, len(s.split()), " ".join(s.split())[:90])
                         for s in SENTENCE.split(text) if len(s.split()) > MAX_WORDS]
    return problems


def main():
    words = [w for w in sys.argv[1:] if w != "--long"]
    root, folders = pathlib.Path(words[0]), words[1:]
    places = [root / "src" / f for f in folders] or [root / "src", root / "include"]
    files = sorted(f for p in places for f in p.rglob("*.[ch]"))
    problems = [p for f in files for p in check(f, "--long" in sys.argv)] or ([] if files else ["there is no file"])
    print("\n".join(problems) or "nothing found in %d files" % len(files))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
