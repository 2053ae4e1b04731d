//! This file's job is to tell the test part of a Rust file from the rest.

/// A Rust file, its lines split into what ships and what tests.
#[derive(Debug, Clone)]
pub struct RustFile<'a> {
    /// Path in the repository.
    pub path: &'a str,
    lines: Vec<&'a str>,
    first_test_line: usize,
}

impl<'a> RustFile<'a> {
    /// Tests are whole files in a `tests` folder or named `tests.rs`, the crate made for them, and what follows an
    /// inline `#[cfg(test)] mod`, which our style puts last.
    pub fn new(path: &'a str, text: &'a str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let is_test_file = path.starts_with("tests/")
            || path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || path.starts_with("crates/testkit/");
        let first_test_line = if is_test_file { 0 } else { inline_tests_start(&lines).unwrap_or(lines.len()) };
        Self { path, lines, first_test_line }
    }

    /// The first line of the file.
    pub fn first_line(&self) -> &'a str {
        self.lines.first().copied().unwrap_or_default()
    }

    /// Every line that is not only a comment, with its index.
    pub fn code(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.lines.iter().copied().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The part of [`Self::code`] that ships.
    pub fn shipped(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.code().take_while(|(index, _)| *index < self.first_test_line)
    }

    /// The part of [`Self::code`] that tests.
    pub fn tests(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.code().skip_while(|(index, _)| *index < self.first_test_line)
    }

    /// How many lines ship; a file that only tests counts whole.
    pub fn length(&self) -> usize {
        if self.first_test_line == 0 { self.lines.len() } else { self.first_test_line }
    }

    /// A line by its index.
    pub fn line(&self, index: usize) -> &'a str {
        self.lines[index]
    }
}

fn inline_tests_start(lines: &[&str]) -> Option<usize> {
    let attribute = |line: &str| line.trim().starts_with("#[cfg(") && line.contains("test");
    let opens_module =
        |line: &str| line.trim_end().ends_with('{') && line.trim_start().trim_start_matches("pub ").starts_with("mod ");
    (0..lines.len()).find(|&index| {
        attribute(lines[index])
            && lines[index + 1..]
                .iter()
                .find(|line| !line.trim().starts_with("#["))
                .is_some_and(|line| opens_module(line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n#[cfg(test)]\nmod samples;\nb\n#[cfg(test)]\nmod tests {\nc\n}\n";

    #[test]
    fn the_tests_begin_at_the_inline_module() {
        let file = RustFile::new("crates/domain/src/ids.rs", TEXT);
        assert_eq!(file.length(), 4);
        assert_eq!(
            file.shipped().map(|(_, line)| line).collect::<Vec<_>>(),
            ["a", "#[cfg(test)]", "mod samples;", "b"]
        );
        assert!(file.tests().any(|(index, line)| (index, line) == (6, "c")));
    }

    #[test]
    fn a_file_in_a_tests_folder_only_tests() {
        for path in ["tests/end_to_end.rs", "crates/blob/tests/suite.rs", "crates/db/src/jobs/tests.rs"] {
            assert_eq!(RustFile::new(path, TEXT).shipped().count(), 0, "{path}");
        }
    }
}
