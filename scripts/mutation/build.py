#!/usr/bin/env python3
"""Finds out which mutants do not compile or change what a constant needs, and builds the others into the test programs.

    build.py LIST.json TREE OUT

TREE is a work tree of its own, without changes: it is rewritten, and put back before each attempt. OUT is a
folder for `kept.json`, `dropped.json` and `programs.json`. CARGO names the cargo to call; further words are split off it.
"""
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
CARGO = shlex.split(os.environ.get("CARGO", "cargo"))
PACKAGES = ["-p", "assent-kernel", "-p", "assent-client"]
TARGETS = ["--lib", "--test", "it", "--test", "scenarios"]
CONSTANT = re.compile(r"non-const [a-z ]*`(?:.*::)?(\w+)`")


def cargo(tree, *words):
    # Compiled once and run thousands of times: a little optimised.
    env = {"CARGO_PROFILE_DEV_OPT_LEVEL": "1", "CARGO_PROFILE_DEV_DEBUG": "0", **os.environ}
    command = [*CARGO, *words, "--message-format", "json"]
    ran = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, text=True, env=env)
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]


def function_of(mutant):
    """A function's name without what it belongs to."""
    return mutant["function"]["function_name"].rsplit("::", 1)[-1] if mutant["function"] else None


def blamed(messages, kept, listing, dropped):
    """The mutants that errors point to, and the errors that point to none."""
    found, strange = set(), []
    for message in messages:
        if message.get("reason") != "compiler-message" or message["message"]["level"] != "error":
            continue
        spans = message["message"]["spans"]
        hit = {
            mutant["number"]
            for span in spans
            for mutant in kept
            if span["file_name"] == mutant["file"] and mutant["lines"][0] <= span["line_start"] <= mutant["lines"][1]
            and (span["is_primary"] or mutant["lines"][0] <= span["line_end"] <= mutant["lines"][1])
        }
        # A switched function is no constant one any more: where a constant needs it, it stays as it is.
        constant = CONSTANT.search(message["message"]["message"])
        if constant and not hit:
            name = constant.group(1)
            hit = {n for n, mutant in enumerate(listing, 1) if n not in dropped and function_of(mutant) == name}
        found |= hit
        if not hit and spans:
            strange.append(f"{spans[0]['file_name']}:{spans[0]['line_start']}: {message['message']['message']}")
    return found, strange


def main():
    listed, tree, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    listing = json.loads(pathlib.Path(listed).read_text())
    dropped = set(json.loads((out / "dropped.json").read_text())) if (out / "dropped.json").exists() else set()
    for attempt in range(30):
        subprocess.run(["git", "checkout", "-q", "kernel", "Cargo.toml"], cwd=tree, check=True)
        # What a mutant leaves unused is no error of the mutant.
        manifest = tree / "Cargo.toml"
        manifest.write_text(manifest.read_text().replace('unused_must_use = "deny"', 'unused_must_use = "allow"'))
        (out / "dropped.json").write_text(json.dumps(sorted(dropped)))
        switch = [sys.executable, HERE / "switch.py", listed, tree, out / "kept.json", "--drop", out / "dropped.json"]
        subprocess.run(switch, check=True)
        code, messages = cargo(tree, "check", "-p", "assent-kernel", "--lib")
        if code == 0:
            # Some of what cannot be is found only when code is made.
            code, messages = cargo(tree, "test", "--no-run", *PACKAGES, *TARGETS)
        if code == 0:
            break
        kept = json.loads((out / "kept.json").read_text())["kept"]
        found, strange = blamed(messages, kept, listing, dropped)
        print(f"attempt {attempt + 1}: {len(found)} do not compile, {len(strange)} errors outside of mutants", flush=True)
        for text in strange[:20]:
            print("   ", text, flush=True)
        if not found:
            sys.exit("nothing more can be dropped")
        dropped |= found
    else:
        sys.exit("too many attempts")
    built = [m for m in messages if m.get("reason") == "compiler-artifact" and m.get("executable")]
    wanted = [("kernel", "assent_kernel"), ("kernel", "it"), ("client", "scenarios")]
    programs = [
        {"folder": folder, "name": name, "path": m["executable"]}
        for folder, name in wanted
        for m in built
        if m["target"]["name"] == name and pathlib.Path(m["manifest_path"]).parent.name == folder
    ]
    (out / "programs.json").write_text(json.dumps(programs))
    print(f"built: {len(programs)} programs, {len(dropped)} do not compile")


if __name__ == "__main__":
    main()
