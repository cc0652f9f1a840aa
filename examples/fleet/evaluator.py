"""A second, plain reading of the policy bundles, written for checking and not for speed.

It follows the product's order of reasons: identity, tool, arguments, capability; then the contract and the rules both vote, a
deny wins, and of several denies the contract's reason is given before a rule's, and a rule's before the missing rule's.
"""
import posixpath
import re
from urllib.parse import urlsplit

TYPES = {"string": str, "integer": int, "boolean": bool}
MISSING = object()
KEYS = {
    "bundle": {"name", "version", "mode", "tools", "principals", "contract", "rules"},
    "tool": {"name", "class", "action", "category", "risk_tier", "inputs"},
    "input": {"type", "required", "max_length", "min"},
    "principal": {"subject", "capabilities"},
    "capability": {"class", "actions"},
    "contract": {"id", "tools", "hard", "require"},
    "predicate": {"argument", "op", "value"},
    "rule": {"id", "name", "priority", "match", "decision", "reason"},
    "match": {"toolClass", "action", "tool", "principalId", "parameters"},
    "parameter": {"pattern", "in", "notIn", "min", "max", "host", "within"},
}


def is_type(value, kind):
    """True when a JSON value has that type of the tool table; true and false are no integers."""
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def host_of(url):
    """The host of an absolute http(s) URL, lower-case; None when there is none. What stands before '@' is no host."""
    try:
        parts = urlsplit(url)
        return parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        return None


def is_within(path, folders):
    """True when the absolute path, its '.' and '..' resolved as text, lies in one of the folders."""
    if not path.startswith("/"):
        return False
    plain = posixpath.normpath(path)
    return any(plain == folder or plain.startswith(folder + "/") for folder in folders)


def subject_matches(pattern, subject):
    """Exact, or by prefix when the pattern ends in '*'."""
    return subject.startswith(pattern[:-1]) if pattern.endswith("*") else subject == pattern


def as_list(value):
    """A single value as a list of one."""
    return value if isinstance(value, list) else [value]


class Bundle:
    """One tenant's policy with the subjects that are registered."""

    def __init__(self, document, registered):
        self.tools = {tool["name"]: tool for tool in document["tools"]}
        self.principals, self.contract = document["principals"], document["contract"]
        self.rules = sorted(document["rules"], key=lambda rule: rule["priority"])  # stable: position breaks ties
        self.registered = set(registered)
        self.fired = set()  # ids of the contract entries that refused and of the rules that decided

    def evaluate(self, subject, tool_name, inputs):
        """Returns (decision, code)."""
        if subject not in self.registered:
            return "deny", "PRINCIPAL_UNKNOWN"
        tool = self.tools.get(tool_name)
        if tool is None:
            return "deny", "UNKNOWN_TOOL"
        if not self._arguments_valid(tool["inputs"], inputs):
            return "deny", "ARGUMENTS_INVALID"
        if not self._capable(subject, tool):
            return "deny", "CAPABILITY_MISSING"
        broken = self._contract_broken(tool_name, inputs)
        rule = next((rule for rule in self.rules if self._rule_matches(rule, subject, tool, inputs)), None)
        if rule:
            self.fired.add(rule["id"])
        if broken:
            return "deny", "CONTRACT_VIOLATED"
        if rule is None:
            return "deny", "NO_MATCHING_RULE"
        return ("allow", "ALLOWED_RULES_PASSED") if rule["decision"] == "allow" else ("deny", "RULE_DENIED")

    @staticmethod
    def _arguments_valid(schema, inputs):
        if any(name not in schema for name in inputs):
            return False
        for name, limits in schema.items():
            value = inputs.get(name, MISSING)
            if value is MISSING:
                if limits.get("required"):
                    return False
            elif not is_type(value, limits["type"]) or ("max_length" in limits and len(value) > limits["max_length"]) or (
                    "min" in limits and value < limits["min"]):
                return False
        return True

    def _capable(self, subject, tool):
        for principal in self.principals:
            if subject_matches(principal["subject"], subject):
                for capability in principal["capabilities"]:
                    if capability["class"] == tool["class"] and ("*" in capability["actions"] or tool["action"] in capability["actions"]):
                        return True
        return False

    def _contract_broken(self, tool_name, inputs):
        broken = [entry["id"] for entry in self.contract if tool_name in entry["tools"]
                  and not all(holds(inputs.get(need["argument"], MISSING), need["op"], need["value"]) for need in entry["require"])]
        self.fired.update(broken)
        return bool(broken)

    @staticmethod
    def _rule_matches(rule, subject, tool, inputs):
        match, unsure = rule["match"], rule["decision"] == "deny"
        if "toolClass" in match and tool["class"] not in as_list(match["toolClass"]):
            return False
        if "action" in match and tool["action"] not in as_list(match["action"]):
            return False
        if "tool" in match and tool["name"] not in as_list(match["tool"]):
            return False
        if "principalId" in match and not subject_matches(match["principalId"], subject):
            return False
        return all(parameter_matches(inputs.get(name, MISSING), tests, unsure) for name, tests in match.get("parameters", {}).items())


def holds(value, op, wanted):
    """A predicate of the contract. A missing or wrongly typed argument fails it."""
    if op in ("==", "!=", "in", "not_in"):
        options = as_list(wanted)
        if not any(type(value) is type(option) for option in options):
            return False
        return (value in options) == (op in ("==", "in"))
    if op in ("<=", "<", ">=", ">"):
        if not is_type(value, "integer"):
            return False
        return {"<=": value <= wanted, "<": value < wanted, ">=": value >= wanted, ">": value > wanted}[op]
    if not isinstance(value, str):
        return False
    if op == "matches":
        return re.search(wanted, value) is not None
    if op == "within":
        return is_within(value, as_list(wanted))
    if op == "host_in":
        return host_of(value) in as_list(wanted)
    raise ValueError("unknown operator %s" % op)


def parameter_matches(value, tests, unsure):
    """All tests of a rule on one argument. `unsure` is the answer for an argument that is missing or of another type."""
    for test, wanted in tests.items():
        if test in ("in", "notIn"):
            if not any(type(value) is type(option) for option in wanted):
                return unsure
            if (value in wanted) != (test == "in"):
                return False
        elif test in ("min", "max"):
            if not is_type(value, "integer"):
                return unsure
            if (value < wanted) if test == "min" else (value > wanted):
                return False
        elif not isinstance(value, str) or (test == "host" and host_of(value) is None) or (test == "within" and not value.startswith("/")):
            return unsure
        elif not {"pattern": lambda: re.search(wanted, value) is not None, "host": lambda: host_of(value) in wanted,
                  "within": lambda: is_within(value, wanted)}[test]():
            return False
    return True


def shape_findings(document, known=None):
    """What in a bundle is outside the subset that is read here (`known`: keys of each part): a list of sentences."""
    found, known = [], known or KEYS

    def keys(kind, value, where):
        found.extend("%s: key %s is not of the subset" % (where, key) for key in value if key not in known[kind])

    keys("bundle", document, "bundle")
    names = {}
    for tool in document["tools"]:
        keys("tool", tool, tool["name"])
        names[tool["name"]] = tool["inputs"]
        for name, limits in tool["inputs"].items():
            keys("input", limits, "%s.%s" % (tool["name"], name))
            if limits["type"] not in TYPES:
                found.append("%s.%s: type %s" % (tool["name"], name, limits["type"]))
    for principal in document["principals"]:
        keys("principal", principal, principal["subject"])
        for capability in principal["capabilities"]:
            keys("capability", capability, principal["subject"])
    for entry in document["contract"]:
        keys("contract", entry, entry["id"])
        for need in entry["require"]:
            keys("predicate", need, entry["id"])
            found.extend("%s: %s has no argument %s" % (entry["id"], tool, need["argument"]) for tool in entry["tools"]
                         if need["argument"] not in names.get(tool, {}))
    ids = [entry["id"] for entry in document["contract"] + document["rules"]]
    found.extend("id %s is used twice" % name for name in sorted(set(ids)) if ids.count(name) > 1)
    for rule in document["rules"]:
        keys("rule", rule, rule["id"])
        keys("match", rule["match"], rule["id"])
        for name, tests in rule["match"].get("parameters", {}).items():
            keys("parameter", tests, "%s.%s" % (rule["id"], name))
    return found
