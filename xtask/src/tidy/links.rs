//! Links in Markdown that stay inside the repository point to something that exists.

use crate::finding::Finding;
use crate::repo::{Repo, folder_of, resolve};

/// Looks at `[text](target)`, images and `[name]: target` in all Markdown files; addresses and anchors are left alone.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.ending(&[".md"]) {
        for (at, line) in without_code(text).lines().enumerate() {
            for target in targets(line) {
                let file = target.split(['#', '?']).next().unwrap_or_default();
                if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let resolved = resolve(folder_of(path), file);
                if resolved.is_none_or(|resolved| !resolved.is_empty() && !repo.paths.contains(&resolved)) {
                    let what = format!("the link to {target} leads nowhere");
                    findings.push(Finding::new(
                        path,
                        at + 1,
                        what,
                        "name a file of the repository, or take the link out",
                    ));
                }
            }
        }
    }
    findings
}

/// The targets of all links in one line.
fn targets(line: &str) -> Vec<&str> {
    let definition = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    let inline = line.match_indices("](").filter_map(|(at, _)| line.get(at + 2..)?.split(')').next());
    let all = inline.chain(definition.map(|(_, target)| target));
    all.filter_map(|target| target.split_whitespace().next()).map(|t| t.trim_matches(['<', '>'])).collect()
}

/// The text with fenced blocks and inline code blanked; lines stay where they are.
pub fn without_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fenced = false;
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        if !is_fence && !fenced {
            // Odd pieces lie between backticks; a backtick without a partner opens nothing.
            let pieces: Vec<&str> = line.split('`').collect();
            let paired = pieces.len() - usize::from(pieces.len().is_multiple_of(2));
            for (at, piece) in pieces.iter().enumerate() {
                out.push_str(if at % 2 == 1 && at < paired { " " } else { piece });
            }
        }
        fenced ^= is_fence;
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<usize> {
        let repo = Repo::of(&[("docs/a.md", text), ("docs/b.md", ""), ("README.md", ""), ("docs/img/c.png", "\0")]);
        check(&repo).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn links_to_missing_files_are_found() {
        assert_eq!(
            broken("[x](gone.md)\n[y](../b.md#z)\n![i](img/no.png)\n[n]: gone.md\n[o](../../out.md)\n"),
            [1, 2, 3, 4, 5]
        );
        assert_eq!(broken("a [x](b.md) and [y](gone.md)"), [1]);
    }

    #[test]
    fn links_that_hold_are_left_alone() {
        let text = "[x](b.md) [y](../README.md#z) [i](img/c.png \"t\") [f](img/) [w](https://example.org/gone.md)\n\
                    [k](#here) [m](mailto:a@example.org)\n[n]: b.md\n`[c](gone.md)`\n```\n[d](gone.md)\n```\n";
        assert_eq!(broken(text), Vec::<usize>::new());
    }
}
