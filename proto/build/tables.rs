//! Writes the messages, enumerations and services of the .proto files, with their comments, as static tables in Rust.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;

use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use protox::prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    ServiceDescriptorProto,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Comments by the path of what they stand before.
type Comments = BTreeMap<Vec<i32>, String>;

/// The tables as Rust text.
pub fn write(files: &FileDescriptorSet) -> Result<String> {
    let mut out = String::new();
    let mut services = Vec::new();
    for file in &files.file {
        let comments = comments(file);
        for (i, message) in (0..).zip(&file.message_type) {
            write_message(&mut out, message, &[4, i], &comments)?;
        }
        for (i, enumeration) in (0..).zip(&file.enum_type) {
            write_enumeration(&mut out, "", enumeration, &[5, i], &comments)?;
        }
        for (i, service) in (0..).zip(&file.service) {
            services.push(static_name(service.name()));
            write_service(&mut out, service, &[6, i], &comments)?;
        }
    }
    let services: Vec<String> = services.iter().map(|name| format!("&{name}")).collect();
    writeln!(out, "/// Every service.\npub static SERVICES: &[&Service] = &[{}];", services.join(", "))?;
    Ok(out)
}

fn comments(file: &FileDescriptorProto) -> Comments {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    locations.map(|location| (location.path.clone(), tidy(location.leading_comments()))).collect()
}

/// One paragraph a line, without the indent that comments have.
fn tidy(comment: &str) -> String {
    let lines: Vec<&str> = comment.lines().map(str::trim).collect();
    lines.join(" ").replace("  ", "\n").trim().to_owned()
}

fn comment(comments: &Comments, path: &[i32]) -> String {
    comments.get(path).cloned().unwrap_or_default()
}

fn below(path: &[i32], more: [i32; 2]) -> Vec<i32> {
    [path, &more].concat()
}

fn write_message(out: &mut String, message: &DescriptorProto, path: &[i32], comments: &Comments) -> Result<()> {
    if !message.nested_type.is_empty() {
        return Err(format!("{}: messages within messages are not supported", message.name()).into());
    }
    for (i, enumeration) in (0..).zip(&message.enum_type) {
        write_enumeration(out, message.name(), enumeration, &below(path, [4, i]), comments)?;
    }
    writeln!(out, "/// `{}`.\npub static {}: Message = Message {{", message.name(), static_name(message.name()))?;
    writeln!(out, "name: {:?}, doc: {:?}, fields: &[", message.name(), comment(comments, path))?;
    for (i, field) in (0..).zip(&message.field) {
        let doc = comment(comments, &below(path, [2, i]));
        let choice = match field.oneof_index {
            Some(index) if !field.proto3_optional() => {
                let choices = message.oneof_decl.get(usize::try_from(index)?).ok_or("no such oneof")?;
                format!("Some({:?})", choices.name())
            }
            _ => "None".to_owned(),
        };
        writeln!(
            out,
            "Field {{ name: {:?}, number: {}, kind: {}, label: Label::{}, choice: {choice}, doc: {doc:?} }},",
            field.name(),
            field.number(),
            kind(field)?,
            label(field),
        )?;
    }
    writeln!(out, "] }};")?;
    Ok(())
}

fn kind(field: &FieldDescriptorProto) -> Result<String> {
    let name = field.type_name().trim_start_matches(".assent.v1.").replace('.', "");
    Ok(match field.r#type() {
        Type::Bool => "Kind::Bool".to_owned(),
        Type::Uint32 => "Kind::Uint32".to_owned(),
        Type::Uint64 => "Kind::Uint64".to_owned(),
        Type::String => "Kind::String".to_owned(),
        Type::Bytes => "Kind::Bytes".to_owned(),
        Type::Enum => format!("Kind::Enumeration(&{})", static_name(&name)),
        Type::Message => format!("Kind::Message(&{})", static_name(&name)),
        other => return Err(format!("{}: fields of type {other:?} are not supported", field.name()).into()),
    })
}

fn label(field: &FieldDescriptorProto) -> &'static str {
    match (field.label(), field.proto3_optional()) {
        (Label::Repeated, _) => "Repeated",
        (_, true) => "Optional",
        _ => "Single",
    }
}

fn write_enumeration(
    out: &mut String,
    within: &str,
    enumeration: &EnumDescriptorProto,
    path: &[i32],
    comments: &Comments,
) -> Result<()> {
    let name = format!("{within}{}", enumeration.name());
    writeln!(out, "/// `{name}`.\npub static {}: Enumeration = Enumeration {{", static_name(&name))?;
    writeln!(out, "name: {name:?}, doc: {:?}, values: &[", comment(comments, path))?;
    let prefix = format!("{}_", static_name(enumeration.name()));
    for value in &enumeration.value {
        let short = value.name().strip_prefix(&prefix).ok_or("a value must begin with its enumeration's name")?;
        let short = short.to_ascii_lowercase().replace('_', "-");
        writeln!(out, "Value {{ name: {short:?}, number: {} }},", value.number())?;
    }
    writeln!(out, "] }};")?;
    Ok(())
}

fn write_service(out: &mut String, service: &ServiceDescriptorProto, path: &[i32], comments: &Comments) -> Result<()> {
    let message = |name: &str| static_name(name.trim_start_matches(".assent.v1."));
    let mut methods = Vec::new();
    for (i, method) in (0..).zip(&service.method) {
        let name = format!("{}_{}", static_name(service.name()), static_name(method.name()));
        writeln!(out, "/// `{}.{}`.\npub static {name}: Method = Method {{", service.name(), method.name())?;
        writeln!(
            out,
            "service: {:?}, name: {:?}, path: \"/assent.v1.{}/{}\", doc: {:?},",
            service.name(),
            method.name(),
            service.name(),
            method.name(),
            comment(comments, &below(path, [2, i])),
        )?;
        writeln!(
            out,
            "input: &{}, output: &{}, streams_in: {}, streams_out: {} }};",
            message(method.input_type()),
            message(method.output_type()),
            method.client_streaming(),
            method.server_streaming(),
        )?;
        methods.push(format!("&{name}"));
    }
    writeln!(out, "/// `{}`.\npub static {}: Service = Service {{", service.name(), static_name(service.name()))?;
    writeln!(
        out,
        "name: {:?}, doc: {:?}, methods: &[{}] }};",
        service.name(),
        comment(comments, path),
        methods.join(", ")
    )?;
    Ok(())
}

/// `EvaluateRequest` as `EVALUATE_REQUEST`.
fn static_name(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}
