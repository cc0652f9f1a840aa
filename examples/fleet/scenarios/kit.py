"""The few words that scenarios are written in.

A scenario is one run of one agent: a function that takes a `Draw` and yields the calls of the run in order. Each call states
what its author means to happen, `allow(…)` or `deny(code, …)`; nothing here looks at the bundles.
"""

ALLOWED = "ALLOWED_RULES_PASSED"
CODES = (ALLOWED, "NO_MATCHING_RULE", "RULE_DENIED", "CONTRACT_VIOLATED", "CAPABILITY_MISSING", "UNKNOWN_TOOL", "ARGUMENTS_INVALID",
         "PRINCIPAL_UNKNOWN")
REGISTRY = []


class Scenario:
    """Who runs it, how often, and what it does. `pace_ms`: longest pause between two calls."""

    def __init__(self, name, tenant, credential, agents, weight, pace_ms, steps):
        self.name, self.tenant, self.credential, self.agents = name, tenant, credential, agents
        self.weight, self.pace_ms, self.steps = weight, pace_ms, steps


def scenario(name, credential, agents, weight, pace_ms=3000, domain=None):
    """Registers the decorated generator. `credential` is tenant/name; `agents` are the last part of the subjects that may run it;
    `domain` is the trust domain in the subject where it is not the tenant's own."""
    tenant = credential.split("/")[0]
    subjects = ["spiffe://%s/agent/%s" % (domain or tenant, agent) for agent in agents]

    def register(steps):
        REGISTRY.append(Scenario(name, tenant, credential, subjects, weight, pace_ms, steps))
        return steps

    return register


def allow(tool, **inputs):
    """A call that the author expects to be allowed."""
    return {"tool": tool, "inputs": inputs, "expect": "allow", "expect_code": ALLOWED}


def deny(code, tool, **inputs):
    """A call that the author expects to be refused for that reason."""
    if code not in CODES or code == ALLOWED:
        raise ValueError("%s is not a code of a refusal" % code)
    return {"tool": tool, "inputs": inputs, "expect": "deny", "expect_code": code}
