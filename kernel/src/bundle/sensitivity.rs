//! How sensitive what a call touches is: by the tool's label, by labels of its resources, by default patterns when asked for.

use std::borrow::Cow;

use super::condition::{Check, Condition, Scratch, read_directories, read_hosts, read_values};
use super::error::{BundleErrorKind, Diagnostics};
use super::fields::{Fields, list, one_of, text};
use super::limits::PATH_BYTES_MAX;
use super::pattern::Patterns;
use super::select::Selector;
use super::source::Node;
use super::work::Work;
use crate::value::{Object, Value};

/// Most resources of one tool.
const RESOURCES_MAX: usize = 1_024;
/// Path segments that are secret wherever they stand.
const SECRET_SEGMENTS: [&str; 14] = [
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".kube",
    ".netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
];
/// Endings of file names that are secret.
const SECRET_ENDINGS: [&str; 6] = [".pem", ".p12", ".pfx", ".jks", ".keystore", ".kdbx"];

/// How sensitive something is. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Sensitivity {
    /// Not at all.
    #[default]
    None = 1,
    /// For the tenant's own people.
    Internal = 2,
    /// For few of them.
    Confidential = 3,
    /// Credentials and the like.
    Secret = 4,
}

impl Sensitivity {
    /// Every level, from the lowest.
    pub const ALL: [Sensitivity; 4] =
        [Sensitivity::None, Sensitivity::Internal, Sensitivity::Confidential, Sensitivity::Secret];

    /// The number that is stored.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The level of a number.
    pub fn from_number(number: u8) -> Option<Sensitivity> {
        Self::ALL.into_iter().find(|level| level.number() == number)
    }

    /// The name in bundles and records.
    pub const fn name(self) -> &'static str {
        match self {
            Sensitivity::None => "none",
            Sensitivity::Internal => "internal",
            Sensitivity::Confidential => "confidential",
            Sensitivity::Secret => "secret",
        }
    }

    /// The level of a name.
    pub fn from_name(name: &str) -> Option<Sensitivity> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Whether reading it counts as a sensitive read: confidential and above.
    pub fn is_sensitive(self) -> bool {
        self >= Sensitivity::Confidential
    }

    pub(super) fn read(node: &Node, d: &mut Diagnostics) -> Option<Sensitivity> {
        let names = Self::ALL.map(Self::name);
        Sensitivity::from_name(one_of(node, "sensitivity", &names, d)?)
    }
}

/// One resource of a tool: calls whose argument lies there touch something of this sensitivity.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) selector: Selector,
    condition: Condition,
    sensitivity: Sensitivity,
}

impl Resource {
    /// What a call touches here. An argument that is missing or odd counts as if it lay there.
    pub(super) fn touched<'a>(&self, args: &'a Object, memo: &Scratch<'a>) -> Sensitivity {
        match self.condition.check(self.selector.find(args), memo) {
            Check::Holds | Check::Odd => self.sensitivity,
            Check::Fails => Sensitivity::None,
        }
    }

    /// Reads the list under `resources`.
    pub(super) fn read_all(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Vec<Resource> {
        let items = list(node, "resources", RESOURCES_MAX, d);
        items.iter().filter_map(|item| Resource::read(item, patterns, d)).collect()
    }

    fn read(node: &Node, patterns: &mut Patterns, d: &mut Diagnostics) -> Option<Resource> {
        const KNOWN: [&str; 7] = ["argument", "within", "host_in", "host", "matches", "in", "sensitivity"];
        let fields = Fields::open(node, "a resource", &KNOWN, &[], d)?;
        let argument = fields.required("argument", d);
        let selector = argument.and_then(|node| Selector::read(text(node, "argument", d)?, node.at, d));
        let sensitivity = fields.required("sensitivity", d).and_then(|node| Sensitivity::read(node, d));
        let mut conditions = Vec::new();
        let within = fields.get("within").map(|node| read_directories(node, "within", d).map(Condition::Within));
        conditions.extend(within);
        let hosts = fields.any(&["host_in", "host"], d);
        conditions.extend(hosts.map(|node| read_hosts(node, "host_in", d).map(Condition::HostIn)));
        conditions.extend(fields.get("matches").map(|node| patterns.compile(node, d).map(Condition::Matches)));
        conditions.extend(fields.get("in").map(|node| read_values(node, "in", d).map(Condition::In)));
        if conditions.len() != 1 {
            let message = "a resource lies at exactly one of within, host_in, matches and in";
            d.error(node.at, BundleErrorKind::MissingKey, message);
        }
        let condition = conditions.pop().flatten();
        Some(Resource { selector: selector?, condition: condition?, sensitivity: sensitivity? })
    }
}

/// What the default patterns say about a call: secret when an argument that holds a path names a place where credentials
/// usually lie. Whole segments are compared, so that `docs/tokenizer.md` is not sensitive and `~/.ssh/config` is.
pub(super) fn by_default_patterns(args: &Object, work: &Work) -> Sensitivity {
    let is_secret_path =
        |path: &str| !work.spend_pattern(looked_at(path).len().saturating_mul(2)) || is_secret_path(path);
    let secret = args.iter().filter(|(name, _)| names_a_path(name)).any(|(_, value)| match value {
        Value::String(path) => is_secret_path(path),
        Value::Array(paths) => paths.iter().filter_map(Value::as_str).any(is_secret_path),
        _ => false,
    });
    if secret { Sensitivity::Secret } else { Sensitivity::None }
}

fn names_a_path(argument: &str) -> bool {
    let lower = argument.to_ascii_lowercase();
    ["path", "paths", "file", "files", "filename", "filepath", "source", "target", "destination", "uri"]
        .iter()
        .any(|word| lower.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with('_')))
}

/// A text that is longer than any path is looked at where it begins and where it ends.
fn looked_at(path: &str) -> Cow<'_, str> {
    if path.len() <= 2 * PATH_BYTES_MAX {
        return Cow::Borrowed(path);
    }
    // A character that is cut in two is none that a secret place is written with.
    let part = |range: core::ops::Range<usize>| String::from_utf8_lossy(path.as_bytes().get(range).unwrap_or_default());
    let (first, last) = (part(0..PATH_BYTES_MAX), part(path.len().saturating_sub(PATH_BYTES_MAX)..path.len()));
    Cow::Owned([first, last].join("/"))
}

fn is_secret_path(path: &str) -> bool {
    let lower = looked_at(path).to_ascii_lowercase();
    lower.split(['/', '\\']).any(|segment| {
        SECRET_SEGMENTS.contains(&segment)
            || segment == ".env"
            || segment.starts_with(".env.")
            || SECRET_ENDINGS.iter().any(|ending| segment.len() > ending.len() && segment.ends_with(ending))
    }) || lower.trim_end_matches('/').ends_with("/etc/shadow")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_secret_and_documents_are_not() {
        for path in [
            "~/.ssh/config",
            "/home/a/.SSH/x",
            ".env",
            "app/.env.production",
            "/home/a/.aws/credentials",
            "id_rsa",
            "C:\\Users\\a\\.ssh\\id_ed25519",
            "certs/server.pem",
            "/etc/shadow",
        ] {
            assert!(is_secret_path(path), "{path}");
        }
        for path in [
            "docs/tokenizer.md",
            "docs/environment.md",
            "src/secret_santa.rs",
            "credentials.md",
            "/srv/ssh/readme",
            "env",
            ".environment",
            "keyboard.key.md",
            "/etc/shadows",
            "payroll.xlsx",
            ".pem",
        ] {
            assert!(!is_secret_path(path), "{path}");
        }
        assert!(
            !is_secret_path(&format!("{}/.ssh/{}", "a".repeat(PATH_BYTES_MAX), "a".repeat(PATH_BYTES_MAX))),
            "no path"
        );
        for long in ["a/".repeat(PATH_BYTES_MAX) + ".ssh/x", ".ssh/".to_owned() + &"a/".repeat(PATH_BYTES_MAX)] {
            assert!(is_secret_path(&long), "where it begins and where it ends");
            assert_eq!(looked_at(&long).len(), 2 * PATH_BYTES_MAX + 1);
        }
        let longest = "a".repeat(2 * PATH_BYTES_MAX);
        assert!(matches!(looked_at(&longest), Cow::Borrowed(whole) if whole.len() == longest.len()));
        assert!(
            names_a_path("path") && names_a_path("output_path") && !names_a_path("empath") && !names_a_path("body")
        );
    }
}
