//! The fleet on a ledger: tenants, principals, credentials and bundles of `fleet.json`, made through the client library.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assent_client::{Client, ClientError, Deadline, v1};
use assent_ledger::hash::sha256;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::error::{DemoError, Result};

/// Longest time for one administrative command.
const COMMAND_MAX: Duration = Duration::from_secs(20);

/// One tenant of `fleet.json`.
#[derive(Debug, Deserialize)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Folder of its bundle, relative to the fleet's folder.
    pub bundle: String,
    /// The environment in which the bundle becomes active.
    pub environment: String,
    /// Names of its credentials.
    pub credentials: Vec<String>,
    /// Subjects to register.
    pub principals: Vec<String>,
    /// People who answer for calls that wait.
    #[serde(default)]
    pub people: Vec<Person>,
}

/// Somebody who answers for calls that wait.
#[derive(Debug, Deserialize)]
pub struct Person {
    /// Name of the person's credential.
    pub credential: String,
    /// The person.
    pub subject: String,
}

/// The fleet's description.
#[derive(Debug)]
pub struct Fleet {
    folder: PathBuf,
    /// Its tenants.
    pub tenants: Vec<Tenant>,
}

impl Fleet {
    /// Reads `fleet.json` in a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let file = folder.join("fleet.json");
        let bytes = fs::read(&file).map_err(|e| DemoError::at(&file, e))?;
        let tenants = serde_json::from_slice(&bytes).map_err(|e| DemoError::at(&file, e))?;
        Ok(Fleet { folder: folder.to_owned(), tenants })
    }

    /// The recorded calls.
    pub fn workload_file(&self) -> PathBuf {
        self.folder.join("workload.jsonl")
    }

    /// One line saying what there is.
    pub fn describe(&self) -> String {
        let count = |of: fn(&Tenant) -> usize| self.tenants.iter().map(of).sum::<usize>();
        let names: Vec<&str> = self.tenants.iter().map(|t| t.name.as_str()).collect();
        format!(
            "{} tenants ({}), {} principals, {} credentials, {} bundles active",
            names.len(),
            names.join(", "),
            count(|t| t.principals.len()),
            count(|t| t.credentials.len()),
            names.len()
        )
    }

    /// Puts the fleet on the ledger. What is there already is left as it is, so that it can be repeated.
    pub async fn settle(&self, cluster: &Cluster) -> Result<()> {
        let client = cluster.client()?;
        for tenant in &self.tenants {
            settle(&client, cluster, &self.folder, tenant).await.map_err(|e| e.during(&tenant.name))?;
        }
        Ok(())
    }

    /// One verifying client for each credential, by its name.
    pub fn clients(&self, cluster: &Cluster) -> Result<BTreeMap<String, Client>> {
        let trust = cluster.trust()?;
        let mut clients = BTreeMap::new();
        for tenant in &self.tenants {
            for name in tenant.credentials.iter().chain(tenant.people.iter().map(|person| &person.credential)) {
                let client = cluster.client_as(&token_file(cluster, name), Some(&tenant.name))?;
                clients.insert(name.clone(), client.with_trust(trust.clone()));
            }
        }
        Ok(clients)
    }
}

async fn settle(client: &Client, cluster: &Cluster, folder: &Path, tenant: &Tenant) -> Result<()> {
    let deadline = || Deadline::after(COMMAND_MAX);
    let name = || tenant.name.clone();
    let request = v1::CreateTenantRequest { tenant: name(), ..Default::default() };
    known("TENANT_EXISTS", client.create_tenant(request, deadline()).await)?;
    for subject in tenant.principals.iter().chain(tenant.people.iter().map(|person| &person.subject)) {
        let request = v1::RegisterPrincipalRequest { tenant: name(), subject: subject.clone(), ..Default::default() };
        known("PRINCIPAL_EXISTS", client.register_principal(request, deadline()).await)?;
    }
    for name in &tenant.credentials {
        credential(client, cluster, &tenant.name, (name, "agent", "")).await?;
    }
    for person in &tenant.people {
        credential(client, cluster, &tenant.name, (&person.credential, "approver", &person.subject)).await?;
    }
    let file = folder.join(&tenant.bundle).join("bundle.yaml");
    let source = fs::read(&file).map_err(|e| DemoError::at(&file, e))?;
    // The bundle's hash follows from its bytes: the same when it was offered before.
    let bundle_hash = sha256(&[b"assent bundle/1\n", &source]).as_bytes().to_vec();
    let request = v1::OfferBundleRequest { tenant: name(), source: source.into(), ..Default::default() };
    let offered = known("BUNDLE_EXISTS", client.offer_bundle(request, deadline()).await)?;
    let bundle_hash = offered.map_or(bundle_hash.into(), |offered| offered.bundle_hash);
    let environment = tenant.environment.clone();
    let request = v1::ActivateBundleRequest { tenant: name(), environment, bundle_hash, ..Default::default() };
    known("BUNDLE_ACTIVE", client.activate_bundle(request, deadline()).await)?;
    Ok(())
}

/// Registers a credential of a name, role and subject, with a token of its own; gives the token's file.
async fn credential(
    client: &Client,
    cluster: &Cluster,
    tenant: &str,
    (name, role, subject): (&str, &str, &str),
) -> Result<PathBuf> {
    let file = token_file(cluster, name);
    let request = v1::RegisterCredentialRequest {
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        token_hash: sha256(&[token(&file)?.as_bytes()]).as_bytes().to_vec().into(),
        role: role.to_owned(),
        subject: subject.to_owned(),
        ..Default::default()
    };
    known("CREDENTIAL_EXISTS", client.register_credential(request, Deadline::after(COMMAND_MAX)).await)?;
    Ok(file)
}

/// Registers an auditor of the whole ledger, once; gives the file of its token.
pub async fn settle_auditor(cluster: &Cluster, name: &str) -> Result<PathBuf> {
    credential(&cluster.client()?, cluster, "-", (name, "auditor", "")).await
}

/// A refusal because the thing is there already is none: `None`.
fn known<A>(code: &str, answer: core::result::Result<A, ClientError>) -> Result<Option<A>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ClientError::Refused { code: got, .. }) if got == code => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Where a credential's token is kept, mode 0600.
pub fn token_file(cluster: &Cluster, credential: &str) -> PathBuf {
    cluster.dir().join("tokens").join(format!("{}.token", credential.replace('/', "-")))
}

/// A credential's token: 64 hexadecimal digits, made when the file is not there.
fn token(file: &Path) -> Result<String> {
    let wrap = |e: std::io::Error| DemoError::at(file, e);
    if let Ok(text) = fs::read_to_string(file) {
        return Ok(text.trim_end().to_owned());
    }
    let mut random = [0u8; 32];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random)).map_err(wrap)?;
    let token = hex::encode(random);
    fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).map_err(wrap)?;
    let mut created = File::options().write(true).create_new(true).mode(0o600).open(file).map_err(wrap)?;
    created.write_all(format!("{token}\n").as_bytes()).map_err(wrap)?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens/acme-support.token");
        let made = token(&file).unwrap();
        assert!(made.len() == 64 && made.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(token(&file).unwrap(), made);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_recorded_fleet_is_readable() {
        let fleet = Fleet::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        assert_eq!(fleet.tenants.len(), 3);
        assert!(fleet.describe().starts_with("3 tenants (acme, borealis, cumulus), 23 principals, 7 credentials"));
    }
}
