"""The claims desk: its steps as a file, a second and plain reading of its bundles, and what a stricter bundle would change.

`evaluator.py` reads what the three large fleets need. The desk needs more: taint, approvals, replacements, redemptions, outcomes and
memory. All of it is read here once more, from the documents and not from the product's code.
"""
import copy
import json
import os
from collections import Counter

import yaml_subset
from claims_stories import STORIES, Teller
from draw import Draw
from evaluator import KEYS, MISSING, Bundle, as_list, parameter_matches, shape_findings, subject_matches

SEED = 0xC1A1A5
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "claims")
LEVELS = ("none", "internal", "confidential", "secret")
MORE_KEYS = {"bundle": {"memory"}, "tool": {"output_labels"}, "principal": {"owner", "roles"}, "rule": {"approval", "compute"}, "match": {"taintSources"}}
VERDICTS = {"allow", "deny", "escalate", "compute"}
STEPS_MIN, STEPS_MAX = 200, 600


def read(name):
    """A text file of the desk's folder."""
    with open(os.path.join(FOLDER, name), encoding="utf-8", newline="") as file:
        return file.read()


def steps():
    """All steps: stories take turns, so that many are under way at once."""
    choices, told = Draw(SEED), []
    for tell, weight in STORIES:
        for number in range(1, weight + 1):
            teller = Teller(tell.__name__, number, Draw(choices.word()))
            tell(teller)
            told.append(teller.steps)
    lines = []
    while any(told):
        lines += [story.pop(0) for story in told if story]
    return lines


def workload():
    """The whole file as bytes: one JSON object a line."""
    lines = [json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False) for line in steps()]
    return ("\n".join(lines) + "\n").encode("utf-8")


class Desk(Bundle):
    """The desk's policy and what has happened so far."""

    def __init__(self, document, tenant):
        people = [person["subject"] for person in tenant["people"]]
        super().__init__(document, tenant["principals"] + people)
        self.spaces = {space["namespace"]: space for space in document["memory"]}
        self.taint, self.memory, self.calls = {}, {}, {}

    # Calls.

    def decide(self, subject, tool_name, inputs, taint, agreed=False, compute=True):
        """(verdict, first code, rules that mattered, inputs to run)."""
        tool = self.tools.get(tool_name)
        if subject not in self.registered:
            return "deny", "PRINCIPAL_UNKNOWN", [], None
        if tool is None:
            return "deny", "UNKNOWN_TOOL", [], None
        if not self._arguments_valid(tool["inputs"], inputs):
            return "deny", "ARGUMENTS_INVALID", [], None
        if not self._capable(subject, tool):
            return "deny", "CAPABILITY_MISSING", [], None
        before = set(self.fired)
        self.fired = set()
        broken = self._contract_broken(tool_name, inputs)
        broken_ids, self.fired = sorted(self.fired), before | self.fired
        skipped = lambda rule: rule["decision"] == "compute" and not compute  # noqa: E731
        rule = next((rule for rule in self.rules if not skipped(rule) and self._matches(rule, subject, tool, inputs, taint)), None)
        if rule:
            self.fired.add(rule["id"])
        if broken:
            return "deny", "CONTRACT_VIOLATED", broken_ids, None
        if rule is None:
            return "deny", "NO_MATCHING_RULE", [], None
        if rule["decision"] == "deny":
            return "deny", "RULE_DENIED", [rule["id"]], None
        if rule["decision"] == "escalate" and not agreed:
            return "escalate", "APPROVAL_REQUIRED", [rule["id"]], None
        if rule["decision"] == "compute":
            other = {name: value for name, value in inputs.items() if name not in rule["compute"].get("remove", [])}
            other.update(rule["compute"].get("set", {}))
            verdict, code, rules, _ = self.decide(subject, tool_name, other, taint, agreed, compute=False)
            return ("compute", "ARGUMENTS_REPLACED", [rule["id"]], other) if verdict == "allow" else (verdict, code, rules, None)
        return "allow", "ALLOWED_RULES_PASSED", [rule["id"]], inputs

    def _matches(self, rule, subject, tool, inputs, taint):
        match, unsure = rule["match"], rule["decision"] in ("deny", "escalate")
        named = all(tool[key] in as_list(match[field]) for field, key in (("toolClass", "class"), ("action", "action"), ("tool", "name")) if field in match)
        tainted = "taintSources" not in match or bool(taint & set(match["taintSources"]))
        return named and tainted and all(parameter_matches(inputs.get(name, MISSING), tests, unsure) for name, tests in match.get("parameters", {}).items())

    def approval_of(self, rules):
        """What the rule that asks for people asks for."""
        return next(rule["approval"] for rule in self.rules if rule["id"] in rules)

    # Steps.

    def step(self, line):
        """What the documents say the step comes to: (verdict, first code)."""
        return getattr(self, "_" + line["act"])(line, (line["story"], line.get("of", line["step"])))

    def _call(self, line, name):
        taint = frozenset(self.taint.get(line["run_id"], ()))
        verdict, code, rules, run = self.decide(line["subject"], line["tool"], line["inputs"], taint)
        self.calls[name] = {"line": line, "verdict": verdict, "code": code, "rules": rules, "run": run, "redeemed": False,
                            "asked": [(line["inputs"], taint, False, verdict)]}
        return verdict, code

    def _answer(self, line, name):
        call = self.calls[name]
        asked, person = call["line"], line["subject"]
        if call["verdict"] != "escalate":
            return "deny", "APPROVAL_UNKNOWN"
        if self._principal(asked["subject"])["owner"] == person:
            return "deny", "SEPARATION_OF_DUTIES"
        need = self.approval_of(call["rules"])
        if need["role"] not in self._principal(person).get("roles", []):
            return "deny", "APPROVER_NOT_PERMITTED"
        if line["action"] == "deny":
            call.update(verdict="deny", code="APPROVAL_DENIED")
            return "deny", "APPROVAL_DENIED"
        inputs = line.get("inputs", asked["inputs"])
        if any(inputs.get(key, MISSING) != asked["inputs"].get(key, MISSING) and key not in need["fields"] for key in set(inputs) | set(asked["inputs"])):
            return "deny", "APPROVER_NOT_PERMITTED"
        taint = frozenset(self.taint.get(asked["run_id"], ()))
        verdict, code, rules, run = self.decide(asked["subject"], asked["tool"], inputs, taint, agreed=True)
        if verdict == "allow" and inputs != asked["inputs"]:
            verdict, code = "compute", "ARGUMENTS_REPLACED"
        call["asked"].append((inputs, taint, True, verdict))
        call.update(verdict=verdict, code=code, run=run)
        return "allow", "APPROVED"

    def _principal(self, subject):
        return next(principal for principal in self.principals if subject_matches(principal["subject"], subject))

    def _again(self, _, name):
        return self.calls[name]["verdict"], self.calls[name]["code"]

    def _redeem(self, _, name):
        call = self.calls[name]
        # What was completed is over: nothing is kept of it that could be redeemed.
        if call["verdict"] not in ("allow", "compute") or call.get("completed"):
            return "deny", "DECISION_UNKNOWN"
        if call["redeemed"]:
            return "deny", "ALREADY_REDEEMED"
        call["redeemed"] = True
        labels = self.tools[call["line"]["tool"]].get("output_labels", [])
        self.taint.setdefault(call["line"]["run_id"], set()).update(labels)
        return "allow", "REDEEMED"

    def _complete(self, _, name):
        self.calls[name]["completed"] = self.calls[name]["redeemed"]
        return ("allow", "REDEEMED") if self.calls[name]["redeemed"] else ("deny", "DECISION_UNKNOWN")

    def _remember(self, line, _):
        space, taint = self.spaces[line["namespace"]], self.taint.get(line["run_id"], set())
        if not any(subject_matches(pattern, line["subject"]) for pattern in space["writers"]):
            return "deny", "MEMORY_ACL"
        if LEVELS.index(line["classification"]) > LEVELS.index(space["classification_max"]):
            return "deny", "MEMORY_CLASSIFICATION"
        if "email" in taint and space["on_tainted_write"] == "deny":
            return "deny", "MEMORY_TAINTED"
        self.memory[line["namespace"], line["key"]] = set(taint)
        return "allow", "MEMORY_ALLOWED"

    def _recall(self, line, _):
        if not any(subject_matches(pattern, line["subject"]) for pattern in self.spaces[line["namespace"]]["readers"]):
            return "deny", "MEMORY_ACL"
        found = self.memory.get((line["namespace"], line["key"]))
        if found is None:
            return "deny", "MEMORY_UNKNOWN"
        self.taint.setdefault(line["run_id"], set()).update(found)
        return "allow", "MEMORY_ALLOWED"


def load():
    """(fleet.json's tenant, the bundle's document, the stricter one's, findings)."""
    tenant = json.loads(read("fleet.json"))[0]
    documents = [yaml_subset.load(read(name)) for name in ("bundle.yaml", "stricter.yaml")]
    known = {kind: KEYS[kind] | MORE_KEYS.get(kind, set()) for kind in KEYS}
    return tenant, documents[0], documents[1], [finding for document in documents for finding in shape_findings(document, known)]


def flips(desk, stricter):
    """How many decisions come out differently under another bundle, each on what the record had come to: {(recorded, now, by): calls}."""
    counts = Counter()
    for call in desk.calls.values():
        line = call["line"]
        for inputs, taint, agreed, verdict in call["asked"]:
            now, code, rules, _ = stricter.decide(line["subject"], line["tool"], inputs, taint, agreed)
            if now == "allow" and inputs != line["inputs"]:
                now = "compute"
            if now != verdict:
                counts[verdict, now, ",".join(rules) or code] += 1
    return counts


def check(lines=None):
    """(findings, lines, flips). Nothing that the authors expect may differ from what the documents say."""
    tenant, document, stricter, found = load()
    lines = [json.loads(line) for line in read("claims.jsonl").rstrip("\n").split("\n")] if lines is None else lines
    desk = Desk(document, tenant)
    for number, line in enumerate(lines, 1):
        said, expected = desk.step(line), (line["expect"], line["expect_code"])
        if said != expected:
            found.append("claims, line %d (%s %s): expected %s %s, the bundle says %s %s" % ((number, line["story"], line["act"]) + expected + said))
    calls = [line for line in lines if line["act"] == "call"]
    found += ["claims: %s never decides anything" % entry["id"] for entry in document["contract"] + document["rules"] if entry["id"] not in desk.fired]
    answers = {line["action"] for line in lines if line["act"] == "answer"}
    for wrong, text in (
            (not STEPS_MIN <= len(lines) <= STEPS_MAX, "%d steps" % len(lines)),
            ({line["expect"] for line in calls} != VERDICTS, "not every verdict occurs"),
            (answers != {"approve", "deny", "modify"}, "not every answer occurs"),
            ({line["act"] for line in lines} != {"call", "answer", "again", "redeem", "complete", "remember", "recall"}, "not every act occurs"),
            ({line["status"] for line in lines if line["act"] == "complete"} != {"success", "failure"}, "not every outcome occurs"),
            (max(Counter(line["run_id"] for line in lines if line["run_id"] and line["expect"] == "deny").values()) > 4, "a run has more than 4 refusals")):
        if wrong:
            found.append("claims: " + text)
    turned = flips(desk, Desk(copy.deepcopy(stricter), tenant))
    if {"%s>%s" % pair[:2] for pair in turned} < {"allow>escalate", "allow>deny", "compute>deny", "escalate>deny"}:
        found.append("claims: the stricter bundle does not turn every verdict")
    expected = json.loads(read("flips.json"))
    if expected != flips_document(turned):
        found.append("claims: flips.json is stale; see generate.py")
    return found, lines, turned


def flips_document(turned):
    """flips.json: what a replay under the stricter bundle must find."""
    rows = [{"recorded": recorded, "now": now, "by": by, "calls": calls} for (recorded, now, by), calls in sorted(turned.items())]
    return {"total": sum(turned.values()), "flips": rows}


def make_flips():
    """flips.json as bytes, from the documents and the stories."""
    tenant, document, stricter, _ = load()
    desk = Desk(document, tenant)
    for line in steps():
        desk.step(line)
    return (json.dumps(flips_document(flips(desk, Desk(stricter, tenant))), indent=1) + "\n").encode("utf-8")


def tables(lines, turned):
    """The README's tables of the desk as Markdown."""
    acts, verdicts = Counter(line["act"] for line in lines), Counter(line["expect"] for line in lines if line["act"] == "call")
    answers = Counter(line["action"] for line in lines if line["act"] == "answer")
    out = ["| act | steps | of which |", "|---|---|---|"]
    for act, counts in (("call", verdicts), ("answer", answers), ("again", None), ("redeem", None), ("complete", None), ("remember", None), ("recall", None)):
        of = counts or Counter(line["expect"] for line in lines if line["act"] == act)
        out.append("| %s | %d | %s |" % (act, acts[act], ", ".join("%d %s" % (of[name], name) for name in sorted(of))))
    out += ["", "| recorded | under `stricter.yaml` | by | calls |", "|---|---|---|---|"]
    out += ["| %s | %s | %s | %d |" % (row["recorded"], row["now"], row["by"], row["calls"]) for row in flips_document(turned)["flips"]]
    return "\n".join(out) + "\n"
