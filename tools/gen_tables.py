#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Draws doc/tables.md from the .def files: stages, drops, statistics, commands, hook points, options.
With --check it only compares, for the test."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def rows(path, macro):
    """The argument lists of macro(...) in a .def file, strings unquoted."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / path).read_text(), flags=re.S)
    for m in re.finditer(rf"^{macro}\((.*)\)\s*$", text, flags=re.M):
        args = re.findall(r'"(?:[^"\\]|\\.)*"|[^,\s][^,"]*', m.group(1))
        yield [a.strip().strip('"') for a in args]


def table(head, body):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    out += ["| " + " | ".join(c.replace("|", "\\|") for c in r) + " |" for r in body]
    return "\n".join(out)


def stages():
    for sym, fn, hook, when, skip, does in rows("src/server/stages.def", "S"):
        yield [sym, does, "" if hook == "NONE" else f"`{hook.lower()}` {when.lower()}", f"`{fn}`"]


def main():
    drops = [[f"`drop-{s.lower().replace('_', '-')}`", st and f"`{st}`", d]
             for s, st, d in rows("src/packet/drop.def", "D")]
    text = "\n\n".join([
        "# Tables\n\nDrawn from the source by tools/gen_tables.py; do not edit.",
        "## Stages", table(["stage", "does", "hook", "function"], stages()),
        "## Drops\n\nEvery packet that ends without an answer is counted under one of these, and under Kea's "
        "counter where Kea has one (then `pkt4-receive-drop` moves too).",
        table(["statistic", "Kea's", "meaning"], drops),
        "## Statistics", "\n".join(f"- `{n}`" for _, n in rows("src/server/metrics.def", "M")),
        "## Commands", table(["command", "does", "arguments"],
                             [[f"`{n}`", d, a] for n, _, d, a in rows("src/server/commands.def", "K")]),
        "## Hook points", table(["hook point", "may park"],
                                [[f"`{n}`", p] for _, n, p in rows("src/hook/hooks.def", "H")]),
        "## Options", table(["code", "name", "type"],
                            [[r[0], f"`{r[2]}`", r[3].lower()] for r in rows("src/wire/options.def", "O")]),
    ]) + "\n"
    path = ROOT / "doc/tables.md"
    if "--check" in sys.argv:
        if path.read_text() != text:
            sys.exit("doc/tables.md is not what the .def files say: run tools/gen_tables.py")
        print("doc/tables.md is up to date")
        return
    path.write_text(text)


if __name__ == "__main__":
    main()
