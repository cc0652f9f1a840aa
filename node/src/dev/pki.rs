//! The development node's own certificate authority, its certificate and one for its client.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

/// PEM texts of a certificate and its key.
pub struct Pem {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// Authority, node and client.
pub struct DevPki {
    /// The authority's certificate; its key is thrown away.
    pub authority: String,
    /// For the node.
    pub node: Pem,
    /// For the client.
    pub client: Pem,
}

impl DevPki {
    /// Makes all three.
    pub fn create() -> Result<DevPki, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Assent development authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let node = issue(&issuer, "dev", "spiffe://assent/node/dev")?;
        let client = issue(&issuer, "operator", "spiffe://assent/client/operator")?;
        Ok(DevPki { authority: issuer.pem(), node, client })
    }
}

fn issue(issuer: &CertifiedIssuer<'_, KeyPair>, name: &str, spiffe: &str) -> Result<Pem, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names.push(SanType::URI(spiffe.try_into()?));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Pem { certificate: certificate.pem(), key: key.serialize_pem() })
}
