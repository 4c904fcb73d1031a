#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Checks the English of comments and documents, and the subjects of commits.

    prose_test.py SOURCE [--list [FOLDER]] [--json]

Messages in C, comments of C, Lua, Python, shell, Meson and scenario files, .def tables and documents are searched for constructions that a reader
with another first language cannot decipher (HACKING.md, "Language"). The hits of each folder are counted per 10,000 words; a folder above
the budget fails, and so does a commit subject that is not `area: imperative`, with 60 characters at most behind the area.
"""
import ast
import collections
import io
import math
import pathlib
import re
import subprocess
import sys
import tokenize

# Hits allowed in 10,000 words.
NOUN_CLAUSES, IDIOMS = 4, 2

# A question may begin with "what" and "who"; the sentence then ends with its mark.
KINDS = {
    "what as a noun": ("clause", re.compile(r"\bwhat(?:ever)?\b(?![^.;:]{0,80}\?)", re.I)),
    "who without a noun": ("clause", re.compile(
        r"(?:^\W*|[.;:,(]\s*|\b(?:of|to|for|by|with|from|as|than|and|or|is|are|not|at|in|on|that|if|when|but|says|know|knows)\s+)"
        r"(?:who|whom|whoever)\b(?![^.;:]{0,80}\?)", re.I | re.M)),
    "at hand": ("idiom", re.compile(r"\bat hand\b", re.I)),
    "is told": ("idiom", re.compile(r"\b(?:is|are|was|were|be|been|being)\s+told\b", re.I)),
    "comes again": ("idiom", re.compile(r"\b(?:come|comes|came|coming)\s+again\b", re.I)),
    "goes on": ("idiom", re.compile(r"\b(?:go|goes|went|gone|going)\s+on\b", re.I)),
}

# A text without this has no hit of the kind.
NEEDLES = {"what as a noun": "what", "who without a noun": "who", "at hand": "hand", "is told": "told", "comes again": "again", "goes on": "on"}

# Commits behind this one are checked.
SUBJECTS_SINCE = "ceb7b84"
SUBJECT_LEN = 60
IMPERATIVES = set("""accept acknowledge add adopt allow answer apply ask assert avoid bind bound build cache call cap carry change charge check
clamp clean clear close collect compare complete compute convert copy correct count cover decide declare deduplicate defer define delay delete
deliver describe detect disable discard divide document draw drive drop enable encode end enforce enqueue escape evict examine exclude exit expect
expire explain export extend fill find finish fix flush follow force forget forward free fuzz generate give group guard handle hash hide hold honor
ignore implement import improve include increase index inherit inject insert inspect install introduce join keep key lead leave let limit link list load lock
log look lower make mark match measure mend merge move name narrow note number obey offer omit open order parse pass pin place poll prefer prepare
prevent print probe protect prove provide publish put raise read reassemble rebuild receive record reduce refresh refuse register reject release reload remove
rename reorder repeat replace replay report require reserve reset resolve restore restrict resume retransmit retry return reuse revert rewind rewrite
rotate round run sample save say scale search see select send separate serve set shed share shorten show simplify skip sort speed split start state stop store
stream strip support swap switch sync take test throttle time trace translate treat trim truncate try tune turn unify update use validate verify
wait walk warn watch widen write""".split())

C_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
LUA_COMMENT = re.compile(r'--\[\[.*?\]\]|--[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|\[\[.*?\]\]', re.S)
LINE_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.M)
CODE_BLOCK = re.compile(r"^```.*?^```", re.S | re.M)
INDENTED_CODE = re.compile(r"^ {4,}[^\n]*$", re.M)      # of Markdown; manual pages indent their sentences
CODE_SPAN = re.compile(r"`[^`\n]*`")
PARAMETER = re.compile(r"_[A-Z][^_\n]*_")
NOTICE = re.compile(r"^\W*SPDX-License-Identifier.*$", re.M)


def spaces(match):
    """Blanks of equal length, so that lines keep their numbers."""
    return re.sub(r"[^\n]", " ", match.group(0))


def kept(text, pattern, is_comment):
    """The text with everything but the matches that are comments blanked."""
    out, at = [], 0
    for m in pattern.finditer(text):
        out.append(re.sub(r"[^\n]", " ", text[at:m.start()]))
        out.append(m.group(0) if is_comment(m.group(0)) else spaces(m))
        at = m.end()
    return "".join(out) + re.sub(r"[^\n]", " ", text[at:])


def python_prose(text):
    """Comments and docstrings."""
    lines = [""] * (text.count("\n") + 2)
    for t in tokenize.generate_tokens(io.StringIO(text).readline):
        if t.type == tokenize.COMMENT:
            lines[t.start[0]] = t.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            for i, line in enumerate(node.body[0].value.value.split("\n")):
                lines[node.body[0].lineno + i] = line
    return "\n".join(lines[1:])


def prose_of(path, text):
    """The comments of a source file or the sentences of a document, lines in their places; None: a file without prose."""
    if path.suffix in (".c", ".h", ".def"):
        # strings of tables, and those of the programs that have more than two words, are sentences for users
        words = 0 if path.suffix == ".def" else 2 if "src" in path.parts else 1000
        return kept(text, C_COMMENT, lambda s: s.startswith("/") or (s.startswith('"') and s.count(" ") >= words))
    if path.suffix == ".lua":
        return kept(text, LUA_COMMENT, lambda s: s.startswith("--"))
    if path.suffix == ".py":
        return python_prose(text)
    if path.suffix in (".sh", ".scn") or path.name in ("meson.build", "Makefile", "run", "usher-client-script"):
        return kept(text, LINE_COMMENT, lambda s: True)
    if path.suffix in (".md", ".scd"):
        text = CODE_BLOCK.sub(spaces, text)
        return INDENTED_CODE.sub(spaces, text) if path.suffix == ".md" else PARAMETER.sub(spaces, text)
    return None


def folder_of(name):
    parts = name.split("/")
    if len(parts) == 1:
        return "."
    return "/".join(parts[:2]) if parts[0] in ("src", "tests") and len(parts) > 2 else parts[0]


class Folder:
    def __init__(self):
        self.words = 0
        self.hits = {"clause": [], "idiom": []}

    def allowed(self, kind):
        return math.ceil((NOUN_CLAUSES if kind == "clause" else IDIOMS) * self.words / 10000)


def read_folders(root):
    names = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True, check=False).stdout.split("\n")
    if len(names) < 2:      # an archive without a repository
        names = [str(p.relative_to(root)) for p in pathlib.Path(root).rglob("*") if p.is_file() and "build" not in p.parts[0:2]]
    folders = collections.defaultdict(Folder)
    for name in sorted(filter(None, names)):
        path = pathlib.Path(root, name)
        if not path.is_file() or path.name == pathlib.Path(__file__).name or name.startswith("subprojects/"):
            continue
        prose = prose_of(path, path.read_text(errors="replace")) if path.suffix or path.name in ("Makefile", "run") else None
        if prose is None:
            continue
        prose = CODE_SPAN.sub(spaces, NOTICE.sub("", prose))
        folder = folders[folder_of(name)]
        folder.words += len(re.findall(r"[A-Za-z][A-Za-z']*", prose))
        low = prose.lower()
        for kind, (group, pattern) in KINDS.items():
            if NEEDLES[kind] not in low:    # the patterns are slow
                continue
            for m in pattern.finditer(prose):
                at = m.end()
                line = prose.count("\n", 0, at) + 1
                folder.hits[group].append((name, line, kind, prose.split("\n")[line - 1].strip()))
    return folders


def check_prose(root, show):
    bad = False
    for name, folder in sorted(read_folders(root).items()):
        for group in ("clause", "idiom"):
            hits, allowed = folder.hits[group], folder.allowed(group)
            over = len(hits) > allowed
            if over or (show is not None and show in ("", name)):
                for file, line, kind, text in sorted(hits):
                    print(f"{file}:{line}: {kind}: {text[:100]}")
                print(f"{name}: {len(hits)} of kind {group} in {folder.words:,} words, the budget is {allowed}")
            bad |= over
    return bad


def check_subjects(root):
    def git(*args):
        return subprocess.run(["git", "-C", root, *args], capture_output=True, text=True, check=False)

    if git("cat-file", "-e", SUBJECTS_SINCE).returncode or git("rev-parse", "--is-shallow-repository").stdout.strip() == "true":
        print("commit subjects: not checked, the history is not here")
        return False
    bad = False
    for line in git("log", "--format=%h %s", f"{SUBJECTS_SINCE}..HEAD").stdout.splitlines():
        commit, subject = line.split(" ", 1)
        area, sep, rest = subject.partition(": ")
        first = rest.split(" ")[0]
        reason = None
        if not sep or not re.fullmatch(r"[a-z0-9][\w./, -]*", area):
            reason = "has no `area: `"
        elif len(rest) > SUBJECT_LEN:
            reason = f"has {len(rest)} characters behind the area, {SUBJECT_LEN} are allowed"
        elif first not in IMPERATIVES:
            reason = f"begins with {first!r}, which is not in the list of imperatives"
        if reason:
            print(f"commit {commit}: {reason}: {subject}")
            bad = True
    return bad


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    show = None
    if "--list" in sys.argv:
        rest = sys.argv[sys.argv.index("--list") + 1:]
        show = rest[0] if rest else ""
    bad = check_prose(root, show)
    bad |= check_subjects(root)
    print("failed" if bad else "within budget")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
