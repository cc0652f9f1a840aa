//! No dead files: every `.rs` file is reached by some target's module declarations.

use crate::finding::Finding;
use crate::repo::Repo;
use crate::rust::modules;

/// `roots` are the root source files of all targets.
pub fn check(repo: &Repo, roots: &[String]) -> Vec<Finding> {
    let reached = modules::reach(&repo.texts, roots);
    let dead = repo.ending(&[".rs"]).filter(|(path, _)| !reached.contains_key(*path));
    dead.map(|(path, _)| {
        Finding::new(
            path,
            1,
            "no module declaration or target reaches this file",
            "declare it with `mod`, or delete it",
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undeclared_file_is_found() {
        let repo = Repo::of(&[("src/lib.rs", "mod a;"), ("src/a.rs", ""), ("src/b.rs", "")]);
        let findings = check(&repo, &["src/lib.rs".to_owned()]);
        assert_eq!(findings.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["src/b.rs"]);
        assert_eq!(check(&repo, &["src/lib.rs".to_owned(), "src/b.rs".to_owned()]), []);
    }
}
