"""Borealis: fraud and compliance."""
import pools

from .kit import allow, deny, scenario


@scenario("borealis.fraud.review", "borealis/risk", ("fraud-analyst",), 14)
def review(d):
    """Scores a payment, opens a case, freezes under the case, closes it."""
    payment, case, account = "P-%s" % d.digits(12), "CASE-%s" % d.digits(6), d.iban(("FI", "SE"))
    yield allow("fraud.score_transaction", payment_id=payment, amount_minor=d.between(1000, 900000), channel=d.pick(("mobile", "web", "card")), device_fingerprint=d.hex(32))
    yield allow("accounts.list_transactions", account_id=account, from_date="2026-11-01", to_date="2026-11-20", limit=300, purpose="pattern around the scored payment")
    yield allow("kyc.lookup", party_id="PTY-%s" % d.digits(8), fields="name,residence,occupation,risk_class", purpose="does the payment fit the customer")
    yield allow("fraud.open_case", payment_id=payment, severity=d.between(1, 4), summary=d.sentences(pools.BANKING, d.length((2, 5), (30, 60), 4)))
    if d.chance(40):
        yield allow("accounts.freeze", account_id=account, case_id=case, reason=d.sentences(pools.BANKING, 1), notify_customer=False)
    yield allow("fraud.close_case", case_id=case, outcome=d.pick(("confirmed_fraud", "false_alarm", "handed_over")), rationale=d.sentences(pools.BANKING, d.between(1, 3)))


@scenario("borealis.fraud.overreach", "borealis/risk", ("fraud-analyst",), 4)
def overreach(d):
    """Freezing without a case, writing money off, looking where fraud must not look."""
    account = d.iban(("FI",))
    yield allow("fraud.score_transaction", payment_id="P-%s" % d.digits(12), amount_minor=d.between(1000, 900000), channel="web", device_fingerprint=d.hex(32))
    yield deny("NO_MATCHING_RULE", "accounts.freeze", account_id=account, case_id="none yet", reason=d.sentences(pools.BANKING, 1), notify_customer=False)
    yield deny("CONTRACT_VIOLATED", "fraud.close_case", case_id="CASE-%s" % d.digits(6), outcome=d.pick(("written_off", "allow_listed")), rationale=d.sentences(pools.BANKING, 2))
    yield deny("CAPABILITY_MISSING", "kyc.request_document", party_id="PTY-%s" % d.digits(8), document_type="passport", due_days=14, message=d.sentences(pools.BANKING, 1))
    yield allow("accounts.freeze", account_id=account, case_id="CASE-%s" % d.digits(6), reason=d.sentences(pools.BANKING, 1), notify_customer=True)
    yield allow("db.query", database="reporting", sql="SELECT payment_id, score FROM fraud_scores WHERE account = '%s' ORDER BY scored_at DESC" % account, row_limit=50, purpose="scores of this account in the last weeks")


@scenario("borealis.fraud.missing-arguments", "borealis/risk", ("fraud-analyst",), 3)
def missing_arguments(d):
    """Calls with holes, a flag as text, a tool under its old name."""
    payment = "P-%s" % d.digits(12)
    yield deny("ARGUMENTS_INVALID", "fraud.open_case", payment_id=payment, summary=d.sentences(pools.BANKING, 2))
    yield deny("ARGUMENTS_INVALID", "accounts.freeze", account_id=d.iban(), case_id="CASE-%s" % d.digits(6), reason=d.sentences(pools.BANKING, 1), notify_customer="false")
    yield deny("UNKNOWN_TOOL", "fraud.score", payment_id=payment, amount_minor=d.between(1000, 90000), channel="mobile", device_fingerprint=d.hex(32))
    yield allow("fraud.score_transaction", payment_id=payment, amount_minor=d.between(1000, 90000), channel="mobile", device_fingerprint=d.hex(32))
    yield allow("fraud.open_case", payment_id=payment, severity=2, summary=d.sentences(pools.BANKING, d.between(2, 4)))
    yield allow("policy.search", query="severity of first-party fraud", collection="fraud-manual", top_k=3, purpose="which severity is right for this case")


@scenario("borealis.compliance.onboarding", "borealis/risk", ("compliance-screener", "compliance-onboarding"), 14)
def onboarding(d):
    """Screens a new customer and asks for what is missing."""
    name, party = d.person()[0], "PTY-%s" % d.digits(8)
    yield allow("kyc.lookup", party_id=party, fields="name,birth_year,nationality,documents", purpose="onboarding of a private customer")
    yield allow("http.get", url="https://lists.sanctions.example/consolidated/%s.json" % d.date(), accept="application/json", purpose="list in force on the day of the check")
    yield allow("kyc.screen_name", full_name=name, birth_year=d.between(1940, 2007), country=d.pick(("FI", "SE", "DE", "EE")), lists="eu,un,ofac", purpose="screening before the account opens")
    yield allow("kyc.request_document", party_id=party, document_type=d.pick(("passport", "proof_of_address", "source_of_funds")), due_days=d.between(7, 30),
                message="Dear %s, %s" % (name, d.sentences(pools.BANKING, d.between(1, 2))))
    yield allow("file.write", path="/srv/compliance/onboarding/%s.md" % party.lower(), encoding="utf-8", content=d.sentences(pools.BANKING, d.length((2, 5), (40, 80), 4)))


@scenario("borealis.compliance.shortcuts", "borealis/risk", ("compliance-screener",), 4)
def shortcuts(d):
    """An unfair term, an odd document, a plain link, a list from the wrong place."""
    party, text = "PTY-%s" % d.digits(8), d.sentences(pools.BANKING, 1)
    yield allow("kyc.lookup", party_id=party, fields="name,birth_year,nationality", purpose="periodic review of a high-risk customer")
    yield deny("CONTRACT_VIOLATED", "kyc.request_document", party_id=party, document_type="source_of_funds", due_days=d.pick((1, 2)), message=text)
    yield deny("NO_MATCHING_RULE", "kyc.request_document", party_id=party, document_type="social_media_password", due_days=14, message=text)
    yield deny("CONTRACT_VIOLATED", "http.get", url="http://lists.sanctions.example/consolidated/%s.json" % d.date(), accept="application/json", purpose="link without encryption")
    yield deny("NO_MATCHING_RULE", "http.get", url="https://api.github.com/repos/open-sanctions/lists/contents/%s.json" % d.date(), accept="application/json",
               purpose="the contract knows this host, no rule allows it")
    yield allow("kyc.request_document", party_id=party, document_type="source_of_funds", due_days=21, message=text)
    yield allow("policy.search", query="enhanced due diligence terms", collection="compliance-manual", top_k=4, purpose="how long a customer has to answer")


@scenario("borealis.compliance.freeze", "borealis/risk", ("compliance-onboarding",), 3)
def freeze(d):
    """Has the capability to freeze, but the rule is for fraud only; reads a file it must not."""
    yield allow("kyc.screen_name", full_name=d.person()[0], birth_year=d.between(1940, 2007), country="SE", lists="eu,un", purpose="alert on an incoming payment")
    yield deny("NO_MATCHING_RULE", "accounts.freeze", account_id=d.iban(("SE",)), case_id="CASE-%s" % d.digits(6), reason=d.sentences(pools.BANKING, 1), notify_customer=False)
    yield deny("RULE_DENIED", "file.read", path="/srv/compliance/../../proc/self/environ", encoding="utf-8", purpose="settings of the list updater")
    yield deny("NO_MATCHING_RULE", "file.read", path="/srv/compliance-legal/memo-%s.md" % d.date(), encoding="utf-8", purpose="memo quoted in the manual")
    yield allow("file.read", path="/srv/compliance/alerts/%s.json" % d.date(), encoding="utf-8", purpose="alerts of the day, to find the case")
    yield allow("mail.send", to="fraud-desk@borealis.example", subject="Possible match, please freeze", body=d.sentences(pools.BANKING, d.between(2, 4)), recipient_count=2)


@scenario("borealis.risk.unknown-agent", "borealis/risk", ("compliance-trainee", "fraud-analyst-copy"), 3)
def unknown_agent(d):
    """Agents that were started without being registered."""
    yield deny("PRINCIPAL_UNKNOWN", "kyc.lookup", party_id="PTY-%s" % d.digits(8), fields="name,income,documents", purpose="practice on real customers")
    yield deny("PRINCIPAL_UNKNOWN", "accounts.get_balance", account_id=d.iban(), as_of="today", purpose="curiosity; the date is also malformed in spirit")
    yield deny("PRINCIPAL_UNKNOWN", "payments.wire", debtor_iban=d.iban(), amount_minor="all of it", remittance="identity is asked before arguments are read")
