//! Taint labels on the command line: `SOURCE:ORIGIN`, and how sure the label is behind an equals sign.

use assent_client::v1::TaintLabel;
use clap::Args;

use crate::output::CliError;

/// Sources of taint, as the nodes know them.
const SOURCES: [&str; 7] = ["web", "rag", "email", "retrieved-doc", "model-generated", "user-provided", "tool-output"];

/// Where data came from.
#[derive(Debug, Args)]
pub struct LabelArgs {
    /// Where the data came from, such as web:example.com; =250 behind it: 250 thousandths sure; may be repeated
    #[arg(long = "label", value_name = "SOURCE:ORIGIN[=SURE]")]
    labels: Vec<String>,
}

impl LabelArgs {
    /// The labels; what is no label is wrong usage.
    pub fn read(&self) -> Result<Vec<TaintLabel>, CliError> {
        self.labels.iter().map(|text| label(text)).collect()
    }
}

/// One label.
pub fn label(text: &str) -> Result<TaintLabel, CliError> {
    let wrong = |what: &str| CliError::Usage(format!("--label {text}: {what}"));
    let (source, rest) = text.split_once(':').ok_or_else(|| wrong("give SOURCE:ORIGIN, such as web:example.com"))?;
    if !SOURCES.contains(&source) {
        return Err(wrong(&format!("the source must be one of {}", SOURCES.join(", "))));
    }
    let (origin, confidence_milli) = match rest.split_once('=') {
        None => (rest, None),
        Some((origin, sure)) => {
            let milli = sure.parse().ok().filter(|milli| *milli <= 1000);
            let milli = milli.ok_or_else(|| wrong("behind the equals sign stand 0 to 1000 thousandths"))?;
            (origin, Some(milli))
        }
    };
    if origin.is_empty() {
        return Err(wrong("name the origin behind the colon, such as web:example.com"));
    }
    let (source, origin) = (source.to_owned(), origin.to_owned());
    Ok(TaintLabel { source, origin, confidence_milli, propagated_from: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_source_and_origin_and_may_be_unsure() {
        let read = |text: &str| label(text).map(|l| (l.source, l.origin, l.confidence_milli));
        let expected = |origin: &str, milli| ("web".to_owned(), origin.to_owned(), milli);
        assert_eq!(read("web:example.com").unwrap(), expected("example.com", None));
        assert_eq!(read("web:https://a.example:8443/x=250").unwrap(), expected("https://a.example:8443/x", Some(250)));
        for (text, what) in [
            ("web", "give SOURCE:ORIGIN"),
            ("moon:x", "one of web, rag"),
            ("web:", "name the origin"),
            ("web:=5", "name the origin"),
            ("web:x=1001", "0 to 1000"),
            ("web:x=-1", "0 to 1000"),
        ] {
            let error = label(text).unwrap_err().to_string();
            assert!(error.contains(what) && error.ends_with("nothing was sent"), "{text}: {error}");
        }
    }
}
