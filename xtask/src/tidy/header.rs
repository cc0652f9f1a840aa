//! Every `.rs` file starts with `//!`, saying what it is for.

use crate::finding::Finding;
use crate::repo::Repo;

/// Looks at the first line of each file.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let says =
        |text: &str| text.lines().next().and_then(|l| l.strip_prefix("//!")).is_some_and(|l| !l.trim().is_empty());
    let silent = repo.ending(&[".rs"]).filter(|(_, text)| !says(text));
    silent
        .map(|(path, _)| Finding::new(path, 1, "the file does not start with `//!`", "say there what the file is for"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_must_say_something() {
        let repo =
            Repo::of(&[("a.rs", "//! Good.\n"), ("b.rs", "use a;\n//! Late.\n"), ("c.rs", "//!\n"), ("d.rs", "")]);
        let found: Vec<_> = check(&repo).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["b.rs", "c.rs", "d.rs"]);
    }
}
