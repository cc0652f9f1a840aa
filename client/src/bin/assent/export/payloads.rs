//! The payloads of an export: fetched one by one, checked against their commitments, written as text.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use assent_client::{Client, ClientError, v1};
use assent_ledger::entry::EntryView;
use assent_ledger::hash::Hash;
use assent_ledger::payload::commit;

use super::failed;
use crate::context::Context;
use crate::output::CliError;

/// The tenant under which the ledger keeps its own entries.
const LEDGER: &str = "-";

/// What became of the payloads.
#[derive(Default)]
pub struct Opened {
    /// Payloads that were written.
    pub written: u64,
    /// Payloads that were erased, or that this credential may not read.
    pub gone: u64,
}

/// Fetches the payloads of all exported entries, or of one tenant's and the ledger's own, and writes them to `payloads` in the folder.
pub async fn export(
    context: &Context,
    client: &Client,
    folder: &Path,
    tenant: Option<&str>,
) -> Result<Opened, CliError> {
    let (entries, tmp) = (folder.join("entries.jsonl"), folder.join("payloads.tmp"));
    let mut lines = BufReader::new(File::open(&entries).map_err(|e| failed(&entries, &e))?);
    let mut out = BufWriter::new(File::create(&tmp).map_err(|e| failed(&tmp, &e))?);
    let (mut line, mut opened) = (Vec::new(), Opened::default());
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(|e| failed(&entries, &e))? == 0 {
            break;
        }
        let leaf = line.strip_suffix(b"\n").unwrap_or(&line);
        if leaf.is_empty() {
            continue;
        }
        let view = EntryView::parse(leaf).map_err(|e| failed(&entries, &e))?;
        if tenant.is_some_and(|tenant| view.tenant != tenant && view.tenant != LEDGER) {
            continue;
        }
        for payload in view.payloads() {
            match fetch(context, client, view.tenant, &payload.commitment).await? {
                Some(text) => {
                    out.write_all(text.as_bytes()).map_err(|e| failed(&tmp, &e))?;
                    opened.written += 1;
                }
                None => opened.gone += 1,
            }
        }
    }
    let flushed = out.flush().and_then(|()| out.get_ref().sync_all());
    let path = folder.join("payloads");
    flushed.and_then(|()| std::fs::rename(&tmp, &path)).map_err(|e| failed(&path, &e))?;
    Ok(opened)
}

/// One payload as a line; `None` when it is erased or not for this credential.
async fn fetch(
    context: &Context,
    client: &Client,
    tenant: &str,
    commitment: &Hash,
) -> Result<Option<String>, CliError> {
    let request = v1::PayloadRequest { tenant: tenant.to_owned(), commitment: commitment.as_bytes().to_vec().into() };
    let answer = match client.payload(request, context.deadline()).await {
        Ok(answer) => answer,
        // Erased, or another tenant's: the export goes on without it, and says how many there were.
        Err(ClientError::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let salt = <[u8; 32]>::try_from(answer.salt.as_ref()).ok();
    match salt.filter(|salt| commit(salt, &answer.content) == *commitment) {
        Some(salt) => Ok(Some(format!("{commitment} {} {}\n", hex::encode(salt), hex::encode(&answer.content)))),
        None => {
            Err(CliError::Failed(format!("the node gave bytes for payload {commitment} that it does not commit to")))
        }
    }
}
