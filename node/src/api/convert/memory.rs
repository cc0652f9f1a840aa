//! Accesses to memory on the wire.

use assent_kernel::bundle::Sensitivity;
use assent_kernel::command::{
    CommandBody, MemoryAct, MemoryCommand, MemoryQuarantine, MemoryRead, MemoryRelease, MemoryTarget, MemoryWrite,
    RetrievedItem,
};
use assent_proto::v1;

use super::admin::{Ask, Asked};
use super::{CONTENT_TYPE_DEFAULT, context, request_id, tenant, text_opt, wrong};
use crate::outcome::ApiError;

fn asked(id: &str, command: MemoryCommand) -> Asked {
    Ok((request_id(id)?, CommandBody::Memory(Box::new(command))))
}

fn act(act: Option<v1::MemoryAct>) -> MemoryAct {
    let act = act.unwrap_or_default();
    MemoryAct {
        environment: act.environment,
        namespace: act.namespace,
        subject: text_opt(act.subject),
        run_id: text_opt(act.run_id),
        trace_id: text_opt(act.trace_id),
    }
}

fn level(field: &str, name: &str) -> Result<Option<Sensitivity>, ApiError> {
    if name.is_empty() {
        return Ok(None);
    }
    let right = || Sensitivity::ALL.map(Sensitivity::name).join(", ");
    let found = Sensitivity::from_name(name).map(Some);
    found.ok_or_else(|| wrong(field, format_args!("is {}", super::shown(name)), format_args!("one of: {}", right())))
}

fn media_type(text: String) -> String {
    text_opt(text).unwrap_or_else(|| CONTENT_TYPE_DEFAULT.to_owned())
}

impl Ask for v1::MemoryWriteRequest {
    fn ask(self) -> Asked {
        let write = MemoryWrite {
            act: act(self.act),
            key: self.key,
            content_type: media_type(self.content_type),
            value: self.value.to_vec(),
            external: self.external,
            ttl_seconds: self.ttl_seconds,
            labels: context::labels("labels", self.labels)?,
            classification: level("classification", &self.classification)?.unwrap_or(Sensitivity::None),
        };
        asked(&self.request_id, MemoryCommand::Write(Box::new(write)))
    }
}

impl Ask for v1::MemoryReadRequest {
    fn ask(self) -> Asked {
        let target = match (self.key.is_empty(), self.query.is_empty()) {
            (false, true) => MemoryTarget::Key(self.key),
            (true, false) => {
                MemoryTarget::Query { content_type: media_type(self.content_type), query: self.query.to_vec() }
            }
            _ => return Err(wrong("key", "and query are both there or both missing", "one of the two")),
        };
        let read = MemoryRead { act: act(self.act), target, clearance: level("clearance", &self.clearance)? };
        asked(&self.request_id, MemoryCommand::Read(Box::new(read)))
    }
}

impl Ask for v1::MemoryForgetRequest {
    fn ask(self) -> Asked {
        asked(&self.request_id, MemoryCommand::Forget { act: act(self.act), key: self.key })
    }
}

impl Ask for v1::MemoryReleaseRequest {
    fn ask(self) -> Asked {
        let items = self.items.into_iter().map(item).collect::<Result<_, _>>()?;
        let release = MemoryRelease { act: act(self.act), query: self.query_decision, items };
        asked(&self.request_id, MemoryCommand::Release(Box::new(release)))
    }
}

fn item(item: v1::RetrievedItem) -> Result<RetrievedItem, ApiError> {
    Ok(RetrievedItem {
        id: item.id,
        labels: context::labels("items.labels", item.labels)?,
        classification: level("items.classification", &item.classification)?.unwrap_or(Sensitivity::None),
    })
}

impl Ask for v1::MemoryQuarantineRequest {
    fn ask(self) -> Asked {
        let quarantine = MemoryQuarantine {
            tenant: tenant("tenant", &self.tenant)?,
            environment: self.environment,
            namespace: self.namespace,
            key: self.key,
            quarantined: self.quarantined,
            justification: self.justification.to_vec(),
        };
        asked(&self.request_id, MemoryCommand::Quarantine(quarantine))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "018bcfe5-6800-7909-8909-090909090909";

    #[test]
    fn a_read_is_of_a_key_or_of_a_query() {
        let read = |key: &str, query: &'static [u8]| {
            let (request_id, key) = (ID.to_owned(), key.to_owned());
            v1::MemoryReadRequest { request_id, key, query: query.into(), ..Default::default() }.ask()
        };
        assert!(read("k", b"").is_ok() && read("", b"{}").is_ok());
        for (key, query) in [("k", &b"{}"[..]), ("", b"")] {
            assert!(read(key, query).unwrap_err().message.starts_with("key and query"), "{key}");
        }
    }

    #[test]
    fn classifications_have_names() {
        assert_eq!(level("f", "").unwrap(), None);
        assert_eq!(level("f", "secret").unwrap(), Some(Sensitivity::Secret));
        assert!(level("f", "top").unwrap_err().message.starts_with("f is \"top\""));
    }
}
