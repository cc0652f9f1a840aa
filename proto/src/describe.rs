//! What the .proto files say, as tables: messages, enumerations and services, with the comments that stand before them. Whoever
//! serves or documents the protocol in another notation reads it from here, so that the two cannot differ.

/// A message.
#[derive(Debug)]
pub struct Message {
    /// As in the .proto file.
    pub name: &'static str,
    /// Its comment; paragraphs are separated by line feeds.
    pub doc: &'static str,
    /// In the order of the file.
    pub fields: &'static [Field],
}

impl Message {
    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// As in the .proto file.
    pub name: &'static str,
    /// Its number on the wire.
    pub number: u32,
    /// What it holds.
    pub kind: Kind,
    /// How often it may stand.
    pub label: Label,
    /// The `oneof` that it belongs to.
    pub choice: Option<&'static str>,
    /// Its comment.
    pub doc: &'static str,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// True or false.
    Bool,
    /// 32 bits, not negative.
    Uint32,
    /// 64 bits, not negative.
    Uint64,
    /// UTF-8 text.
    String,
    /// Any bytes.
    Bytes,
    /// One of some names.
    Enumeration(&'static Enumeration),
    /// Another message.
    Message(&'static Message),
}

/// How often a field may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Once; its default means that it is absent.
    Single,
    /// Once or not at all, and the difference counts.
    Optional,
    /// Any number of times.
    Repeated,
}

/// An enumeration.
#[derive(Debug)]
pub struct Enumeration {
    /// As in the .proto file, after the name of the message that it stands in.
    pub name: &'static str,
    /// Its comment.
    pub doc: &'static str,
    /// Its values; the first is the unspecified one.
    pub values: &'static [Value],
}

/// A value of an enumeration.
#[derive(Debug)]
pub struct Value {
    /// In lower case, with hyphens, without the enumeration's name: `VERDICT_ALLOW` is `allow`.
    pub name: &'static str,
    /// Its number on the wire.
    pub number: u32,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    /// As in the .proto file.
    pub name: &'static str,
    /// Its comment.
    pub doc: &'static str,
    /// In the order of the file.
    pub methods: &'static [&'static Method],
}

/// A method of a service.
#[derive(Debug)]
pub struct Method {
    /// The service's name.
    pub service: &'static str,
    /// As in the .proto file.
    pub name: &'static str,
    /// Its path over gRPC.
    pub path: &'static str,
    /// Its comment.
    pub doc: &'static str,
    /// What it takes.
    pub input: &'static Message,
    /// What it answers.
    pub output: &'static Message,
    /// Whether it takes a stream.
    pub streams_in: bool,
    /// Whether it answers with a stream.
    pub streams_out: bool,
}

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
