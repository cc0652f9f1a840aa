#!/usr/bin/env python3
"""Tests of the fleet's own tools: python3 test_fleet.py. The last ones are negative controls: a spoiled workload must be found."""
import copy
import json
import sys
import unittest

sys.dont_write_bytecode = True

import check  # noqa: E402
import claims  # noqa: E402
import generate  # noqa: E402
import yaml_subset  # noqa: E402
from draw import Draw  # noqa: E402
from evaluator import holds, host_of, is_within, parameter_matches, MISSING  # noqa: E402


class Reader(unittest.TestCase):
    def test_reads_nesting_quotes_and_comments(self):
        text = "a: 'it''s # no comment'  # comment\nb:\n  - id: x\n    in: [eu, 3, true, \"*\"]\n  - {k: '^[a,b]{2}$', n: 0}\n"
        self.assertEqual(yaml_subset.load(text), {"a": "it's # no comment", "b": [{"id": "x", "in": ["eu", 3, True, "*"]}, {"k": "^[a,b]{2}$", "n": 0}]})

    def test_refuses_what_readers_disagree_about(self):
        for text in ("a: no", "a: 1.5", "a: &x y", "a: |", "a: 1\na: 2", "a:\n", "a: [b", "\ta: 1", "a: 'b", 'a: "\\n"', "a: b: c", "a: ~"):
            with self.assertRaises(yaml_subset.YamlError, msg=text):
                yaml_subset.load(text)


class Matching(unittest.TestCase):
    def test_hosts_are_compared_as_hosts(self):
        self.assertEqual(host_of("https://api.github.com/x"), "api.github.com")
        self.assertEqual(host_of("https://api.github.com.evil.com/x"), "api.github.com.evil.com")
        self.assertEqual(host_of("https://api.github.com@evil.com/x"), "evil.com")
        self.assertIsNone(host_of("api.github.com"))

    def test_paths_do_not_escape(self):
        self.assertTrue(is_within("/srv/reports/a/b.csv", ["/srv/reports"]))
        for path in ("/srv/reports/../../etc/shadow", "/srv/reports-archive/a", "srv/reports/a", "/srv"):
            self.assertFalse(is_within(path, ["/srv/reports"]), path)

    def test_a_missing_or_wrong_argument_counts_against_the_caller(self):
        for value in (MISSING, "7", True):
            self.assertFalse(holds(value, "<=", 100))
            self.assertFalse(parameter_matches(value, {"max": 100}, unsure=False))
            self.assertTrue(parameter_matches(value, {"max": 100}, unsure=True))
        self.assertFalse(holds(MISSING, "!=", "x"))
        self.assertFalse(holds(MISSING, "not_in", ["x"]))
        self.assertTrue(holds("y", "not_in", ["x"]))


class Generator(unittest.TestCase):
    def test_draws_are_those_of_splitmix64(self):
        draw = Draw(1234567)
        self.assertEqual([draw.word() for _ in range(3)], [6457827717110365317, 3203168211198807973, 9817491932198370423])

    def test_is_reproducible(self):
        self.assertEqual(generate.workload(), generate.workload())
        self.assertEqual((claims.workload(), claims.make_flips()), (claims.workload(), claims.make_flips()))


class Controls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fleet, cls.bundles, cls.documents, cls.found = check.load_fleet()
        cls.by_name = {tenant["name"]: tenant for tenant in cls.fleet}
        cls.lines = [json.loads(line) for line in check.read("workload.jsonl").rstrip("\n").split("\n")]

    def findings(self, line):
        return check.line_findings(line, self.by_name, self.bundles[line["tenant"]])

    def test_the_committed_fleet_is_consistent(self):
        self.assertEqual(self.found, [])
        self.assertEqual([finding for line in self.lines for finding in self.findings(line)], [])

    def test_a_wrong_expectation_is_found(self):
        for code in check.CODES:
            line = copy.deepcopy(next(line for line in self.lines if line["expect_code"] == code))
            line["expect"] = "deny" if line["expect"] == "allow" else "allow"
            self.assertTrue(self.findings(line), code)

    def test_a_changed_argument_is_found(self):
        line = copy.deepcopy(next(line for line in self.lines if line["tool"] == "mail.send" and line["tenant"] == "acme" and line["expect"] == "allow"))
        line["inputs"]["recipient_count"] = 101
        self.assertIn("CONTRACT_VIOLATED", self.findings(line)[0])

    def test_a_dropped_rule_is_found(self):
        document = copy.deepcopy(self.documents["cumulus"])
        document["rules"] = [rule for rule in document["rules"] if rule["id"] != "deny-unbounded-delete"]
        spoiled = check.Bundle(document, self.by_name["cumulus"]["principals"])
        self.assertTrue(any(check.line_findings(line, self.by_name, spoiled) for line in self.lines if line["tenant"] == "cumulus"))


class ClaimsDesk(unittest.TestCase):
    def setUp(self):
        self.tenant, self.document, self.stricter, _ = claims.load()
        self.lines = claims.steps()

    def findings(self, document):
        desk = claims.Desk(document, self.tenant)
        return [line for line in self.lines if desk.step(line) != (line["expect"], line["expect_code"])]

    def test_the_committed_desk_is_consistent(self):
        self.assertEqual(claims.check()[0], [])
        self.assertEqual(self.findings(self.document), [])

    def test_a_wrong_expectation_of_every_act_is_found(self):
        for act in sorted({line["act"] for line in self.lines}):
            lines = claims.steps()
            next(line for line in lines if line["act"] == act)["expect"] = "nothing"
            self.assertEqual(len(claims.check(lines)[0]), 2 if act == "call" else 1, act)

    def test_every_dropped_rule_is_found(self):
        for rule in self.document["rules"]:
            document = dict(self.document, rules=[known for known in self.document["rules"] if known != rule])
            self.assertTrue(self.findings(document), rule["id"])

    def test_a_labels_way_through_memory_matters(self):
        document = copy.deepcopy(self.document)
        next(tool for tool in document["tools"] if tool["name"] == "documents.read").pop("output_labels")
        self.assertEqual({line["story"].split("-")[0] for line in self.findings(document)}, {"instructions"})

    def test_nothing_flips_under_the_same_bundle(self):
        desk, same = claims.Desk(self.document, self.tenant), claims.Desk(self.document, self.tenant)
        for line in self.lines:
            desk.step(line)
        self.assertEqual(sum(claims.flips(desk, same).values()), 0)
        self.assertGreater(sum(claims.flips(desk, claims.Desk(self.stricter, self.tenant)).values()), 20)


if __name__ == "__main__":
    unittest.main()
