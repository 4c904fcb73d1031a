# SPDX-License-Identifier: MPL-2.0
"""The tables of doc/kea.md: every library, command and key of Kea 3.3 and its state here. They are drawn from doc/kea_rows.def and
src/config/schema/kea_hooks.def, after these were compared with the tables of commands and keys of the program."""
import re

SCHEMA = "src/config/schema/config_schema.def"
# The rows of the schema that name a key, by their macros.
KEY_MACROS = ("BOOLEAN", "INTEGER", "NUMBER", "STRING", "WORDS", "ADDRESS", "LIST", "MAP", "MAPS", "ANY")
LETTERS = {"G": "GLOBAL", "N": "NETWORK", "S": "SUBNET", "P": "POOL", "C": "CLASS", "R": "HOST"}


class Tables:
    """Rows and program, compared. wrong: the sentences about every difference."""

    def __init__(self, root, rows, table):
        self.root, self.rows, self.table = root, rows, table
        self.wrong = []
        self.hooks = {n[8:-3]: (kind, ", ".join(rest)) for n, kind, *rest in rows("src/config/schema/kea_hooks.def", "LIBRARY")
                      if n.startswith("libdhcp_")}
        self.commands = list(rows("doc/kea_rows.def", "KEA_COMMAND"))
        # the libraries whose commands are the server's own
        self.always = {n for n, (kind, _) in self.hooks.items() if kind == "ALWAYS"} | {n for (n,) in rows("doc/kea_rows.def", "KEA_ALWAYS")}
        self.kinds = dict(rows(SCHEMA, "MAP_KIND"))
        self.keys = [(self.maps_of(m), k.split(), v, ", ".join(n)) for m, k, v, *n in rows("doc/kea_rows.def", "KEA_KEY")]

    # --- helpers ---

    def maps_of(self, text):
        """The symbols of maps in "G | X(POOL)"; "INSIDE key" stays as it is."""
        if "ALL_MAPS" in text:
            return list(self.kinds)
        if text.startswith("INSIDE"):
            return ["INSIDE " + re.search(r'\(([\w-]+)\)', text)[1]]
        return [LETTERS.get(m.strip()) or re.search(r"X\((\w+)\)", m)[1] for m in text.split("|")]

    def program_text(self, folder, pattern):
        return "\n".join(p.read_text() for p in sorted((self.root / folder).rglob(pattern)))

    def program_commands(self):
        """{command: library, or SERVER} of the program's own tables."""
        found = {r[0]: "SERVER" for r in self.rows("src/server/manage/commands.def", "COMMAND")}
        for lib in self.hooks:
            found.update((r[0], lib) for r in self.rows("src/server/edit/edit_commands.def", lib.upper()))
        text = self.program_text("src/library", "*.c")
        for block in re.findall(r"struct (?:usher|control)_command\b.*?\}\)?;", text, flags=re.S):
            found.update((n, "NATIVE") for n in re.findall(r'\.name\s*=\s*"([^"]+)"', block))
        for block in re.findall(r'^COMMAND\("([^"]+)"', self.program_text("src/library", "*.def"), flags=re.M):
            found[block] = "NATIVE"
        return found

    # --- comparisons ---

    def check_commands(self):
        have = self.program_commands()
        ours = {n for n, _ in self.rows("doc/kea_rows.def", "USHER_COMMAND")}
        for lib, name, verdict, *_ in self.commands:
            kind = "SERVER" if lib == "SERVER" else self.hooks.get(lib, ("NONE",))[0]
            place = "SERVER" if lib in self.always else {"SERVER": "SERVER", "COMMANDS": lib, "NATIVE": "NATIVE"}.get(kind)
            if kind == "NONE":
                self.wrong.append(f"command {name}: there is no library {lib} in kea_hooks.def")
            elif verdict in ("SUPPORTED", "DIFFERENT") and place and have.get(name) != place:
                self.wrong.append(f"command {name} is {verdict}, but not in the commands of {lib}")
            elif verdict == "REFUSED" and name in have:
                self.wrong.append(f"command {name} is REFUSED, but the program has it")
        rows = {c[1] for c in self.commands}
        self.wrong += [f"command {n} of the program has no row" for n in sorted(have.keys() - rows - ours)]
        self.wrong += [f"command {n} is a USHER_COMMAND, but not in the program" for n in sorted(ours - have.keys())]

    def schema(self):
        """{(map, key): True if it has no effect} of config_schema.def."""
        found = {}
        for macro in KEY_MACROS:
            for maps, key, *rest in self.rows(SCHEMA, macro):
                found.update(((m, key), "NOP" in rest[-1]) for m in self.maps_of(maps))
        return found

    def check_key(self, where, key, verdict, schema):
        said = f"'{key}' is accepted and has no effect" in self.said
        outer = where.split(" ")[1] if where.startswith("INSIDE") else None
        mine = schema.get((where, key))
        if verdict in ("SUPPORTED", "DIFFERENT") and mine is None:
            return "is not in the schema"
        if verdict in ("SUPPORTED", "DIFFERENT") and (mine or said):
            return "has no effect"
        if verdict == "IGNORED" and not (mine or said or (outer and schema.get(("GLOBAL", outer)))):
            return "is not without effect in the schema"
        refused = (outer, key, self.kinds.get(where))
        if verdict == "REFUSED" and (mine is not None or outer) and not any(f"'{n}' is not supported" in self.broken for n in refused):
            return "is in the schema, and no file of tests/data/config/broken expects its refusal"
        return None

    def check_keys(self):
        schema = self.schema()
        self.said = self.program_text("src/config", "*.c")
        self.broken = self.program_text("tests/data/config/broken", "*.json")
        seen = set()
        for maps, keys, verdict, _ in self.keys:
            for where, key in ((m, k) for m in maps for k in keys):
                bad = self.check_key(where, key, verdict, schema)
                if bad:
                    self.wrong.append(f"key {key} in {self.kinds.get(where, where)} is {verdict}, but {bad}")
                if (where, key) in seen and "ALL_MAPS" not in maps:
                    self.wrong.append(f"key {key} in {self.kinds.get(where, where)} has two rows")
                seen.add((where, key))
        for maps, keys, *_ in self.rows("doc/kea_rows.def", "USHER_KEY"):
            ours = {(m, k) for m in self.maps_of(maps) for k in keys.split()}
            self.wrong += [f"key {k} in {self.kinds[m]} is a USHER_KEY, but not in the schema" for m, k in ours - schema.keys()]
            seen |= ours
        rest = [(m, k) for m, k in schema if (m, k) not in seen and not m.startswith("USHER")]
        self.wrong += [f"key {k} in {self.kinds[m]} of the schema has no row" for m, k in rest]

    def check_notes(self):
        for name, verdict, note in [(c[1], c[2], ", ".join(c[3:])) for c in self.commands] + [(k, v, n) for _, ks, v, n in self.keys for k in ks]:
            if verdict not in ("SUPPORTED", "DIFFERENT", "IGNORED", "REFUSED"):
                self.wrong.append(f"{name}: {verdict} is no verdict")
            elif (verdict == "SUPPORTED") == bool(note):
                self.wrong.append(f"{name}: {verdict} {'has' if note else 'needs'} a note")

    # --- drawing ---

    @staticmethod
    def state(verdict, note):
        return {"SUPPORTED": "supported", "DIFFERENT": f"different: {note}", "IGNORED": f"different: accepted without effect; {note}",
                "REFUSED": f"refused: {note}"}[verdict]

    def library_state(self, name):
        kind, reason = self.hooks[name]
        page = self.root / f"doc/library/{name}.md"
        always = "its commands are there without it"
        if kind == "ALWAYS":
            return "different: " + always
        if kind in ("LATER", "REFUSED"):
            return "refused: " + (reason or "not supported yet")
        if not page.exists():
            self.wrong.append(f"library {name} has no page {page.relative_to(self.root)}")
            return "supported"
        if "## Differences from Kea" in page.read_text():
            differences = f"[differences](library/{name}.md#differences-from-kea)"
            return "different: " + (f"{always}; {differences}" if name in self.always else differences)
        return f"supported: [page](library/{name}.md)"

    def libraries(self):
        others = [[f"`{n}`", "refused: " + ", ".join(why)] for n, _, *why in self.rows("src/config/schema/kea_hooks.def", "LIBRARY")
                  if not n.startswith("libdhcp_")]
        return self.table(["library", "here"], [[f"`libdhcp_{n}.so`", self.library_state(n)] for n in self.hooks] + others)

    def command_table(self):
        body, closed = [], {}
        for lib, name, verdict, *note in self.commands:
            if lib != "SERVER" and self.hooks[lib][0] in ("LATER", "REFUSED"):
                closed.setdefault(lib, []).append(f"`{name}`")
            else:
                body.append([f"`{name}`", "" if lib == "SERVER" else lib, self.state(verdict, ", ".join(note))])
        for lib in self.hooks:
            names = ", ".join(f"`{n}`" for n, _ in self.rows("src/server/edit/dhcp6_commands.def", "DHCP6_" + lib.upper()))
            if names:
                body.append([names, lib, "refused: for DHCPv6; listed while the library is loaded, answered with result 1"])
        body += [[", ".join(names), lib, self.library_state(lib)] for lib, names in closed.items()]
        ours = ", ".join(f"`{n}`" for n, _ in self.rows("doc/kea_rows.def", "USHER_COMMAND"))
        return self.table(["command", "library", "here"], body) + f"\n\nKea does not have {ours} ([tables](tables.md))."

    def place(self, maps):
        if set(maps) == set(self.kinds):
            return "all maps"
        return ", ".join(f"`{self.kinds.get(m, m.removeprefix('INSIDE '))}`" for m in maps)

    def key_table(self):
        body = [[", ".join(f"`{k}`" for k in keys), self.place(maps), self.state(verdict, note)] for maps, keys, verdict, note in self.keys]
        more = [[", ".join(f"`{k}`" for k in keys.split()), self.place(self.maps_of(maps)), ", ".join(note)]
                for maps, keys, *note in self.rows("doc/kea_rows.def", "USHER_KEY")]
        old = [[f"`{a}`", self.place(self.maps_of(m)), f"the older name of `{b}`"] for m, a, b, _ in self.rows(SCHEMA, "OLD_NAME")]
        return "\n\n".join([self.table(["key", "in", "here"], body), "Accepted besides:", self.table(["key", "in", "meaning"], old + more)])


def kea_text(root, rows, table):
    """Returns (text, wrong): doc/kea.md with its tables drawn anew, and the rows that are not true."""
    t = Tables(root, rows, table)
    t.check_commands()
    t.check_keys()
    t.check_notes()
    text = (root / "doc/kea.md").read_text()
    for name, body in (("libraries", t.libraries()), ("commands", t.command_table()), ("keys", t.key_table())):
        begin, end = f"<!-- {name}: drawn by tools/gen_tables.py -->", f"<!-- end of {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            t.wrong.append(f"doc/kea.md lacks the marks {begin} and {end}")
            continue
        text = text[: text.index(begin) + len(begin)] + "\n" + body + "\n" + text[text.index(end):]
    return text, t.wrong
