#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Computations of the benchmarks: reading other programs' output, statistics, verdicts, the table of
doc/performance.md. No process is started."""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests", "system")]
sys.dont_write_bytecode = True

from bench.client import clients, rows as client_rows, run as client_run  # noqa: E402
from bench.gate import rows as gate_rows  # noqa: E402
from bench.lib import configs, numbers, record, rows  # noqa: E402
from bench.micro import run as micro  # noqa: E402


class Callgrind(unittest.TestCase):
    def test_total(self):
        self.assertEqual(numbers.callgrind_total("events: Ir\nsummary: 0\n\nfn=(1)\n0 7\n\ntotals: 4910048\n"), 4910048)

    def test_nothing_counted_is_an_error(self):
        for text in ("", "summary: 5\n", "totals: 0\n"):
            self.assertRaises(ValueError, numbers.callgrind_total, text)


class Judge(unittest.TestCase):
    def test_a_regression_fails_and_says_what_to_do(self):
        good, text = micro.judge("x", 1031, 1000, "12", "12")
        self.assertFalse(good)
        self.assertIn("--update", text)
        self.assertNotIn("compiler", text)
        self.assertIn("compiler 11", micro.judge("x", 1031, 1000, "12", "11")[1])

    def test_within_the_tolerance_is_good(self):
        for now in (971, 1000, 1029):
            self.assertTrue(micro.judge("x", now, 1000, "12", "12")[0])

    def test_better_is_good_and_said(self):
        good, text = micro.judge("x", 900, 1000, "12", "12")
        self.assertTrue(good)
        self.assertIn("better", text)

    def test_a_row_without_a_number_fails(self):
        self.assertFalse(micro.judge("x", 1000, None, "12", "12")[0])

    def test_every_row_has_a_kept_number_and_none_is_left_over(self):
        kept = micro.load(micro.BASELINE)["instructions"]
        self.assertEqual(sorted(kept), sorted(r.name for r in micro.ROWS))


class Record(unittest.TestCase):
    def test_rows_that_were_not_measured_stay(self):
        with tempfile.TemporaryDirectory() as d, contextlib.redirect_stdout(io.StringIO()):
            record.keep("x", {"results": {"b": 1, "gone": 2}}, ("a", "b", "gone"), d)
            run = {"results": {"a": 3}}
            record.keep("x", run, ("a", "b"), d)
            self.assertEqual(list(run["results"].items()), [("a", 3), ("b", 1)])
            self.assertEqual(record.load_json(os.path.join(d, "x.json"), None), run)
            self.assertEqual(os.listdir(d), ["x.json"])
            record.keep("x", {"quick": True, "results": {"a": 9}}, ("a", "b"), d)
            self.assertEqual(record.load_json(os.path.join(d, "x.json"), None), run)

    def test_only_whole_runs_change_documents(self):
        def is_document(**given):
            return record.is_document(argparse.Namespace(**{"quick": False, "only": "", "no_doc": False, **given}))

        self.assertTrue(is_document())
        self.assertFalse(is_document(quick=True) or is_document(only="dora") or is_document(no_doc=True))


class Reading(unittest.TestCase):
    def test_load_result_is_the_last_map(self):
        text = 'warming up\n{"x": 1}\n{"exchanges": 3, "rate": 1.5}\n'
        self.assertEqual(numbers.load_result(text)["exchanges"], 3)
        self.assertRaises(ValueError, numbers.load_result, "usher-load: cannot bind\n")

    def test_cpu_of_a_process_whose_name_has_spaces(self):
        stat = "7 (a b) c) S " + " ".join(str(i) for i in range(4, 53))
        self.assertEqual(numbers.proc_cpu(stat, 100), ((14 + 16) / 100, (15 + 17) / 100))

    def test_fields(self):
        self.assertEqual(numbers.proc_field("VmPeak:\t 9 kB\nVmRSS:\t   24100 kB\n", "VmRSS"), 24100)
        self.assertRaises(ValueError, numbers.proc_field, "VmRSS: 1", "VmHWM")

    def test_strace(self):
        text = ("% time     seconds  usecs/call     calls    errors syscall\n"
                "------ ----------- ----------- --------- --------- ----------------\n"
                " 99.00    0.100000         100      1000         2 fdatasync\n"
                "  1.00    0.001000         100        10           fsync\n"
                "------ ----------- ----------- --------- --------- ----------------\n"
                "100.00    0.101000         100      1010         2 total\n")
        self.assertEqual(numbers.strace_calls(text), {"fdatasync": 1000, "fsync": 10})
        self.assertEqual(numbers.strace_calls(""), {})

    def test_strace_log_has_each_call_once(self):
        text = ("101 1700000000.100000 execve(\"/x\", [\"x\"], 0x7ffd /* 3 vars */) = 0\n"
                "102 1700000000.200000 poll([{fd=3}], 1, -1 <unfinished ...>\n"
                "101 1700000000.250000 close(3)         = 0\n"
                "102 1700000000.300000 <... poll resumed>) = 1\n"
                "102 1700000000.400000 --- SIGCHLD {si_signo=SIGCHLD} ---\n"
                "102 1700000000.500000 exit_group(0)    = ?\n"
                "102 1700000000.500001 +++ exited with 0 +++\n")
        self.assertEqual(numbers.strace_log(text), [(1700000000.1, 101, "execve"), (1700000000.2, 102, "poll"),
                                                    (1700000000.25, 101, "close"), (1700000000.5, 102, "exit_group")])
        self.assertEqual(numbers.strace_log(""), [])

    def test_mapped_files_are_those_that_run(self):
        text = ("00400000-00401000 r--p 00000000 fe:00 12 /usr/bin/a\n"
                "00401000-00402000 r-xp 00001000 fe:00 12 /usr/bin/a\n"
                "7f00-7f01 r-xp 00000000 fe:00 13                         /usr/lib/libc.so.6\n"
                "7f01-7f02 r--p 00000000 fe:00 14 /usr/share/locale\n"
                "7ffd-7ffe r-xp 00000000 00:00 0                          [vdso]\n")
        self.assertEqual(numbers.mapped_files(text), {"/usr/bin/a", "/usr/lib/libc.so.6"})

    def test_used_since_between_two_entries(self):
        log = [(0.0, 0.0, 0.0), (1.0, 1.0, 0.5), (2.0, 3.0, 1.0)]
        self.assertEqual(numbers.used_since(log, 1.0), (2.0, 0.5))
        self.assertEqual(numbers.used_since(log, 1.5), (1.0, 0.25))
        self.assertEqual(numbers.used_since(log, -5), (3.0, 1.0))
        self.assertEqual(numbers.used_since(log[:1], 0), (0.0, 0.0))

    def test_waiting_at_the_end_is_not_busy(self):
        log = [(0, 0.0, 0.0), (1, 1.0, 0.0), (2, 1.0, 0.0), (3, 2.0, 0.5), (4, 2.0, 0.5), (5, 2.0, 0.5)]
        self.assertEqual(numbers.busy_until(log), 3)
        self.assertEqual(numbers.busy_until(log[:1]), 0)

    def test_sample_without_exchanges_has_no_cpu(self):
        r = {"exchanges": 0, "rate": 0, "latency_us": {"p50": 0, "p99": 0, "max": 0}, "errors": {"nak": 3, "x": 1}}
        s = numbers.sample(r, 1.0, 1.0)
        self.assertNotIn("cpu_us", s)
        self.assertEqual(s["wrong"], 4)
        self.assertEqual(numbers.sample({**r, "exchanges": 10}, 1.0, 1.0)["cpu_us"], 2e5)


class Statistics(unittest.TestCase):
    def test_spread_and_ratios(self):
        self.assertEqual(numbers.spread([3, 1, 2]), (2, 1, 3))
        self.assertRaises(ValueError, numbers.spread, [])
        self.assertEqual(numbers.ratios([(4, 2), (9, 3), (1, 0)]), (2.5, 2, 3))
        self.assertIsNone(numbers.ratios([(1, 0)]))

    def test_figures(self):
        for x, text in ((0, "0"), (None, "–"), (1234567, "1,230,000"), (999, "999"), (12.34, "12.3"), (1.234, "1.23"),
                        (-1500, "-1,500"), (1000, "1,000"), (6, "6")):
            self.assertEqual(numbers.figure(x), text)
        self.assertEqual(numbers.with_range((2.0, 1.0, 3.0)), "2.00 (1.00–3.00)")
        self.assertEqual(numbers.with_range((2, 2, 2)), "2")
        self.assertEqual(numbers.times(None), "–")


class Document(unittest.TestCase):
    def test_only_the_block_is_replaced(self):
        text = "a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nz\n"
        new = numbers.replace_block(text, "new")
        self.assertEqual(new, "a\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nz\n")
        self.assertEqual(numbers.replace_block(new, "new"), new)

    def test_no_markers_is_an_error(self):
        for text in ("", "<!-- bench:begin -->", "<!-- bench:end --><!-- bench:begin -->"):
            self.assertRaises(ValueError, numbers.replace_block, text, "x")

    def test_the_document_has_the_markers(self):
        with open(os.path.join(ROOT, "doc", "performance.md"), encoding="utf-8") as f:
            numbers.replace_block(f.read(), "x")

    def test_goals(self):
        results = {"new": {"data": {"usher-server": {"rate": (190000, 1, 2), "cpu_us": (5.5, 5, 6)}}},
                   "lfc": {"data": {"ratio": (1.2, 1, 2)}}, "floor": {"data": {"rate": (1e6, 1, 2)}}}
        got = {text: (v, met) for text, v, met in rows.goals(results, {"dora-relayed": 100, "dora-large-config": 131})}
        self.assertEqual(got["at least 180,000 durable exchanges/s (best number of clients at a time)"], (190000, True))
        self.assertEqual(got["at most 5 µs CPU an exchange"], (5.5, False))
        self.assertEqual(got["at most 160 bytes a lease"], (None, None))
        self.assertTrue(got["p99 at most 50 % higher during a clean-up"][1])
        self.assertFalse([met for text, (v, met) in got.items() if "reservations" in text][0])

    def test_it_is_written_of_whatever_was_measured(self):
        run = {"facts": {"date": "2026-01-01", "cpu": "x", "cores": 2, "memory_gb": 1, "kernel": "6", "filesystem": "ext4"},
               "versions": ["kea 1", None], "quick": True, "reps": 1, "seconds": 2,
               "results": {"floor": {"columns": ["a"], "lines": [["1"]], "data": {"rate": None}}}}
        text = rows.document(run, {})
        self.assertIn("| a |", text)
        self.assertIn("not measured", text)


class ClientDocument(unittest.TestCase):
    FACTS = {"date": "2026-01-01", "cpu": "x", "cores": 2, "memory_gb": 1, "kernel": "6", "filesystem": "ext4"}

    def run_of(self, results):
        return {"facts": self.FACTS, "versions": ["busybox 1", None], "quick": False, "results": results}

    def test_both_documents_have_the_markers(self):
        for name in ("README.md", os.path.join("doc", "performance.md")):
            with open(os.path.join(ROOT, name), encoding="utf-8") as f:
                numbers.replace_block(f.read(), "x", *client_run.MARKERS)

    def test_goals(self):
        results = {"time": {"data": {"usher-client --probe=off": {"usher-server": (3.1, 1, 4), "Kea": (2.9, 1, 4)}}},
                   "calls": {"data": {"usher-client --probe=off": {"bound": 99}}},
                   "idle": {"data": {"BOUND": {"cpu_ms": 0.1}, "INIT": {"cpu_ms": 5.1}}}}
        self.assertEqual([met for _, _, met in client_rows.goals(results)], [False, True, None, None, True, False])

    def test_they_are_written_of_whatever_was_measured(self):
        run = self.run_of({"memory": {"columns": ["a"], "lines": [["1"]], "data": {"udhcpc": {"peak": 2180}}}})
        self.assertIn("not measured", client_rows.document(run))
        text = client_rows.short(run)
        self.assertIn("| udhcpc | – | – | 2,180 | – | – |", text)
        for name in ("usher-client", "dhclient", "dhcpcd"):
            self.assertIn("| %s | –" % name, text)

    def test_commands_have_no_gaps(self):
        with tempfile.TemporaryDirectory() as d:
            for c in clients.ALL:
                argv = c.command(d, "/build/usher-client")
                self.assertFalse([a for a in argv if "{" in a], argv)
                for a in argv:
                    if a.startswith(d) and os.path.basename(a) in ("hook", "conf"):
                        self.assertTrue(os.path.exists(a), a)
        self.assertEqual(len({c.name for c in clients.ALL}), len(clients.ALL))


class GateDocument(unittest.TestCase):
    FACTS = {"date": "2026-01-02", "cpu": "cpu", "cores": 2, "kernel": "6.1"}

    def result(self, rate, flat):
        names = ("no rule: every frame is accepted", "a rule on every packet", "a rule on every HTTP request",
                 "a rule on every DNS query")
        table = {"columns": ["a"], "lines": [["b"]]}
        return {"engine": {**table, "values": dict.fromkeys(names, rate)}, "flows": {**table, "values": {"1": 100, "1000000": flat}}}

    def test_goals(self):
        self.assertEqual([met for _t, _v, met in gate_rows.goals(self.result(6e6, 150))], [True] * 5)
        self.assertEqual([met for _t, _v, met in gate_rows.goals(self.result(9e5, 300))], [False] * 5)
        self.assertEqual([met for _t, _v, met in gate_rows.goals({})], [None] * 5)

    def test_every_table_is_in_the_document(self):
        text = gate_rows.document({"facts": self.FACTS, "quick": False, "versions": [None, "tshark 4"],
                                   "results": self.result(6e6, 150)})
        for name in ("engine", "flows"):
            self.assertIn("`ONLY=%s`" % name, text)
        self.assertIn("tshark 4", text)
        self.assertNotIn("**no**", text)


class Configs(unittest.TestCase):
    def test_reservations_are_in_their_subnets_once(self):
        subnets = configs.many_subnets(10, 100)
        hosts = [h for s in subnets for h in s["reservations"]]
        self.assertEqual(len({h["hw-address"] for h in hosts}), 100)
        self.assertEqual(len({h["ip-address"] for h in hosts}), 100)
        for i, s in enumerate(subnets):
            self.assertEqual(s["subnet"], "10.0.%d.0/24" % i)
            for h in s["reservations"]:
                self.assertTrue(h["ip-address"].startswith("10.0.%d." % i))
                self.assertEqual(int(h["hw-address"][-2:], 16) % 10, i)

    def test_classes_have_names_of_their_own(self):
        self.assertEqual(len({c["name"] for c in configs.many_classes(200)}), 200)


if __name__ == "__main__":
    unittest.main()
