//! The report for machines: canonical JSON in one line. 64-bit numbers are decimal strings, as everywhere in Assent.
//!
//! Keys: `@v`, `verdict`, `exit_code`, `headline`, `coverage` {`origin`, `size`, `spans`, `first_time`, `seal_time`, `tenant`,
//! `tenant_proven`, `tenants` [{`id`, `entries`}], `log_keys` and `cosigners` [{`name`, `spans`}], `references`, `payloads`
//! {`ciphertexts`, `opened`, `absent_objects`}, `anchors`, `receipts` {`given`, `confirmed`}, `as_of`, `not_checked`} and
//! `findings` [{`kind`, `verdict`, `seq`, `before`, `path`, `tenant`, `detail`, `next`}]; what does not apply is left out.

use std::collections::BTreeMap;

use assent_ledger::json::Value;

use crate::finding::{Finding, Verdict};
use crate::report::{Coverage, Report};

impl Report {
    /// The report as canonical JSON, without a newline.
    pub fn to_json(&self) -> String {
        let value = Value::map([
            ("@v", Value::str("assent/verification/1")),
            ("coverage", coverage(&self.coverage)),
            ("exit_code", Value::Int(u64::from(self.verdict.exit_code()))),
            ("findings", Value::List(self.findings.iter().map(finding).collect())),
            ("headline", Value::str(self.headline())),
            ("verdict", Value::str(self.verdict.name())),
        ]);
        // The keys above are narrow and the nesting is shallow: writing cannot fail.
        String::from_utf8(value.to_bytes().unwrap_or_default()).unwrap_or_default()
    }
}

fn coverage(c: &Coverage) -> Value {
    let named = |map: &BTreeMap<String, u64>| {
        let one = |(name, spans): (&String, &u64)| {
            Value::map([("name", Value::str(name.as_str())), ("spans", Value::decimal(*spans))])
        };
        Value::List(map.iter().map(one).collect())
    };
    let tenant = |(id, count): (&assent_ledger::hash::Hash, &u64)| {
        Value::map([("id", Value::from(*id)), ("entries", Value::decimal(*count))])
    };
    let payloads = Value::map([
        ("ciphertexts", Value::decimal(c.payloads.ciphertexts)),
        ("opened", Value::decimal(c.payloads.opened)),
        ("absent_objects", Value::decimal(c.payloads.absent_objects)),
    ]);
    let receipts = [("given", c.receipts.given), ("confirmed", c.receipts.confirmed)];
    let mut value = Value::map([
        ("size", Value::decimal(c.size)),
        ("spans", Value::decimal(c.spans)),
        ("tenants", Value::List(c.tenants.iter().map(tenant).collect())),
        ("log_keys", named(&c.log_keys)),
        ("cosigners", named(&c.cosigners)),
        ("references", Value::decimal(c.references)),
        ("payloads", payloads),
        ("receipts", Value::map(receipts.map(|(k, n)| (k, Value::decimal(n))))),
        ("anchors", Value::List(c.anchors.iter().map(|s| Value::decimal(*s)).collect())),
        ("not_checked", Value::List(c.not_checked.iter().map(|n| Value::str(n.as_str())).collect())),
    ]);
    if let Some(origin) = &c.origin {
        value = value.with("origin", origin.as_str());
    }
    if c.spans > 0 {
        value = value.with("first_time", c.first_time.to_string()).with("seal_time", c.seal_time.to_string());
    }
    if let Some(tenant) = c.tenant {
        value = value.with("tenant", tenant).with("tenant_proven", Value::decimal(c.tenant_proven));
    }
    match c.as_of {
        Some(time) => value.with("as_of", time.to_string()),
        None => value,
    }
}

fn finding(f: &Finding) -> Value {
    let verdict = f.kind.verdict();
    let mut value = Value::map([
        ("kind", Value::str(f.kind.name())),
        ("verdict", Value::str(if verdict == Verdict::Valid { "NOTICE" } else { verdict.name() })),
        ("seq", Value::decimal(f.seq)),
        ("detail", Value::str(f.detail.as_str())),
        ("next", Value::str(f.kind.next_step())),
    ]);
    if let Some(before) = f.before {
        value = value.with("before", Value::decimal(before));
    }
    if let Some(path) = &f.path {
        value = value.with("path", path.as_str());
    }
    if let Some(tenant) = f.tenant {
        value = value.with("tenant", tenant);
    }
    value
}
