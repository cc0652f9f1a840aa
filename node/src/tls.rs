//! Mutual TLS: loading certificates and reading the SPIFFE id of whoever is at the other end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use crate::config::Tls;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A PEM file does not hold what it should.
    #[error("{what}: {message}; check the files that [tls] names")]
    Content {
        /// The key of the configuration.
        what: &'static str,
        /// What is wrong.
        message: String,
    },
}

/// The loaded PEM files.
#[derive(Clone)]
pub struct TlsMaterial {
    ca: Certificate,
    identity: Identity,
    cert_pem: Vec<u8>,
    key_pem: Zeroizing<Vec<u8>>,
}

impl TlsMaterial {
    /// Loads the files that a configuration names.
    pub fn load(tls: &Tls) -> Result<Self, TlsError> {
        let (cert_pem, key_pem) = (read(&tls.cert)?, Zeroizing::new(read(&tls.key)?));
        Ok(TlsMaterial {
            ca: Certificate::from_pem(read(&tls.ca)?),
            identity: Identity::from_pem(&cert_pem, &*key_pem),
            cert_pem,
            key_pem,
        })
    }

    /// For a listener: a client certificate of the authority is required.
    pub fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new().identity(self.identity.clone()).client_ca_root(self.ca.clone())
    }

    /// For a listener of HTTP/JSON, with HTTP/2 and HTTP/1.1 to choose from: a client certificate of the authority is required.
    pub fn https_server(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let wrong =
            |what: &'static str, error: &dyn std::fmt::Display| TlsError::Content { what, message: error.to_string() };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.ca.as_ref()) {
            let certificate = certificate.map_err(|e| wrong("tls.ca", &e))?;
            roots.add(certificate).map_err(|e| wrong("tls.ca", &e))?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        let verifier = verifier.map_err(|e| wrong("tls.ca", &e))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.cert_pem).collect();
        let chain = chain.map_err(|e| wrong("tls.cert", &e))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key_pem).map_err(|e| wrong("tls.key", &e))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong("tls", &e))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|e| wrong("tls.key", &e))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// For a connection to another node.
    pub fn client(&self) -> ClientTlsConfig {
        ClientTlsConfig::new().ca_certificate(self.ca.clone()).identity(self.identity.clone())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// The SPIFFE ids (URI names) in a DER certificate.
pub fn spiffe_ids(der: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Vec::new();
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with("spiffe://") => Some((*uri).to_owned()),
            _ => None,
        })
        .collect()
}

/// The URI under which a node's certificate names it.
pub fn node_spiffe_id(name: &str) -> String {
    format!("spiffe://assent/node/{name}")
}
