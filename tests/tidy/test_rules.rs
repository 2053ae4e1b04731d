//! This file's job is to hold the rules for tests.

use crate::finding::Finding;
use crate::rust_file::RustFile;

/// How far above a sleep its polling loop may begin.
const LOOP_REACH_LINES: usize = 12;
/// A sleep that is the subject of a test carries this word in a comment on its line or the one above, with the reason.
const EXCUSE: &str = "not to synchronise:";

/// A test that never runs proves nothing.
pub fn ignored(file: &RustFile<'_>) -> Vec<Finding> {
    let found = file.code().filter(|(_, line)| line.trim_start().starts_with(concat!("#[", "ignore")));
    found.map(|(index, _)| Finding::at(file.path, index, "an ignored test; run it or delete it")).collect()
}

/// A fixed pause is too short on a busy machine and too long everywhere else. Between two looks at a condition, inside
/// a loop, it is fine.
pub fn sleeps(file: &RustFile<'_>) -> Vec<Finding> {
    let found = file.tests().filter(|(index, line)| {
        line.contains(concat!("sle", "ep("))
            && !is_definition(line)
            && !is_excused(file, *index)
            && !polls(file, *index)
    });
    found.map(|(index, _)| Finding::at(file.path, index, "sleeps; wait on a condition with a deadline")).collect()
}

fn is_definition(line: &str) -> bool {
    line.contains("fn ")
}

fn is_excused(file: &RustFile<'_>, index: usize) -> bool {
    (index.saturating_sub(1)..=index).any(|line| file.line(line).contains(EXCUSE))
}

/// Whether a loop encloses the line: one that begins above it with less indentation.
fn polls(file: &RustFile<'_>, index: usize) -> bool {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    (index.saturating_sub(LOOP_REACH_LINES)..index).any(|above| {
        let line = file.line(above);
        let opens = ["loop {", "while ", "for "].iter().any(|word| line.trim_start().starts_with(word));
        opens && indentation(line) < indentation(file.line(index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: &str = concat!("sle", "ep(ten_ms).await;");

    fn count(rule: fn(&RustFile<'_>) -> Vec<Finding>, text: &str) -> usize {
        rule(&RustFile::new("tests/sample.rs", text)).len()
    }

    #[test]
    fn an_ignored_test_is_found() {
        assert_eq!(count(ignored, concat!("#[", "ignore]\nfn a() {}")), 1);
        assert_eq!(count(ignored, concat!("    #[", "ignore = \"slow\"]\nfn a() {}")), 1);
        assert_eq!(count(ignored, "fn ignore() {}"), 0);
    }

    #[test]
    fn a_fixed_pause_is_found() {
        assert_eq!(count(sleeps, &format!("fn a() {{\n    {PAUSE}\n}}")), 1);
        assert_eq!(count(sleeps, &format!("for x in y {{\n    x();\n}}\n{PAUSE}")), 1);
    }

    #[test]
    fn a_poll_and_an_excused_pause_are_fine() {
        assert_eq!(count(sleeps, &format!("while !ready() {{\n    {PAUSE}\n}}")), 0);
        assert_eq!(count(sleeps, &format!("// {EXCUSE} the lease must run out\n{PAUSE}")), 0);
    }

    #[test]
    fn code_that_ships_may_pause() {
        let text = format!("fn a() {{\n    {PAUSE}\n}}");
        assert_eq!(sleeps(&RustFile::new("worker/src/lib.rs", &text)).len(), 0);
    }
}
