# SPDX-License-Identifier: MPL-2.0
"""The text of metrics (metrics-get), read with care, and held against the rows that doc/metrics.md is drawn from."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import gen_tables  # noqa: E402

HTTP = ("src/http/metrics.def",)
SERVER = ("src/server/core/metrics.def", *HTTP, "src/control/metrics_process.def")
GATE = ("src/gate/run/metrics.def", *HTTP, "src/control/metrics_process.def")
CLIENT = ("src/client/os/metrics.def",)
_LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[0-9.]+)$')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Family:
    def __init__(self, name):
        self.name, self.kind, self.help, self.unit, self.samples = name, None, None, "", []


class Text:
    """families: by name; values: {(sample, frozenset of labels): number}."""

    def __init__(self, text, openmetrics=False):
        self.families, self.values, self.openmetrics = {}, {}, openmetrics
        assert text.endswith("\n"), "the last line has no end: %r" % text[-80:]
        lines = text[:-1].split("\n")
        if openmetrics:
            assert lines.pop() == "# EOF", "no end: %r" % text[-80:]
        now = None
        for line in lines:
            if line.startswith("# "):
                now = self._head(line, now)
            else:
                self._sample(line, now)

    def _head(self, line, now):
        _, word, name, rest = line.split(" ", 3)
        if word == "HELP":
            assert name not in self.families, name + " stands in two places"
            now = self.families[name] = Family(name)
            now.help = rest
        else:
            assert now and now.name == name, line
            assert word == "TYPE" or (word == "UNIT" and self.openmetrics), line
            setattr(now, {"TYPE": "kind", "UNIT": "unit"}[word], rest)
        return now

    def _sample(self, line, now):
        m = _LINE.match(line)
        assert m, "not a sample: %r" % line
        assert now and now.kind, "a sample without a head: " + line
        name, labels, value = m.groups()
        found = _LABEL.findall(labels or "")
        pairs = frozenset(found)
        suffixes = ("_bucket", "_sum", "_count") if now.kind == "histogram" else \
            ("_total",) if self.openmetrics and now.kind == "counter" else ("",)
        assert name in [now.name + s for s in suffixes], "%s stands under %s" % (name, now.name)
        assert len(dict(found)) == len(found) and (name, pairs) not in self.values, "twice: " + line
        self.values[name, pairs] = float(value)
        now.samples.append((name, dict(found), float(value)))

    def get(self, name, **labels):
        return self.values[name, frozenset(labels.items())]

    def all(self, name):
        """[(labels, value)] of a sample."""
        return [(dict(pairs), v) for (n, pairs), v in self.values.items() if n == name]

    def counters(self):
        """The values that never go down."""
        return {k: v for k, v in self.values.items()
                if any(k[0] in (f.name, f.name + "_total", f.name + "_bucket", f.name + "_count", f.name + "_sum")
                       for f in (self.families.get(re.sub("_(total|bucket|count|sum)$", "", k[0])), self.families.get(k[0]))
                       if f and f.kind != "gauge")}

    def check_rows(self, paths):
        """The families are those of the .def files, in their order, with their type, unit, help and labels."""
        rows = [r for p in paths for r in gen_tables.rows(p, "FAMILY")]
        names = [r[1][:-6] if self.openmetrics and r[2] == "COUNTER" else r[1] for r in rows]
        assert list(self.families) == names, set(self.families) ^ set(names)
        for name, (_, _, kind, unit, *_, labels, text) in zip(names, rows):
            f = self.families[name]
            assert (f.kind, f.help) == (kind.lower(), text), f.name
            assert f.unit == (unit if self.openmetrics else ""), f.name
            assert not unit or re.sub("_total$", "", name).endswith("_" + unit), f.name
            for _, got, _ in f.samples:
                assert [n for n in got if n != "le"] == labels.split(), "%s: %s" % (name, got)
            if f.kind == "histogram":
                _check_histogram(f)


def _check_histogram(f):
    groups = {}
    for name, labels, value in f.samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        groups.setdefault(key, []).append((name[len(f.name):], labels.get("le"), value))
    for found in groups.values():
        buckets = [(float(le), v) for s, le, v in found if s == "_bucket"]
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), found
        assert [v for _, v in buckets] == sorted(v for _, v in buckets), found
        assert {s: v for s, _, v in found if s != "_bucket"}["_count"] == buckets[-1][1], found


def promtool_metrics(text):
    """promtool check metrics. It complains of Kea's levels, whose names end in _total, and of nothing else."""
    p = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
    wrong = [line for line in (p.stdout + p.stderr).splitlines()
             if not re.match(r'kea_dhcp4_\w*addresses\w*_total non-counter metrics should not have "_total" suffix$', line)]
    assert not wrong and p.returncode in (0, 3), "promtool: %d: %s" % (p.returncode, wrong)
