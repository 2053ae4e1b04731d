//! This file's job is to say where a rule is broken.

use std::fmt;

/// One place that breaks one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Path in the repository, or a package's name.
    pub place: String,
    /// Counted from 1; 0 when the whole place is meant.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

impl Finding {
    /// A finding about a whole place.
    pub fn whole(place: &str, problem: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: 0, problem: problem.into() }
    }

    /// A finding in one line, counted from 0.
    pub fn at(place: &str, index: usize, problem: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line: index + 1, problem: problem.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.place, self.problem),
            line => write!(formatter, "{}:{line}: {}", self.place, self.problem),
        }
    }
}
