//! Administrative commands on the wire.

use assent_kernel::command::{CommandBody, NewCredential, NewTenant, OfferedSource, RequestId, Role, RunRequest};
use assent_kernel::limits::BUNDLE_BYTES_MAX;
use assent_ledger::json::{self, Value};
use assent_ledger::limits::LEAF_BYTES_MAX;
use assent_ledger::seal::{BodyError, KeyEndorsed, KeyRetired, LedgerCreated};
use assent_proto::v1;

use super::{bytes, hash, name, name_opt, request_id, subject, subject_opt, tenant, wrong};
use crate::outcome::ApiError;
use crate::random;

/// A request's id and what it asks for.
pub type Asked = Result<(RequestId, CommandBody), ApiError>;

/// A request that asks for a command.
pub trait Ask {
    /// Checks the fields and makes the command.
    fn ask(self) -> Asked;
}

impl Ask for v1::CreateTenantRequest {
    fn ask(self) -> Asked {
        let new = tenant("tenant", &self.tenant)?;
        if new.is_system() {
            return Err(wrong("tenant", "is the ledger's own", "another name than -"));
        }
        // The keys are drawn here, on the leader; they never enter an entry.
        let new = NewTenant { tenant: new, tenant_key: random::bytes(), blind: random::bytes() };
        Ok((request_id(&self.request_id)?, CommandBody::CreateTenant(Box::new(new))))
    }
}

impl Ask for v1::RegisterPrincipalRequest {
    fn ask(self) -> Asked {
        let body = CommandBody::RegisterPrincipal {
            tenant: tenant("tenant", &self.tenant)?,
            subject: subject("subject", self.subject)?,
            owner: subject_opt("owner", self.owner)?,
        };
        Ok((request_id(&self.request_id)?, body))
    }
}

impl Ask for v1::DisablePrincipalRequest {
    fn ask(self) -> Asked {
        let body = CommandBody::DisablePrincipal {
            tenant: tenant("tenant", &self.tenant)?,
            subject: subject("subject", self.subject)?,
        };
        Ok((request_id(&self.request_id)?, body))
    }
}

impl Ask for v1::RegisterCredentialRequest {
    fn ask(self) -> Asked {
        let new = NewCredential {
            tenant: tenant("tenant", &self.tenant)?,
            name: name("name", self.name)?,
            token_hash: hash("token_hash", &self.token_hash)?,
            role: role(&self.role)?,
            subject: subject_opt("subject", self.subject)?,
        };
        Ok((request_id(&self.request_id)?, CommandBody::RegisterCredential(Box::new(new))))
    }
}

fn role(text: &str) -> Result<Role, ApiError> {
    let right = "agent, tenant-admin, approver, auditor, reporter or operator";
    let wrong = || wrong("role", format_args!("is {}", super::shown(text)), right);
    // The nodes' own commands never come over this wire.
    Role::from_name(text).filter(|role| *role != Role::Node).ok_or_else(wrong)
}

impl Ask for v1::RevokeCredentialRequest {
    fn ask(self) -> Asked {
        let body =
            CommandBody::RevokeCredential { tenant: tenant("tenant", &self.tenant)?, name: name("name", self.name)? };
        Ok((request_id(&self.request_id)?, body))
    }
}

impl Ask for v1::OfferBundleRequest {
    fn ask(self) -> Asked {
        let offered = OfferedSource {
            tenant: tenant("tenant", &self.tenant)?,
            source: bytes("source", &self.source, BUNDLE_BYTES_MAX)?,
        };
        Ok((request_id(&self.request_id)?, CommandBody::OfferBundle(offered)))
    }
}

impl Ask for v1::ActivateBundleRequest {
    fn ask(self) -> Asked {
        let body = CommandBody::ActivateBundle {
            tenant: tenant("tenant", &self.tenant)?,
            environment: environment(&self.tenant, self.environment)?,
            bundle_hash: hash("bundle_hash", &self.bundle_hash)?,
        };
        Ok((request_id(&self.request_id)?, body))
    }
}

/// An environment; an operator's baseline may also be for all of them.
fn environment(tenant: &str, text: String) -> Result<String, ApiError> {
    if tenant == "-" && text == "*" { Ok(text) } else { name("environment", text) }
}

impl Ask for v1::OpenRunRequest {
    fn ask(self) -> Asked {
        Ok((request_id(&self.request_id)?, CommandBody::OpenRun(run(self.run_id, self.subject, self.parent_run_id)?)))
    }
}

impl Ask for v1::CloseRunRequest {
    fn ask(self) -> Asked {
        Ok((request_id(&self.request_id)?, CommandBody::CloseRun(run(self.run_id, self.subject, String::new())?)))
    }
}

fn run(run_id: String, subject: String, parent: String) -> Result<RunRequest, ApiError> {
    let (run_id, subject) = (name("run_id", run_id)?, subject_opt("subject", subject)?);
    Ok(RunRequest { run_id, subject, parent_run_id: name_opt("parent_run_id", parent)? })
}

impl Ask for v1::EndorseKeyRequest {
    fn ask(self) -> Asked {
        let body = endorsement("endorsement", &self.endorsement)?;
        Ok((request_id(&self.request_id)?, CommandBody::EndorseKey(Box::new(body))))
    }
}

impl Ask for v1::RetireKeyRequest {
    fn ask(self) -> Asked {
        let body = body_of("retirement", &self.retirement, KeyRetired::from_value)?;
        Ok((request_id(&self.request_id)?, CommandBody::RetireKey(Box::new(body))))
    }
}

/// The body of an endorsement, from its canonical JSON.
pub(super) fn endorsement(field: &str, bytes: &[u8]) -> Result<KeyEndorsed, ApiError> {
    body_of(field, bytes, KeyEndorsed::from_value)
}

/// The creation of a ledger.
pub(super) fn created(field: &str, bytes: &[u8]) -> Result<LedgerCreated, ApiError> {
    body_of(field, bytes, LedgerCreated::from_value)
}

fn body_of<T>(
    field: &str,
    bytes: &[u8],
    from_value: impl FnOnce(&Value) -> Result<T, BodyError>,
) -> Result<T, ApiError> {
    let right = "the canonical JSON that the root key's ceremony wrote (docs/formats/keys-and-endorsements.md)";
    if bytes.is_empty() || bytes.len() > LEAF_BYTES_MAX {
        return Err(wrong(field, format_args!("has {} bytes", bytes.len()), right));
    }
    let value = json::parse(bytes).map_err(|e| wrong(field, format_args!("does not parse ({e})"), right))?;
    from_value(&value).map_err(|e| wrong(field, format_args!("is not accepted ({e})"), right))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018bcfe5-6800-7909-8909-090909090909";

    fn expect(field: &str, asked: Asked) {
        let error = asked.unwrap_err();
        assert_eq!(error.code, "MALFORMED", "{field}");
        assert!(error.message.starts_with(&format!("{field} ")), "{field}: {}", error.message);
        assert!(error.message.contains("; it must be "), "{field}: {}", error.message);
    }

    fn credential() -> v1::RegisterCredentialRequest {
        v1::RegisterCredentialRequest {
            request_id: ID.to_owned(),
            tenant: "acme".to_owned(),
            name: "mailer".to_owned(),
            token_hash: vec![1; 32].into(),
            role: "agent".to_owned(),
            subject: String::new(),
        }
    }

    #[test]
    fn every_malformed_field_is_named() {
        let id = || ID.to_owned();
        let (acme, sub) = (|| "acme".to_owned(), || "spiffe://a/b".to_owned());
        let create =
            |request_id: String, tenant: &str| v1::CreateTenantRequest { request_id, tenant: tenant.to_owned() };
        expect("request_id", create("x".to_owned(), "acme").ask());
        expect("tenant", create(id(), "-").ask());
        expect("tenant", create(id(), "Big").ask());
        let principal = |subject: &str, owner: &str| v1::RegisterPrincipalRequest {
            request_id: id(),
            tenant: acme(),
            subject: subject.to_owned(),
            owner: owner.to_owned(),
        };
        expect("subject", principal("", "").ask());
        expect("owner", principal("s", "a b").ask());
        expect(
            "subject",
            v1::DisablePrincipalRequest { request_id: id(), tenant: acme(), subject: String::new() }.ask(),
        );
        expect("name", v1::RegisterCredentialRequest { name: "a b".to_owned(), ..credential() }.ask());
        expect("token_hash", v1::RegisterCredentialRequest { token_hash: vec![1; 33].into(), ..credential() }.ask());
        expect("role", v1::RegisterCredentialRequest { role: "root".to_owned(), ..credential() }.ask());
        expect("role", v1::RegisterCredentialRequest { role: "node".to_owned(), ..credential() }.ask());
        expect("name", v1::RevokeCredentialRequest { request_id: id(), tenant: acme(), name: String::new() }.ask());
        let offer =
            |source: Vec<u8>| v1::OfferBundleRequest { request_id: id(), tenant: acme(), source: source.into() };
        expect("source", offer(Vec::new()).ask());
        expect("source", offer(vec![b' '; BUNDLE_BYTES_MAX + 1]).ask());
        let activate = |environment: &str, hash: usize| v1::ActivateBundleRequest {
            request_id: id(),
            tenant: acme(),
            environment: environment.to_owned(),
            bundle_hash: vec![0; hash].into(),
        };
        expect("environment", activate("", 32).ask());
        expect("bundle_hash", activate("prod", 0).ask());
        let open = |run_id: &str, subject: String| v1::OpenRunRequest {
            request_id: id(),
            run_id: run_id.to_owned(),
            subject,
            parent_run_id: String::new(),
        };
        expect("run_id", open("", sub()).ask());
        expect(
            "subject",
            v1::CloseRunRequest { request_id: id(), run_id: "r".to_owned(), subject: "\u{7f}".to_owned() }.ask(),
        );
        for bad in ["", "{}", "[1", "{\"a\":null}"] {
            let bad: Vec<u8> = bad.into();
            expect("endorsement", v1::EndorseKeyRequest { request_id: id(), endorsement: bad.clone().into() }.ask());
            expect("retirement", v1::RetireKeyRequest { request_id: id(), retirement: bad.into() }.ask());
        }
    }

    #[test]
    fn every_role_but_the_nodes_can_be_given() {
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Node) {
            let request = v1::RegisterCredentialRequest { role: role.name().to_owned(), ..credential() };
            let (_, CommandBody::RegisterCredential(new)) = request.ask().unwrap() else { panic!("another command") };
            assert_eq!(new.role, role);
        }
    }

    #[test]
    fn a_tenants_keys_are_drawn_here() {
        let drawn = || {
            let request = v1::CreateTenantRequest { request_id: ID.to_owned(), tenant: "acme".to_owned() };
            let (_, CommandBody::CreateTenant(new)) = request.ask().unwrap() else { panic!("another command") };
            (new.tenant_key, new.blind)
        };
        assert_ne!(drawn(), drawn());
    }
}
