#!/usr/bin/env python3
"""Runs tests for each mutant until one notices it.

    run.py OUT TREE [--only NUMBERS.json] [--jobs J] [--seconds LIMIT] [--again]

OUT is what `build.py` made. First every test and every scenario runs once without a mutant, which says how long it takes and which
functions it reaches (OUT/reached.json). A mutant then meets only what reaches its function, the most specific first: a test that reaches few
functions has more to say about each. It is missed when all of them pass. Outcomes go to OUT/outcomes.json at once; what is there
already is not run again, unless asked with --again.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import tempfile
import time

# Draws long random histories for minutes.
SKIPPED = ["determinism::"]
# A test that takes longer than this without a mutant is left out, and named.
LONGEST_SECONDS = 30
# How many tests a mutant meets at once; what none of them notices meets all the others.
LOTS = [8, 24, 72, 216]
NAMED = "those_that_are_named"


class Program:
    """A test program, run where cargo would run it."""

    def __init__(self, built, tree):
        self.path = built["path"]
        self.scenarios = built["name"] == "scenarios"
        self.folder = pathlib.Path(tree) / built["folder"]
        self.kind = built["name"]

    def run(self, names, limit, **env):
        env = {**os.environ, "RUST_BACKTRACE": "0", **env}
        if self.scenarios:
            command, env = [self.path, "--ignored", "--exact", NAMED], {**env, "ASSENT_SCENARIOS": ",".join(names)}
        else:
            command = [self.path, "--exact", "--test-threads", "1", *names]
        return subprocess.run(
            command, cwd=self.folder, env=env, timeout=limit, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )

    def names(self):
        if self.scenarios:
            command = [self.path, "--ignored", "--exact", NAMED, "--show-output"]
        else:
            command = [self.path, "--list"]
        out = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, text=True, check=True).stdout
        if self.scenarios:
            block = out.split("stdout ----\n", 1)[1].split("\n\n", 1)[0]
            return block.splitlines()
        found = [line.removesuffix(": test") for line in out.splitlines() if line.endswith(": test")]
        return [name for name in found if not any(name.startswith(skipped) for skipped in SKIPPED)]


def reach(programs):
    """Every test by itself, without a mutant: its program, seconds and sites."""
    tests, failed, slow = [], [], []
    for place, program in enumerate(programs):
        for name in program.names():
            with tempfile.NamedTemporaryFile() as trace:
                began = time.monotonic()
                ran = program.run([name], 1800, MUTANT_TRACE=trace.name)
                seconds = time.monotonic() - began
                sites = sorted({int(line) for line in pathlib.Path(trace.name).read_text().split()})
            if ran.returncode != 0:
                failed.append(f"{program.kind}: {name}")
            elif seconds > LONGEST_SECONDS:
                slow.append(f"{program.kind}: {name} ({seconds:.0f} s)")
            else:
                tests.append({"program": place, "name": name, "seconds": seconds, "sites": sites})
    print(f"{len(tests)} tests and scenarios; left out as slow: {slow}", flush=True)
    assert not failed, f"fail without a mutant: {failed}"
    return tests


def rounds(tests):
    """Lots of tests of one program, small and specific ones first; then all that are left."""
    tests = sorted(tests, key=lambda test: (len(test["sites"]), test["seconds"]))
    lots = []
    for size in [*LOTS, len(tests)]:
        lot, tests = tests[:size], tests[size:]
        for program in sorted({test["program"] for test in lot}):
            lots.append((program, [test for test in lot if test["program"] == program]))
    return lots


def outcome(number, tests, programs):
    """`caught by …`, `timed out` or `missed`."""
    for place, lot in rounds(tests):
        limit = 10 + 4 * sum(test["seconds"] for test in lot)
        program = programs[place]
        try:
            ran = program.run([test["name"] for test in lot], limit, MUTANT=str(number))
        except subprocess.TimeoutExpired:
            return "timed out"
        if ran.returncode != 0:
            return f"caught by {program.kind}: {said(program, ran.stdout)}"
    return "missed"


def said(program, text):
    if program.scenarios:
        lines = [line for line in text.splitlines() if ": " in line and not line.startswith(("thread", "test "))]
        return lines[0][:120] if lines else "it ended"
    failed = [line.split()[1] for line in text.splitlines() if line.startswith("test ") and line.endswith("FAILED")]
    return ", ".join(failed[:3]) or "it ended"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("tree", type=pathlib.Path)
    parser.add_argument("--only", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=10**6)
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    kept = json.loads((asked.out / "kept.json").read_text())["kept"]
    programs = [Program(built, asked.tree) for built in json.loads((asked.out / "programs.json").read_text())]
    assert programs, "build.py did not come to an end"
    began = time.monotonic()
    reached = asked.out / "reached.json"
    if not reached.exists():
        reached.write_text(json.dumps(reach(programs)))
    tests = json.loads(reached.read_text())
    print(f"what reaches what: {time.monotonic() - began:.0f} s", flush=True)
    by_site = {}
    for test in tests:
        for site in test["sites"]:
            by_site.setdefault(site, []).append(test)
    path = asked.out / "outcomes.json"
    outcomes = json.loads(path.read_text()) if path.exists() else {}
    only = set(json.loads(asked.only.read_text())) if asked.only else None
    todo = [m for m in kept if (only is None or m["number"] in only) and (asked.again or m["name"] not in outcomes)]

    def one(mutant):
        if time.monotonic() - began > asked.seconds:
            return mutant, None
        return mutant, outcome(mutant["number"], by_site.get(mutant["site"], []), programs)

    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, mutant) for mutant in todo]):
            mutant, result = done.result()
            if result is None:
                continue
            outcomes[mutant["name"]] = result
            path.write_text(json.dumps(outcomes, indent=1))
            if not result.startswith("caught"):
                print(f"{result}: {mutant['name']}", flush=True)
    summary(kept, outcomes)


def summary(kept, outcomes):
    count = {}
    for mutant in kept:
        kind = outcomes.get(mutant["name"], "not run").split(" by ")[0]
        count[kind] = count.get(kind, 0) + 1
    noticed = count.get("caught", 0) + count.get("timed out", 0)
    tried = noticed + count.get("missed", 0)
    share = f"{1000 * noticed // tried / 10} %" if tried else "nothing"
    print(json.dumps(count), f"{noticed} of {tried} that ran were noticed: {share}")


if __name__ == "__main__":
    main()
