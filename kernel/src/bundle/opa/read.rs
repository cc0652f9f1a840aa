//! What the members of an archive mean.

use super::super::error::Diagnostics;
use super::super::fields::literal;
use super::super::source;
use super::{BundleError, BundleErrorKind, Members, OWN_FILES, PATH_DEPTH_MAX, Unpacked, refuse};
use crate::value::{self, Object, Value};

/// Sorts the members; everything wrong with them is said at once.
pub(super) fn read(members: Members, verified: bool) -> Result<Unpacked, Vec<BundleError>> {
    let mut errors = Vec::new();
    let mut own: Option<(String, Vec<u8>)> = None;
    let mut modules = Vec::new();
    let mut data: Option<Object> = None;
    let mut revision = None;
    for (path, content) in members {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let outcome = match file {
            ".manifest" if folder.is_empty() => manifest(&content).map(|found| revision = found),
            ".signatures.json" if folder.is_empty() => Ok(()),
            name if folder.is_empty() && OWN_FILES.contains(&name) => match own.replace((path.clone(), content)) {
                None => Ok(()),
                Some((first, _)) => Err(refuse(
                    BundleErrorKind::Duplicate,
                    format!("both {first} and {path} are there, keep one"),
                    None,
                )),
            },
            "data.json" | "data.yaml" | "data.yml" => data_file(file, &content)
                .map_err(|what| invalid(&path, &what))
                .and_then(|value| merge(&mut data, folder, value).map_err(|what| invalid(&path, &what))),
            name if name.ends_with("_test.rego") => Ok(()),
            name if name.ends_with(".rego") => match String::from_utf8(content) {
                Ok(source) => {
                    modules.push((path.clone(), source));
                    Ok(())
                }
                Err(_) => Err(invalid(&path, "is not UTF-8")),
            },
            "patch.json" if folder.is_empty() => Err(refuse(
                BundleErrorKind::Unavailable,
                "this is a delta bundle: what a decision rests on would depend on what was there before",
                Some("offer the whole bundle, as `opa build` makes it without a delta"),
            )),
            name if name.ends_with(".wasm") => Err(refuse(
                BundleErrorKind::Unavailable,
                format!("{path} is compiled policy, which nobody could read in a review"),
                Some("build the bundle with the target rego"),
            )),
            _ => Err(refuse(
                BundleErrorKind::UnknownName,
                format!("{path} has no meaning in a bundle"),
                Some("pack .manifest, data.json, data.yaml, *.rego and assent.yaml only"),
            )),
        };
        errors.extend(outcome.err());
    }
    match own {
        Some((_, yaml)) if errors.is_empty() => Ok(Unpacked { yaml, modules, data, revision, verified }),
        Some(_) => Err(errors),
        None => {
            let hint = "add one with name, version, tools and principals; without them no call is allowed";
            errors.push(refuse(BundleErrorKind::MissingKey, "the archive has no assent.yaml", Some(hint)));
            Err(errors)
        }
    }
}

fn invalid(path: &str, what: &str) -> BundleError {
    refuse(BundleErrorKind::InvalidValue, format!("{path} {what}"), None)
}

/// The manifest's revision. What would change how the modules are read is refused.
fn manifest(content: &[u8]) -> Result<Option<String>, BundleError> {
    let object = value::parse_object(content).map_err(|error| invalid(".manifest", &format!("is no JSON: {error}")))?;
    let zero = |value: &Value| value.as_number().is_none_or(|number| number.text() != "1");
    let per_file = match object.get("file_rego_versions") {
        Some(Value::Object(versions)) => versions.iter().any(|(_, version)| zero(version)),
        other => other.is_some(),
    };
    if object.get("rego_version").is_some_and(zero) || per_file {
        let hint = Some("write the modules in Rego v1 and build them so");
        return Err(refuse(BundleErrorKind::Unavailable, ".manifest asks for another Rego than version 1", hint));
    }
    if object.get("wasm").is_some_and(|wasm| *wasm != Value::Array(Vec::new())) {
        let hint = Some("build the bundle with the target rego");
        return Err(refuse(BundleErrorKind::Unavailable, ".manifest names compiled policies", hint));
    }
    let roots = match object.get("roots") {
        None => true,
        Some(Value::Array(roots)) => roots.iter().all(|root| root.as_str().is_some()),
        Some(_) => false,
    };
    match object.get("revision") {
        _ if !roots => Err(invalid(".manifest", "has roots that are no list of texts")),
        None => Ok(None),
        Some(Value::String(revision)) => Ok(Some(revision.clone())),
        Some(_) => Err(invalid(".manifest", "has a revision that is no text")),
    }
}

/// One data file as a value.
pub(super) fn data_file(file: &str, content: &[u8]) -> Result<Value, String> {
    if file == "data.json" || file == ".manifest" {
        return value::parse(content).map_err(|error| format!("is no JSON: {error}"));
    }
    let mut d = Diagnostics::default();
    let value = source::parse(content, &mut d).and_then(|root| literal(&root, "data", &mut d));
    match (value, d.errors.first()) {
        (Some(value), None) => Ok(value),
        (_, error) => Err(error.map_or_else(
            || "is no data".to_owned(),
            |error| format!("is wrong in line {}, column {}: {}", error.line, error.column, error.message),
        )),
    }
}

/// Puts a data file under the path of its folder; two files never give the same name.
fn merge(data: &mut Option<Object>, folder: &str, value: Value) -> Result<(), String> {
    let steps: Vec<&str> = folder.split('/').filter(|step| !step.is_empty()).collect();
    if steps.len() > PATH_DEPTH_MAX {
        return Err(format!("lies more than {PATH_DEPTH_MAX} folders deep"));
    }
    let nested = steps
        .iter()
        .rev()
        .try_fold(value, |inner, step| Object::new(vec![((*step).to_owned(), inner)]).map(Value::Object));
    let Ok(Value::Object(nested)) = nested else { return Err("must be a mapping".to_owned()) };
    let before = data.take().unwrap_or_default();
    *data = Some(union(&before, &nested).map_err(|name| format!("gives `{name}`, which another file gives too"))?);
    Ok(())
}

fn union(a: &Object, b: &Object) -> Result<Object, String> {
    let mut members: Vec<(String, Value)> = Vec::with_capacity(a.len().saturating_add(b.len()));
    for (name, value) in a.iter() {
        let value = match (value, b.get(name)) {
            (_, None) => value.clone(),
            (Value::Object(ours), Some(Value::Object(theirs))) => Value::Object(union(ours, theirs)?),
            _ => return Err(name.to_owned()),
        };
        members.push((name.to_owned(), value));
    }
    members.extend(b.iter().filter(|(name, _)| a.get(name).is_none()).map(|(n, v)| (n.to_owned(), v.clone())));
    Object::new(members)
}
