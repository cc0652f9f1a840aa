package assent

import data.assent.helpers

default decision := {"decision": "deny", "reasons": ["no rule of the mail policy allows this"]}

decision := {"decision": "allow", "obligations": [{"type": "audit_log", "params": {"level": "full"}}]} if {
	input.tool.name == "send_email"
	count(input.args.to) <= data.limits.recipients
	every address in input.args.to {
		helpers.internal(address)
	}
	not tainted
}

decision := {"decision": "escalate", "reasons": [sprintf("%d addresses outside", [count(outside)])]} if {
	input.tool.name == "send_email"
	count(outside) > 0
	count(outside) < 3
	not tainted
}

decision := {"decision": "compute", "compute": {"set": {"to": kept}, "remove": ["bcc"]}} if {
	input.tool.name == "send_email"
	count(outside) >= 3
	kept := [address | some address in input.args.to; helpers.internal(address)]
	not tainted
}

outside contains address if {
	some address in input.args.to
	not helpers.internal(address)
}

tainted if "web" in input.taint
