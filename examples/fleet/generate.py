#!/usr/bin/env python3
"""Writes workload.jsonl: the calls of a fleet of agents, interleaved as they would arrive, from the scenarios and one seed; and the
claims desk's claims/claims.jsonl from its stories, with claims/flips.json.

    python3 generate.py           writes the files
    python3 generate.py --check   makes them again in memory; exit code 1 if one differs

Python 3.9 or newer, standard library only; the output is the same bytes on every version. `expect` and `expect_code` are what
the author of a scenario wrote down; no policy is evaluated for them. flips.json is what the desk's second reading says of its bundles.
"""
import json
import os
import sys

sys.dont_write_bytecode = True

import claims  # noqa: E402
from draw import Draw  # noqa: E402
from scenarios import REGISTRY  # noqa: E402

SEED = 0x0A55E27
CALLS_MIN = 12000
RUN_GAP_MS_MAX = 450  # a new run starts after 1..450 ms: with runs of some ten seconds, dozens are in flight
VERSIONS = (("2.1.0", 70), ("2.1.1", 25), ("2.2.0-rc.1", 5))
HERE = os.path.dirname(os.path.abspath(__file__))
OUTPUT = os.path.join(HERE, "workload.jsonl")


def run_of(scenario, draw):
    """The calls of one run: [(milliseconds since its start, line as a dict)…]."""
    subject = draw.pick(scenario.agents)
    run_id, trace_id = draw.uuid(), draw.hex(32)
    agent = {"agent_instance_id": "%s#%s" % (subject, run_id[:8]), "name": subject.rsplit("/", 1)[1], "version": draw.weighted(VERSIONS)}
    clock, calls = 0, []
    for step in scenario.steps(draw):
        calls.append((clock, {
            "tenant": scenario.tenant, "token_name": scenario.credential, "subject": subject, "environment": "prod", "run_id": run_id,
            "trace_id": trace_id, "agent": agent, "tool": step["tool"], "inputs": step["inputs"], "expect": step["expect"],
            "expect_code": step["expect_code"], "scenario": scenario.name,
        }))
        clock += draw.between(scenario.pace_ms // 10, scenario.pace_ms)
    return calls


def calls_in_order():
    """All calls in the order in which they arrive. Every run draws from a seed of its own, so that a change of one scenario leaves
    the values in the runs of the others as they were."""
    choices = Draw(SEED)
    weights = [(scenario, scenario.weight) for scenario in REGISTRY]
    arrivals, started_ms, number = [], 0, 0
    while len(arrivals) < CALLS_MIN:
        # Every scenario once at first; then by weight.
        scenario = REGISTRY[number] if number < len(REGISTRY) else choices.weighted(weights)
        for step, (offset_ms, line) in enumerate(run_of(scenario, Draw(choices.word()))):
            arrivals.append((started_ms + offset_ms, number, step, line))
        started_ms += choices.between(1, RUN_GAP_MS_MAX)
        number += 1
    arrivals.sort(key=lambda arrival: arrival[:3])
    return [arrival[3] for arrival in arrivals]


def workload():
    """The whole file as bytes: one JSON object a line, UTF-8, keys in the order of the README."""
    lines = [json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False) for line in calls_in_order()]
    return ("\n".join(lines) + "\n").encode("utf-8")


def main(arguments):
    """Returns the exit code: 0 written or equal, 1 different, 2 wrong usage."""
    if arguments not in ([], ["--check"]):
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    files = ((OUTPUT, workload), (os.path.join(claims.FOLDER, "claims.jsonl"), claims.workload), (os.path.join(claims.FOLDER, "flips.json"), claims.make_flips))
    return max([(compare if arguments else write)(path, make()) for path, make in files])


def write(path, made):
    """Writes a file; 0."""
    with open(path, "wb") as file:
        file.write(made)
    print("wrote %s: %d lines, %d bytes" % (os.path.basename(path), made.count(b"\n"), len(made)))
    return 0


def compare(path, made):
    """0 if a file is what is made, otherwise 1 and the first line that differs."""
    name = os.path.basename(path)
    if not os.path.exists(path):
        print("%s is missing; run generate.py" % name, file=sys.stderr)
        return 1
    with open(path, "rb") as file:
        kept = file.read()
    if kept == made:
        print("%s is what the scenarios make: %d lines" % (name, made.count(b"\n")))
        return 0
    pairs = zip(kept.split(b"\n"), made.split(b"\n"))
    first = next((number for number, (old, new) in enumerate(pairs, 1) if old != new), "after the last common one")
    print("%s differs from what the scenarios make, first in line %s; run generate.py" % (name, first), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
