//! Both ways of looking for a pattern against the regex crate, which shares the parser and nothing that decides here.

use proptest::prelude::*;

use super::automaton::Pattern;
use super::{PatternError, PatternSize, Patterns};
use crate::bundle::limits::{PATTERN_ONCE_BYTES_MAX, PATTERN_TABLE_BYTES_MAX};

fn with_table(source: &str) -> Pattern {
    let pattern = Pattern::compile(source, PatternSize::OFFERED, PATTERN_TABLE_BYTES_MAX).unwrap();
    assert!(pattern.table_bytes().is_some(), "{source}");
    pattern
}

fn by_places(source: &str) -> Pattern {
    Pattern::compile(source, PatternSize::OFFERED, 0).unwrap()
}

fn finds(pattern: &Pattern, text: &str) -> bool {
    pattern.finds_paying(text, |_| true).unwrap()
}

/// Units that looking takes.
fn cost(pattern: &Pattern, text: &str) -> usize {
    let mut units = 0;
    pattern.finds_paying(text, |more| {
        units += more;
        true
    });
    units
}

/// The same pattern for the regex crate, whose word boundaries are those of Unicode unless it is told otherwise.
fn oracle(source: &str) -> regex::Regex {
    regex::Regex::new(&source.replace("\\b", "(?-u:\\b)")).unwrap()
}

/// Pieces of patterns; few combinations are too large.
fn source() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("é".to_owned()),
        Just(".".to_owned()),
        Just("\\w".to_owned()),
        Just("\\b".to_owned()),
        Just("^".to_owned()),
        Just("$".to_owned()),
        Just("(?m:^)".to_owned()),
        Just("(?m:$)".to_owned()),
        Just("[^a]".to_owned()),
        Just("(?i:B)".to_owned()),
        Just("\\n".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (inner, prop_oneof![Just("*"), Just("+?"), Just("?"), Just("{2}"), Just("{0,3}")])
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn table_and_places_agree_with_the_oracle(source in source(), texts in prop::collection::vec("[abBéß_ \\n1]{0,12}", 1..8)) {
        let places = Pattern::compile(&source, PatternSize::OFFERED, 0);
        prop_assume!(!matches!(places, Err(PatternError::TooLarge(_))));
        let (oracle, places) = (oracle(&source), places.unwrap());
        let table = Pattern::compile(&source, PatternSize::OFFERED, PATTERN_TABLE_BYTES_MAX).unwrap();
        for text in &texts {
            let wanted = oracle.is_match(text);
            prop_assert_eq!(finds(&places, text), wanted, "places of {} in {:?}", &source, text);
            prop_assert_eq!(finds(&table, text), wanted, "table of {} in {:?}", &source, text);
        }
    }
}

#[test]
fn what_people_write_gets_a_table() {
    for source in [
        r"^https://",
        r"api\.github\.com",
        r"\b(rm|dd|mkfs)\b",
        r"(?i)\b(password|secret|token)\b",
        r"(?s)BEGIN.*PRIVATE KEY",
        r"^[\w.+-]+@[\w-]+\.[\w.-]+$",
        r"\d{3}-\d{2}-\d{4}",
        r"(?:\d[ -]*?){13,16}",
        r"(?i)select\s+.*\s+from\s+.*\s+where",
        r"AKIA[0-9A-Z]{16}",
        r"^.{1,200}$",
        r"\.\./",
    ] {
        with_table(source);
    }
}

#[test]
fn word_boundaries_are_those_of_ascii() {
    for pattern in [with_table(r"\brm\b"), by_places(r"\brm\b")] {
        assert!(finds(&pattern, "sudo rm -rf") && finds(&pattern, "érm"), "é is no ASCII letter");
        assert!(!finds(&pattern, "farm") && !finds(&pattern, "rm_"));
    }
    assert!(finds(&with_table(r"\w"), "é"), "classes are those of Unicode");
}

#[test]
fn a_table_pays_for_bytes_and_places_for_places() {
    let text = "ab".repeat(5_000);
    assert_eq!(cost(&with_table("x+y"), &text), text.len() + 16);
    let (few, many) = (by_places("x+y"), by_places("[ab]*a[ab]{400}[c-z]"));
    assert!(cost(&few, &text) < text.len() * 40, "{}", cost(&few, &text));
    assert!(cost(&many, &text) > text.len() * 400, "{}", cost(&many, &text));
    // What cannot be paid for ends there, and says nothing about a match.
    let mut left = 1_000usize;
    let found = many.finds_paying(&text, |units| {
        let paid = left.checked_sub(units);
        left = paid.unwrap_or_default();
        paid.is_some()
    });
    assert_eq!(found, None);
}

#[test]
fn tables_are_bounded_over_a_bundle_and_what_comes_after_them_still_matches() {
    let mut patterns = Patterns::default();
    let mut tables = 0usize;
    let all: Vec<Pattern> = (0..140).map(|n| patterns.compile_text(&format!(r"^\w{{1,3}}x{n}")).unwrap()).collect();
    for pattern in &all {
        tables += pattern.table_bytes().unwrap_or_default();
    }
    assert!(tables <= crate::bundle::limits::PATTERN_TABLES_BYTES_MAX, "{tables}");
    let last = all.last().unwrap();
    assert_eq!(last.table_bytes(), None, "the room for tables is used up");
    assert!(finds(last, "abx139") && !finds(last, "abx13"));
}

#[test]
fn what_is_no_pattern_says_why() {
    let error = |source: &str| Pattern::compile(source, PatternSize::ONCE, 0).unwrap_err();
    assert!(matches!(error("("), PatternError::Syntax(_)));
    assert!(error("(?=a)").to_string().contains("look-around"));
    assert_eq!(error(r"\w{900}"), PatternError::TooLarge(PATTERN_ONCE_BYTES_MAX));
    let mut few = Patterns::few(1);
    assert!(few.compile_text("a").is_ok() && few.compile_text("a").is_ok() && few.compile_text("b").is_err());
    assert_eq!(few.tried(), 1);
    let mut none = Patterns::few(0);
    assert!(none.compile_text("a").is_err());
    assert_eq!(none.tried(), 0);
    let mut two = Patterns::few(2);
    assert_eq!(
        two.compile_text("a").unwrap().table_bytes(),
        None,
        "a table takes longer to build than one text to be looked through"
    );
    assert!(two.compile_text("b").is_ok());
    assert_eq!(two.tried(), 2);
    let long = "a".repeat(crate::bundle::limits::PATTERN_BYTES_MAX + 1);
    assert!(Patterns::default().compile_text(&long).is_err());
}

#[test]
fn what_takes_long_to_read_is_refused_before_it_is_read() {
    let offered = |source: &str| Pattern::compile(source, PatternSize::OFFERED, 0).map(|_| ());
    let wide = r"(?i)[ -\u{1e943}&&a]";
    assert_eq!(offered(wide), Ok(()));
    assert_eq!(offered(&wide.repeat(30)), Err(PatternError::TooWide));
    assert_eq!(offered(&format!("(?i)[{}a]", r" -\u{1e943}&&".repeat(30))), Err(PatternError::TooWide));
    assert_eq!(
        offered(&format!("(?i){}a{}", "[".repeat(40), "[^b]]".to_owned() + &"]".repeat(39))),
        Err(PatternError::TooWide)
    );
    assert_eq!(offered(r"(?i)[\w.+-]+@[\w-]+\.[\w.-]+"), Ok(()), "what people write");
    assert_eq!(offered(&r"[ -\u{1e943}&&a]".repeat(30)), Ok(()), "nothing is folded where case matters");
    let once = |source: &str| Pattern::compile(source, PatternSize::ONCE, 0).map(|_| ());
    assert_eq!(once(&r"\d".repeat(9)), Err(PatternError::TooWide));
    assert_eq!(once(r"(?i)[\w-]"), Err(PatternError::TooWide));
    assert_eq!(once(r"(?i)[a-z0-9_-]+\d{2}"), Ok(()));
}

#[test]
fn places_that_no_byte_leads_to_are_paid_for_too() {
    let pattern = by_places(&format!("(?:a?){{{}}}b", 900));
    assert!(cost(&pattern, "") > 900 * 4, "{}", cost(&pattern, ""));
}

#[test]
fn what_walking_costs_is_the_same_number_everywhere() {
    let costs =
        |text: &str| ["x", "[a-d]", r"\w", r"\w{3}x", "a|bc|def|x"].map(|source| cost(&by_places(source), text));
    assert_eq!(costs(""), [29, 29, 143, 302, 33]);
    assert_eq!(costs("aé"), [65, 45, 195, 574, 53]);
    assert_eq!(costs("aéx1"), [81, 45, 195, 838, 53]);
}

#[test]
fn patterns_are_bounded_over_a_bundle() {
    let mut patterns = Patterns { bytes_left: 4_000, tables_left: 0, ..Patterns::default() };
    assert!(patterns.compile_text("a").is_ok());
    assert!(patterns.bytes_left < 4_000);
    let (message, _) = patterns.compile_text(r"\w{9}").unwrap_err();
    assert!(message.starts_with("all patterns together"), "{message}");
    assert!(patterns.compile_text("b").is_ok(), "what is refused takes no room");
    let mut tables = Patterns { bytes_left: 4_000, ..Patterns::default() };
    let (message, _) = tables.compile_text(r"\w{2}").unwrap_err();
    assert!(message.starts_with("all patterns together"), "{message}");
}

#[test]
fn a_bracket_counts_for_what_is_inside_of_it_only() {
    let wide = r"[ -\u{1e943}]";
    let offered = |source: &str| Pattern::compile(source, PatternSize::OFFERED, 0).map(|_| ());
    assert_eq!(offered(&format!("(?i){}{wide}", "[[a]]".repeat(40))), Ok(()));
    assert_eq!(offered(&format!("(?i){}{wide}{}", "[".repeat(40), "]".repeat(40))), Err(PatternError::TooWide));
}
