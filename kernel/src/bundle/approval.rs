//! `approval` of an escalating rule: who has to agree, and for how long one may wait for them.

use std::sync::Arc;

use super::error::{BundleErrorKind, Diagnostics};
use super::fields::{Fields, count, names};
use super::limits::{APPROVAL_ITEMS_MAX, APPROVAL_SECONDS_MAX, APPROVERS_MAX};
use super::outcome::ApprovalNeed;
use super::source::Node;

impl ApprovalNeed {
    /// Reads the mapping under `approval`.
    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<ApprovalNeed> {
        const KNOWN: [&str; 7] =
            ["role", "roles", "required", "expires_seconds", "expiresSeconds", "fields", "modifiable"];
        let fields = Fields::open(node, "approval", &KNOWN, &[], d)?;
        let sorted = |node: &Node, what: &str, d: &mut Diagnostics| {
            let mut list: Vec<Arc<str>> =
                names(node, what, APPROVAL_ITEMS_MAX, d).into_iter().map(|(_, name)| name).collect();
            list.sort();
            list.dedup();
            list
        };
        let roles = fields.any(&["role", "roles"], d).map(|node| sorted(node, "role", d)).unwrap_or_default();
        let open = fields.any(&["fields", "modifiable"], d).map(|node| sorted(node, "fields", d)).unwrap_or_default();
        let required = fields.get("required").map(|node| positive(node, "required", APPROVERS_MAX, d));
        let expires = fields.any(&["expires_seconds", "expiresSeconds"], d);
        let expires = expires.map(|node| positive(node, "expires_seconds", APPROVAL_SECONDS_MAX, d));
        let least = u32::try_from(roles.len()).unwrap_or(u32::MAX).max(1);
        let required = match required {
            Some(required) => required?,
            None => least,
        };
        if required < least {
            let message = format!("{required} people cannot hold {least} roles");
            d.error_hint(node.at, BundleErrorKind::InvalidValue, message, "raise required, or name fewer roles");
        }
        let expires_seconds = match expires {
            Some(seconds) => seconds?,
            None => ApprovalNeed::EXPIRES_SECONDS_DEFAULT,
        };
        Some(ApprovalNeed { roles, required, expires_seconds, fields: open })
    }
}

/// A whole number from 1 to `max`.
fn positive(node: &Node, what: &str, max: u64, d: &mut Diagnostics) -> Option<u32> {
    let number = count(node, what, max, d)?;
    if number == 0 {
        d.error(node.at, BundleErrorKind::InvalidValue, format!("{what} must be a whole number from 1 to {max}"));
        return None;
    }
    u32::try_from(number).ok()
}
