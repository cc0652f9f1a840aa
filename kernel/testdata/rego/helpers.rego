package assent.helpers

internal(address) if {
	some domain in data.limits.domains
	endswith(address, concat("", ["@", domain]))
}
