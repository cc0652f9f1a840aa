#!/usr/bin/env python3
"""Builds many mutants of `cargo mutants` into one program, each behind a number.

`cargo mutants` compiles the kernel anew for every mutant, which takes a minute or more. This reads the same list of mutants
(`cargo mutants --list --json`) and rewrites a copy of the sources, so that every function holds its mutated bodies beside its own:

    match crate::mutant::on(4) { 17 => { mutated }, 18 => { mutated }, _ => { as it was } }

Which one runs is said by the environment variable MUTANT when a test program starts. 4 is the function's own number, its site: with
MUTANT_TRACE naming a file, the sites that a program reaches are written there. The copy is thrown away afterwards.

    switch.py LIST.json TREE KEPT.json [--drop DROPPED.json]

LIST.json   the mutants; a mutant's number is its place in it, from 1
TREE        the work tree that is rewritten
KEPT.json   gets what was built in: number, name, file, site, and the lines of its body in the rewritten file
DROPPED     numbers that do not compile ("unviable"), made by `build.py`
"""
import json
import pathlib
import re
import sys


def tokens(text):
    """Places of braces that are code, not text or comments: yields (place, brace)."""
    i, n = 0, len(text)
    while i < n:
        c = text[i]
        two = text[i:i + 2]
        if two == "//":
            i = text.find("\n", i)
            i = n if i < 0 else i
        elif two == "/*":
            depth, i = 1, i + 2
            while depth and i < n:
                if text[i:i + 2] == "/*":
                    depth, i = depth + 1, i + 2
                elif text[i:i + 2] == "*/":
                    depth, i = depth - 1, i + 2
                else:
                    i += 1
        elif c == '"':
            i += 1
            while i < n and text[i] != '"':
                i += 2 if text[i] == "\\" else 1
            i += 1
        elif c == "r" and (text[i + 1:i + 2] in ('"', "#")) and not (i and (text[i - 1].isalnum() or text[i - 1] == "_")) or (
            two == "br" and text[i + 2:i + 3] in ('"', "#")
        ):
            j = i + (2 if two == "br" else 1)
            hashes = 0
            while text[j:j + 1] == "#":
                hashes, j = hashes + 1, j + 1
            if text[j:j + 1] != '"':
                i += 1
                continue
            i = text.find('"' + "#" * hashes, j + 1) + 1 + hashes
        elif c == "'":
            if text[i + 1:i + 2] == "\\":
                i = text.find("'", i + 3 if text[i + 2:i + 3] in ("'", "\\") else i + 2) + 1
            elif text[i + 2:i + 3] == "'":
                i += 3
            else:
                i += 1
        else:
            if c in "{}":
                yield i, c
            i += 1


def offsets(text):
    starts = [0]
    for at, c in enumerate(text):
        if c == "\n":
            starts.append(at + 1)
    return lambda place: starts[place["line"] - 1] + place["column"] - 1


def body_of(text, start, end):
    """The braces of the body of the function that lies in [start, end)."""
    depth, opened, last = 0, None, None
    for at, brace in tokens(text[start:end]):
        if brace == "{":
            if depth == 0:
                opened = start + at
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                last = (opened, start + at)
    return last


def main():
    listed = json.loads(pathlib.Path(sys.argv[1]).read_text())
    tree = pathlib.Path(sys.argv[2])
    dropped = set()
    if "--drop" in sys.argv:
        path = pathlib.Path(sys.argv[sys.argv.index("--drop") + 1])
        if path.exists():
            dropped = {int(number) for number in json.loads(path.read_text())}
    by_file = {}
    for number, mutant in enumerate(listed, 1):
        by_file.setdefault(mutant["file"], []).append((number, mutant))
    kept, unfit, site = [], [], 0
    for file, mutants in sorted(by_file.items()):
        path = tree / file
        text = path.read_text()
        at = offsets(text)
        functions = {}
        for number, mutant in mutants:
            if mutant["function"] is None:
                unfit.append(number)
                continue
            span = mutant["function"]["span"]
            functions.setdefault((at(span["start"]), at(span["end"])), []).append((number, mutant))
        outer = [key for key in functions if not any(o != key and o[0] <= key[0] and key[1] <= o[1] for o in functions)]
        grouped = {key: [] for key in outer}
        for key, items in functions.items():
            home = next(o for o in outer if o[0] <= key[0] and key[1] <= o[1])
            grouped[home].extend(items)
        pieces, here = [], 0
        for (start, end), items in sorted(grouped.items()):
            site += 1
            found = body_of(text, start, end)
            head = text[start:found[0]]
            live = [(number, mutant) for number, mutant in items if number not in dropped]
            if re.search(r"->.*\bimpl\b", head) or not live:
                unfit.extend(number for number, _ in live)
                continue
            opened, closed = found
            arms = []
            for number, mutant in sorted(live):
                first, last = at(mutant["span"]["start"]), at(mutant["span"]["end"])
                assert opened < first <= last <= closed, mutant["name"]
                mutated = text[opened + 1:first] + mutant["replacement"] + text[last:closed]
                arms.append((number, {**mutant, "site": site}, mutated))
            pieces.append(text[here:start] + head.replace("const fn", "fn") + f"{{ match crate::mutant::on({site}) {{\n")
            for number, mutant, mutated in arms:
                pieces.append((number, mutant, f"{number}u32 => {{{mutated}\n}}\n"))
            pieces.append("_ => {" + text[opened + 1:closed] + "\n} } }")
            here = closed + 1
        pieces.append(text[here:])
        line, out = 1, []
        for piece in pieces:
            code = piece if isinstance(piece, str) else piece[2]
            if not isinstance(piece, str):
                number, mutant, _ = piece
                lines = [line, line + code.count("\n")]
                kept.append({"number": number, "name": mutant["name"], "file": file, "site": mutant["site"], "lines": lines})
            out.append(code)
            line += code.count("\n")
        path.write_text("".join(out))
    lib = tree / "kernel/src/lib.rs"
    lib.write_text(lib.read_text() + MODULE)
    pathlib.Path(sys.argv[3]).write_text(json.dumps({"kept": kept, "unfit": sorted(unfit)}))
    print(f"{len(listed)} listed, {len(dropped)} do not compile, {len(unfit)} cannot be switched, {len(kept)} built in")


MODULE = """
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod mutant {
    use std::io::Write as _;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::{Mutex, OnceLock};

    static SEEN: [AtomicBool; 4096] = [const { AtomicBool::new(false) }; 4096];
    static TRACE: OnceLock<Option<Mutex<std::fs::File>>> = OnceLock::new();
    static ON: OnceLock<u32> = OnceLock::new();

    pub fn on(site: usize) -> u32 {
        if !SEEN[site].load(Relaxed) && !SEEN[site].swap(true, Relaxed) {
            let trace = TRACE.get_or_init(|| std::env::var("MUTANT_TRACE").ok().map(|path| Mutex::new(std::fs::File::create(path).unwrap())));
            if let Some(file) = trace {
                writeln!(file.lock().unwrap(), "{site}").unwrap();
            }
        }
        *ON.get_or_init(|| std::env::var("MUTANT").ok().and_then(|number| number.parse().ok()).unwrap_or(0))
    }
}
"""

if __name__ == "__main__":
    main()
