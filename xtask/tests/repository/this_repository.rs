//! `tidy` and `walls` find nothing in this repository.

use xtask::finding::Finding;
use xtask::{repo, tidy, walls};

fn assert_clean(findings: Result<Vec<Finding>, String>) {
    let shown = match findings {
        Ok(findings) => findings.iter().map(|finding| format!("\n{finding}")).collect::<String>(),
        Err(message) => message,
    };
    assert_eq!(shown, "");
}

#[test]
fn the_walls_stand() {
    assert_clean(repo::root().and_then(|root| walls::run(&root)));
}

#[test]
fn the_repository_is_tidy() {
    assert_clean(repo::root().and_then(|root| tidy::run(&root)));
}
