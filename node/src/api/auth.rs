//! Who calls: a bearer token names a registered credential. Only the token's hash is looked at, and nothing of it is logged.

use assent_kernel::command::Caller;
use assent_kernel::state::keys::CredentialRecord;
use assent_ledger::hash::{Hash, hex32, sha256};
use tonic::metadata::MetadataMap;

use crate::outcome::ApiError;

/// Metadata key of the bearer token.
pub const AUTHORIZATION_KEY: &str = "authorization";
const SCHEME: &str = "Bearer ";

/// The hash under which a token's credential is registered: SHA-256 of its 64 characters.
pub fn token_hash(token: &str) -> Hash {
    sha256(&[token.as_bytes()])
}

/// The hash of the bearer token that a call carries.
pub fn token_hash_of(metadata: &MetadataMap) -> Result<Hash, ApiError> {
    let mut values = metadata.get_all(AUTHORIZATION_KEY).iter();
    let Some(value) = values.next() else {
        return Err(ApiError::unauthenticated("no token; send the metadata `authorization: Bearer <token>`"));
    };
    if values.next().is_some() {
        return Err(ApiError::unauthenticated("more than one `authorization`; send exactly one"));
    }
    let token = value.to_str().ok().and_then(|text| text.strip_prefix(SCHEME)).filter(|token| hex32(token).is_some());
    // The token is secret, its shape is not: what is compared below is only the hash, by look-up.
    token.map(token_hash).ok_or_else(|| {
        ApiError::unauthenticated("`authorization` must be `Bearer `, then 64 lower-case hexadecimal characters")
    })
}

/// The caller that a credential stands for.
pub fn caller(credential: Option<&CredentialRecord>) -> Result<Caller, ApiError> {
    let Some(credential) = credential else {
        return Err(ApiError::unauthenticated("the token is not registered here; have an administrator register it"));
    };
    if credential.revoked {
        return Err(ApiError::unauthenticated("the credential was revoked; have an administrator register a new one"));
    }
    Ok(Caller {
        tenant: credential.tenant.clone(),
        subject: credential.subject.clone(),
        attested: credential.subject.is_some(),
        role: credential.role,
        credential: credential.name.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assent_kernel::command::Role;
    use assent_ledger::ids::TenantId;
    use tonic::Code;

    const TOKEN: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn metadata(values: &[&str]) -> MetadataMap {
        let mut map = MetadataMap::new();
        for value in values {
            map.append(AUTHORIZATION_KEY, value.parse().unwrap());
        }
        map
    }

    fn credential() -> CredentialRecord {
        CredentialRecord {
            tenant: TenantId::new("acme").unwrap(),
            name: "mailer".to_owned(),
            role: Role::Agent,
            subject: Some("spiffe://acme/mailer".to_owned()),
            revoked: false,
        }
    }

    #[test]
    fn a_token_is_looked_up_by_the_hash_of_its_text() {
        let hash = token_hash_of(&metadata(&[&format!("Bearer {TOKEN}")])).unwrap();
        assert_eq!(hash, sha256(&[TOKEN.as_bytes()]));
    }

    #[test]
    fn missing_doubled_and_malformed_tokens_are_not_authenticated_and_not_repeated() {
        let good = format!("Bearer {TOKEN}");
        for values in [
            vec![],
            vec![good.as_str(), good.as_str()],
            vec![TOKEN],
            vec!["Bearer "],
            vec!["Basic Zm9vOmJhcg=="],
            vec![&good[..good.len() - 1]],
            vec![&good.to_uppercase()],
            vec![&good.replace("Bearer ", "bearer ")],
            vec![&format!("{good} ")],
        ] {
            let error = token_hash_of(&metadata(&values)).unwrap_err();
            assert_eq!(error.code, "UNAUTHENTICATED", "{values:?}");
            assert!(!error.message.contains("0011"), "{error}");
            assert_eq!(tonic::Status::from(error).code(), Code::Unauthenticated);
        }
    }

    #[test]
    fn a_credential_with_a_subject_attests_it() {
        let mut record = credential();
        let attested = caller(Some(&record)).unwrap();
        assert!(attested.attested && attested.subject.is_some());
        assert_eq!((attested.credential.as_str(), attested.role), ("mailer", Role::Agent));
        record.subject = None;
        assert!(!caller(Some(&record)).unwrap().attested);
    }

    #[test]
    fn unknown_and_revoked_credentials_are_nobody() {
        assert!(caller(None).unwrap_err().message.contains("not registered"));
        let revoked = CredentialRecord { revoked: true, ..credential() };
        assert!(caller(Some(&revoked)).unwrap_err().message.contains("revoked"));
    }
}
