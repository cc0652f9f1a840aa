//! `.signatures.json`: a JSON Web Signature over the digests of all other members, EdDSA only.

use assent_ledger::hash::sha256;
use assent_ledger::keys::PublicKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{BundleError, BundleErrorKind, Members, read, refuse};
use crate::value::{self, Object, Value};

const FILE: &str = ".signatures.json";

/// Whether the archive is signed by `key`. Signed without a key, and unsigned with one, are both refused.
pub(super) fn check(members: &Members, key: Option<&[u8; 32]>) -> Result<bool, BundleError> {
    let (signatures, key) = match (members.get(FILE), key) {
        (None, None) => return Ok(false),
        (None, Some(_)) => {
            return Err(wrong("the archive has no .signatures.json, but a key to verify it with is given"));
        }
        (Some(_), None) => {
            let hint = Some("remove .signatures.json, or give the Ed25519 key that verifies it");
            return Err(refuse(BundleErrorKind::Unavailable, "the archive is signed and no key is given", hint));
        }
        (Some(signatures), Some(key)) => (signatures, key),
    };
    let key = PublicKey::from_bytes(key).map_err(|_| wrong("the key that is given is no Ed25519 key"))?;
    let claims = claims(signatures, &key)?;
    compare(members, &claims)?;
    Ok(true)
}

fn wrong(message: &str) -> BundleError {
    refuse(BundleErrorKind::InvalidValue, message, Some("sign the bundle again as a whole, with EdDSA"))
}

/// The verified claims of the only signature.
fn claims(signatures: &[u8], key: &PublicKey) -> Result<Object, BundleError> {
    let object = value::parse_object(signatures).map_err(|_| wrong(".signatures.json is no JSON object"))?;
    let Some(Value::Array(tokens)) = object.get("signatures") else {
        return Err(wrong(".signatures.json has no list of signatures"));
    };
    let [Value::String(token)] = tokens.as_slice() else {
        return Err(wrong(".signatures.json must hold exactly one signature"));
    };
    let Some((signed, signature)) = token.rsplit_once('.') else { return Err(wrong("the signature is no JWS")) };
    let Some((header, payload)) = signed.split_once('.') else { return Err(wrong("the signature is no JWS")) };
    let header = decode(header)?;
    match header.get("alg").and_then(Value::as_str) {
        Some("EdDSA") => {}
        Some("HS256" | "HS384" | "HS512") => {
            return Err(wrong("a signature with a shared secret could have been made by whoever can check it"));
        }
        _ => return Err(wrong("the signature is not made with EdDSA")),
    }
    let bytes = URL_SAFE_NO_PAD.decode(signature).ok();
    let bytes: Option<[u8; 64]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let verified = bytes.is_some_and(|bytes| key.verify(signed.as_bytes(), &bytes).is_ok());
    if !verified {
        return Err(wrong("the signature does not verify under the key that is given"));
    }
    decode(payload)
}

fn decode(part: &str) -> Result<Object, BundleError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok();
    let object = bytes.and_then(|bytes| value::parse_object(&bytes).ok());
    object.ok_or_else(|| wrong("a part of the signature is not JSON in base64url"))
}

/// Every member is listed with its digest, and nothing else is.
fn compare(members: &Members, claims: &Object) -> Result<(), BundleError> {
    let Some(Value::Array(files)) = claims.get("files") else { return Err(wrong("the signature lists no files")) };
    let mut listed: Vec<&str> = Vec::new();
    for file in files {
        let Value::Object(file) = file else { return Err(wrong("the signature lists something that is no file")) };
        let text = |key: &str| file.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = text("name").trim_start_matches('/');
        let Some(content) = members.get(name) else {
            return Err(wrong(&format!("the signature lists {name}, which is not in the archive")));
        };
        if !matches!(text("algorithm"), "SHA-256" | "") {
            return Err(wrong(&format!("the digest of {name} is not made with SHA-256")));
        }
        if digest(name, content).as_deref() != Some(&*text("hash").to_ascii_lowercase()) {
            return Err(wrong(&format!("{name} is not the file that was signed")));
        }
        listed.push(name);
    }
    match members.keys().find(|name| *name != FILE && !listed.contains(&name.as_str())) {
        Some(name) => Err(wrong(&format!("{name} is not covered by the signature"))),
        None => Ok(()),
    }
}

/// OPA digests structured files over their value, written without white space and with sorted names, and others as they are.
fn digest(name: &str, content: &[u8]) -> Option<String> {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    let structured = matches!(file, "data.json" | "data.yaml" | "data.yml" | ".manifest");
    let hash = if structured {
        match read::data_file(file, content).ok()? {
            Value::Object(object) => sha256(&[&object.to_json()]),
            _ => return None,
        }
    } else {
        sha256(&[content])
    };
    Some(hash.to_string())
}
