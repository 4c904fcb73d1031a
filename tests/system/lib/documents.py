# SPDX-License-Identifier: MPL-2.0
"""The examples in README, doc/ and manual pages. Every block of code there has a mark in the line above it:

    <!-- example: WORLD -->     commands; a test runs each as printed, in a world with all that they need
    <!-- file: NAME WORLD -->   the content of a file that the commands of WORLD use
    <!-- fragment: REASON -->   no whole thing that could be run

In manual pages (scdoc) the mark is a comment: `; example: WORLD`."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
# drawn by tools, or without a word that anybody would type
_GENERATED = {"client-fsm.md", "tables.md", "conformance.md", "performance.md", "client-hostile.md", "haka.md", "fuzzing.md"}
_MARK = re.compile(r"(?:<!-- (.*?) -->|; (example: .*|file: .*|fragment: .*))$")


class Block:
    def __init__(self, path, line, mark, lines):
        self.path, self.line, self.lines = os.path.relpath(path, ROOT), line, lines
        self.kind, _, self.rest = (mark or "").partition(": ")

    @property
    def where(self):
        return "%s:%d" % (self.path, self.line)

    def commands(self):
        """(line number, command) without comments; lines that end with a backslash are joined."""
        out, held = [], ""
        for i, text in enumerate(self.lines):
            text = re.sub(r"(^|\s+)# .*$", "", text).rstrip()
            text = re.sub(r"\+\+$", "", text)  # scdoc's line break
            if text.endswith("\\"):
                held += text[:-1]
                continue
            if (held + text).strip():
                out.append((self.line + i, (held + text).strip()))
            held = ""
        return out


def _blocks_md(path, text):
    """Fenced blocks, and indented ones that follow an empty line or a mark."""
    lines, i, before = text.split("\n"), 0, ""
    while i < len(lines):
        if lines[i].startswith("```"):
            end = lines.index("```", i + 1)
            yield Block(path, i + 2, before, lines[i + 1:end])
            i = end + 1
            before = ""
        elif lines[i].startswith("    ") and (i == 0 or not lines[i - 1].strip() or before):
            end = i
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield Block(path, i + 1, before, [x[4:] for x in lines[i:end]])
            i, before = end, ""
        else:
            m = _MARK.match(lines[i])
            if m:
                before = m.group(1) or m.group(2)
            elif lines[i].strip():
                before = ""
            i += 1


def _blocks_scd(path, text):
    """Indented lines behind an empty line or a mark; those behind a term in a list are its text."""
    lines, i, before = text.split("\n"), 0, ""
    while i < len(lines):
        m = _MARK.match(lines[i])
        if m:
            before = m.group(2)
        elif lines[i].startswith("\t") and (not lines[i - 1].strip() or before):
            end = i
            while end < len(lines) and lines[end].startswith("\t"):
                end += 1
            yield Block(path, i + 1, before, [x[1:] for x in lines[i:end]])
            i, before = end, ""
            continue
        elif lines[i].strip():
            before = ""
        i += 1


def documents():
    doc = os.path.join(ROOT, "doc")
    return [os.path.join(ROOT, "README.md"), os.path.join(ROOT, "HACKING.md"),
            *(os.path.join(doc, n) for n in sorted(os.listdir(doc)) if n.endswith((".md", ".scd")) and n not in _GENERATED)]


def blocks():
    for path in documents():
        with open(path, encoding="utf-8") as f:
            text = f.read()
        yield from (_blocks_scd if path.endswith(".scd") else _blocks_md)(path, text)


def unmarked():
    return [b.where for b in blocks() if b.kind not in ("example", "file", "fragment")]


def of_world(world):
    """(examples, files as {name: text}) of a world."""
    examples, files = [], {}
    for b in blocks():
        if b.kind == "example" and b.rest == world:
            examples.append(b)
        elif b.kind == "file" and b.rest.split()[1] == world:
            files[b.rest.split()[0]] = "\n".join(b.lines) + "\n"
    return examples, files


def worlds():
    return {b.rest if b.kind == "example" else b.rest.split()[1] for b in blocks() if b.kind in ("example", "file")}
