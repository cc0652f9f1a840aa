//! `docs/reasons/README.md` is made from the codes: what each means, in which step it arises, what to do. `ASSENT_BLESS=1` writes it.

#[path = "reasons/advice.rs"]
mod advice;

use std::fmt::Write;

use assent_kernel::reason::ReasonCode;

const HEAD: &str = "# Reason codes

Every decision carries numbered reasons. They are ordered by precedence: the smaller the number, the more it weighs, and the first code of a
decision is its main reason. Numbers are never reused or renumbered.

<!-- Made by kernel/tests/it/reasons_page.rs; run it with ASSENT_BLESS=1 after a change. -->

| numbers | what they stand for |
|---|---|
| 100 to 299 | structural refusals: final, whatever the policy votes |
| 300 to 799 | denied by policy |
| 800 to 849 | a person has to approve first |
| 850 to 899 | the policy replaced the call |
| from 900 | why it was allowed |
";

fn page() -> String {
    let mut out = HEAD.to_owned();
    let mut step = "";
    for code in ReasonCode::ALL {
        if advice::step(*code) != step {
            step = advice::step(*code);
            writeln!(out, "\n## {step}").unwrap();
        }
        writeln!(out, "\n### {} {}\n", code.number(), code.name()).unwrap();
        writeln!(out, "{}.", sentence(code.description())).unwrap();
        writeln!(out, "**What to do:** {}", advice::what_to_do(*code)).unwrap();
    }
    out
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[test]
fn the_page_is_made_from_the_codes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reasons/README.md");
    let made = page();
    if std::env::var_os("ASSENT_BLESS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reasons")).unwrap();
        std::fs::write(path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == made, "docs/reasons/README.md differs from the codes; run this test with ASSENT_BLESS=1");
}

#[test]
fn every_code_says_what_to_do_in_a_sentence_and_steps_stand_together() {
    let mut steps: Vec<&str> = Vec::new();
    for code in ReasonCode::ALL {
        let advice = advice::what_to_do(*code);
        assert!(advice.len() > 20 && advice.ends_with('.'), "{}: {advice}", code.name());
        if steps.last() != Some(&advice::step(*code)) {
            steps.push(advice::step(*code));
        }
    }
    let mut once = steps.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), steps.len(), "a step is named twice: {steps:?}");
}
