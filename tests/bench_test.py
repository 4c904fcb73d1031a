#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What the benchmarks compute: reading other programs' output, statistics, verdicts, the table of
doc/performance.md. No process is started."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True

from bench.lib import configs, numbers  # noqa: E402
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
