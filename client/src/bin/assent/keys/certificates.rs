//! Certificates for development: one authority, and leaves that are good for both ends of mutual TLS.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use zeroize::Zeroizing;

use crate::output::CliError;

/// How long certificates hold, in days.
const VALID_DAYS: u64 = 730;
/// How far back certificates begin, in seconds, for clocks that are a little late.
const SKEW_SECONDS: u64 = 300;

/// A certificate and its key, PEM.
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// The key.
    pub key: Zeroizing<String>,
}

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: Zeroizing<String>,
}

impl Authority {
    /// Makes a new authority: ECDSA P-256, may sign leaves and nothing below them.
    pub fn new(name: &str) -> Result<Self, CliError> {
        let key_pair = KeyPair::generate().map_err(failed)?;
        let key = Zeroizing::new(key_pair.serialize_pem());
        let mut params = params(name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        Ok(Authority { issuer: CertifiedIssuer::self_signed(params, key_pair).map_err(failed)?, key })
    }

    /// The authority's own certificate and key.
    pub fn pair(&self) -> Pair {
        Pair { cert: self.issuer.pem(), key: self.key.clone() }
    }

    /// Signs a new leaf for the given hosts and SPIFFE id.
    pub fn leaf(&self, name: &str, hosts: &[String], spiffe_id: &str) -> Result<Pair, CliError> {
        let key_pair = KeyPair::generate().map_err(failed)?;
        let mut params = params(name)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        for host in hosts {
            params.subject_alt_names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.as_str().try_into().map_err(failed)?),
            });
        }
        params.subject_alt_names.push(SanType::URI(spiffe_id.try_into().map_err(failed)?));
        let cert = params.signed_by(&key_pair, &*self.issuer).map_err(failed)?;
        Ok(Pair { cert: cert.pem(), key: Zeroizing::new(key_pair.serialize_pem()) })
    }
}

fn params(name: &str) -> Result<CertificateParams, CliError> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| CliError::Failed("the clock is before 1970; set it".to_owned()))?;
    let start = now.saturating_sub(Duration::from_secs(SKEW_SECONDS));
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + start;
    params.not_after = epoch + now + Duration::from_secs(VALID_DAYS * 86_400);
    Ok(params)
}

fn failed(error: rcgen::Error) -> CliError {
    CliError::Failed(format!("cannot make a certificate: {error}"))
}
