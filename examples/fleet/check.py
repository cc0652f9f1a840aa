#!/usr/bin/env python3
"""Checks the fleet against itself: what the scenarios' authors expect is what the bundles say, and the workload is what the README
promises. Reads files only; Python 3.9 or newer, standard library only.

    python3 check.py            exit code 1 and a list of findings when something is wrong
    python3 check.py --tables   prints the README's tables
"""
import json
import os
import sys
from collections import Counter, defaultdict

sys.dont_write_bytecode = True

import claims  # noqa: E402
import yaml_subset  # noqa: E402
from evaluator import Bundle, shape_findings, subject_matches  # noqa: E402
from scenarios.kit import CODES  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LINE_KEYS = ["tenant", "token_name", "subject", "environment", "run_id", "trace_id", "agent", "tool", "inputs", "expect", "expect_code", "scenario"]
AGENT_KEYS = ["agent_instance_id", "name", "version"]
CALLS_MIN, SCENARIOS_MIN, TOOLS_MIN, TENANTS_MIN = 12000, 25, 36, 3
ALLOWED_PERCENT_MIN, ALLOWED_PERCENT_MAX = 75, 85
FILE_BYTES_MAX = 8000000
INTEGER_MAX = (1 << 53) - 1
# The product restricts a run after five refusals by policy; no run of this workload gets there, so that a later version of the
# kernel with run modes decides these calls as the first one does.
RUN_DENIALS_MAX = 4


def read(*parts):
    """A text file of this folder."""
    with open(os.path.join(HERE, *parts), encoding="utf-8", newline="") as file:
        return file.read()


def load_fleet():
    """Returns (tenants of fleet.json, {tenant: Bundle}, {tenant: document}, findings)."""
    fleet, bundles, documents, found = json.loads(read("fleet.json")), {}, {}, []
    for tenant in fleet:
        name = tenant["name"]
        document = documents[name] = yaml_subset.load(read(*tenant["bundle"].split("/"), "bundle.yaml"))
        found += ["%s: %s" % (name, finding) for finding in shape_findings(document)]
        for subject in tenant["principals"]:
            count = sum(subject_matches(principal["subject"], subject) for principal in document["principals"])
            if count != 1:
                found.append("%s: %s matches %d principals of the bundle, not one" % (name, subject, count))
        bundles[name] = Bundle(document, tenant["principals"])
    return fleet, bundles, documents, found


def narrow(value):
    """True for the JSON that the ledger takes: no null, no float, no negative or large number."""
    if isinstance(value, dict):
        return all(narrow(item) for item in value.values())
    if isinstance(value, list):
        return all(narrow(item) for item in value)
    return isinstance(value, (str, bool)) or (isinstance(value, int) and 0 <= value <= INTEGER_MAX)


def line_findings(line, fleet_by_name, bundle):
    """Findings of one call on its own."""
    if list(line) != LINE_KEYS or list(line["agent"]) != AGENT_KEYS:
        return ["keys or their order are not those of the README"]
    found = []
    tenant = fleet_by_name[line["tenant"]]
    if line["token_name"] not in tenant["credentials"] or line["environment"] != tenant["environment"]:
        found.append("credential or environment is not in fleet.json")
    if not narrow(line["inputs"]):
        found.append("inputs hold null, a float, or a number outside 0..2^53-1")
    if any(isinstance(value, str) and value.endswith("\n") and line["tool"] == "db.execute" for value in line["inputs"].values()):
        found.append("regex engines differ on '$' before a last line feed")
    expected, said = (line["expect"], line["expect_code"]), bundle.evaluate(line["subject"], line["tool"], line["inputs"])
    if expected != said:
        found.append("%s %s: expected %s %s, the bundle says %s %s" % ((line["scenario"], line["tool"]) + expected + said))
    return found


def whole_findings(lines, documents, bundles, size):
    """Findings over all calls: counts, runs, coverage."""
    found, runs, used = [], defaultdict(list), {(line["tenant"], line["tool"]) for line in lines}
    for line in lines:
        runs[line["run_id"]].append(line)
    for run_id, calls in runs.items():
        if len({(call["tenant"], call["subject"], call["trace_id"], call["scenario"]) for call in calls}) != 1:
            found.append("run %s is not of one subject, trace and scenario" % run_id)
        if sum(call["expect"] == "deny" for call in calls) > RUN_DENIALS_MAX:
            found.append("run %s (%s) has more than %d refusals" % (run_id, calls[0]["scenario"], RUN_DENIALS_MAX))
    for name, document in documents.items():
        found += ["%s: tool %s is never called" % (name, tool["name"]) for tool in document["tools"] if (name, tool["name"]) not in used]
        found += ["%s: %s never decides anything" % (name, entry["id"]) for entry in document["contract"] + document["rules"]
                  if entry["id"] not in bundles[name].fired]
    share = 100 * sum(line["expect"] == "allow" for line in lines) / max(1, len(lines))
    for wrong, text in (
            (len(lines) < CALLS_MIN, "fewer than %d calls" % CALLS_MIN),
            (size > FILE_BYTES_MAX, "workload.jsonl has %d bytes" % size),
            (not ALLOWED_PERCENT_MIN <= share <= ALLOWED_PERCENT_MAX, "%.1f %% are allowed" % share),
            (len({line["scenario"] for line in lines}) < SCENARIOS_MIN, "too few scenarios"),
            (len({tool for _, tool in used}) < TOOLS_MIN, "too few tools"),
            (len({line["tenant"] for line in lines}) < TENANTS_MIN, "too few tenants"),
            ({line["expect_code"] for line in lines} != set(CODES), "not every code occurs")):
        if wrong:
            found.append(text)
    return found


def tables(lines, fleet, documents, size):
    """The README's tables as Markdown."""
    out = ["| tenant | agents | tools | contract entries | rules | scenarios | runs | calls | allowed |", "|---|---|---|---|---|---|---|---|---|"]
    for tenant in fleet:
        name, document = tenant["name"], documents[tenant["name"]]
        own = [line for line in lines if line["tenant"] == name]
        out.append("| %s | %d | %d | %d | %d | %d | %d | %d | %.1f %% |" % (
            name, len(tenant["principals"]), len(document["tools"]), len(document["contract"]), len(document["rules"]), len({line["scenario"] for line in own}),
            len({line["run_id"] for line in own}), len(own), 100 * sum(line["expect"] == "allow" for line in own) / len(own)))
    sizes = sorted(len(json.dumps(line["inputs"], ensure_ascii=False, separators=(",", ":")).encode("utf-8")) for line in lines)
    denied = Counter(line["expect_code"] for line in lines)
    tools = {(line["tenant"], line["tool"]) for line in lines}
    known = {tool["name"] for document in documents.values() for tool in document["tools"]}
    out += ["", "| code | calls |", "|---|---|"] + ["| %s | %d |" % (code, denied[code]) for code in CODES]
    out += ["", "| what | value |", "|---|---|", "| calls / runs | %d / %d |" % (len(lines), len({line["run_id"] for line in lines})),
            "| runs in flight, median / most | %d / %d |" % in_flight(lines),
            "| tool names in the bundles | %d |" % len(known),
            "| tool names called that no bundle has | %d |" % len({tool for _, tool in tools} - known),
            "| bytes of inputs: least / median / 99th percentile / most | %d / %d / %d / %d |" % (sizes[0], sizes[len(sizes) // 2], sizes[len(sizes) * 99 // 100], sizes[-1]),
            "| bytes of workload.jsonl | %d |" % size]
    return "\n".join(out) + "\n"


def in_flight(lines):
    """(median, most) number of runs that have begun and not ended, over the calls."""
    last = {line["run_id"]: number for number, line in enumerate(lines)}
    open_runs, counts = set(), []
    for number, line in enumerate(lines):
        open_runs.add(line["run_id"])
        counts.append(len(open_runs))
        if last[line["run_id"]] == number:
            open_runs.discard(line["run_id"])
    return sorted(counts)[len(counts) // 2], max(counts)


def main(arguments):
    """Returns the exit code: 0 consistent, 1 findings, 2 wrong usage."""
    if arguments not in ([], ["--tables"]):
        print("usage: check.py [--tables]", file=sys.stderr)
        return 2
    fleet, bundles, documents, found = load_fleet()
    text = read("workload.jsonl")
    size, by_name = len(text.encode("utf-8")), {tenant["name"]: tenant for tenant in fleet}
    lines = [json.loads(line) for line in text.rstrip("\n").split("\n")]
    desk_found, desk_lines, turned = claims.check()
    if arguments:
        print(tables(lines, fleet, documents, size), end="")
        print("\n" + claims.tables(desk_lines, turned), end="")
        return 0
    for number, line in enumerate(lines, 1):
        found += ["line %d: %s" % (number, finding) for finding in line_findings(line, by_name, bundles[line["tenant"]])]
    found += whole_findings(lines, documents, bundles, size)
    found += desk_found
    readme = read("README.md")
    if tables(lines, fleet, documents, size) not in readme or claims.tables(desk_lines, turned) not in readme:
        found.append("the tables in README.md are stale; see check.py --tables")
    for finding in found[:40]:
        print(finding, file=sys.stderr)
    print("%d calls and %d steps of the claims desk checked, %d findings" % (len(lines), len(desk_lines), len(found)))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
