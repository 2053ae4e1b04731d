//! This file's job is to read configuration: compiled-in defaults, then a file, then the environment; all mistakes at once.

mod shared;

pub use shared::{Database, Log, LogFormat, SHARED_DEFAULTS, Store};

use serde::de::DeserializeOwned;
use std::fmt;
use std::path::Path;
use toml::{Table, Value};

/// The exit code of a process that was configured wrongly (EX_USAGE).
pub const EXIT_CODE: u8 = 64;
/// Environment variables with this prefix are configuration: `ALOFT_DATABASE__URL` is `database.url`.
pub const ENVIRONMENT_PREFIX: &str = "ALOFT_";

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds one mistake: the key and the rule that its value breaks.
    pub fn add(&mut self, key: &str, rule: impl fmt::Display) {
        self.0.push(format!("{key}: {rule}"));
    }

    /// Adds a mistake when the condition does not hold.
    pub fn require(&mut self, holds: bool, key: &str, rule: impl fmt::Display) {
        if !holds {
            self.add(key, rule);
        }
    }

    /// Says whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} mistake(s):", self.0.len())?;
        self.0.iter().try_for_each(|problem| writeln!(f, "  {problem}"))
    }
}

impl std::error::Error for Problems {}

/// A configuration that can say what is wrong with it beyond its shape.
pub trait Validate {
    /// Adds every mistake to the list.
    fn validate(&self, problems: &mut Problems);
}

/// Reads a configuration.
///
/// `defaults` are TOML texts that together hold every key with its default and a comment. A key of the file or the environment that the
/// defaults do not have is a mistake.
///
/// # Errors
/// Every unknown key, every value of the wrong type and every broken rule.
pub fn load<T: DeserializeOwned + Validate>(
    defaults: &[&str],
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T, Problems> {
    let mut problems = Problems::default();
    let mut merged = merge_defaults(defaults, &mut problems);
    if let Some(path) = file {
        match std::fs::read_to_string(path).map_err(|error| error.to_string()).and_then(|text| parse(&text)) {
            Ok(table) => overlay(&mut merged, table, "", &mut problems),
            Err(why) => problems.add(&path.display().to_string(), why),
        }
    }
    let mut environment: Vec<_> = environment.collect();
    environment.sort();
    for (name, text) in environment {
        if let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX).filter(|key| key.contains("__")) {
            set(&mut merged, &key.to_lowercase(), &text, &name, &mut problems);
        }
    }
    finish(merged, problems)
}

fn finish<T: DeserializeOwned + Validate>(merged: Table, mut problems: Problems) -> Result<T, Problems> {
    match Value::Table(merged).try_into::<T>() {
        Ok(config) => {
            config.validate(&mut problems);
            if problems.is_empty() { Ok(config) } else { Err(problems) }
        }
        Err(error) => {
            problems.add("configuration", error.to_string().trim_end().replace('\n', " "));
            Err(problems)
        }
    }
}

fn parse(text: &str) -> Result<Table, String> {
    text.parse::<Table>().map_err(|error| error.to_string())
}

fn merge_defaults(defaults: &[&str], problems: &mut Problems) -> Table {
    let mut merged = Table::new();
    for text in defaults {
        match parse(text) {
            Ok(table) => merged.extend(table),
            Err(why) => problems.add("defaults", why),
        }
    }
    merged
}

/// Puts the values of `over` in the place of those of `base`; keys that `base` lacks are mistakes.
fn overlay(base: &mut Table, over: Table, path: &str, problems: &mut Problems) {
    for (key, value) in over {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (base.get_mut(&key), value) {
            (None, _) => problems.add(&full, "there is no such key"),
            (Some(Value::Table(inner)), Value::Table(value)) => overlay(inner, value, &full, problems),
            (Some(slot), value) => *slot = value,
        }
    }
}

/// Sets the value of a key such as `database__url` from text, in the type that the default has.
fn set(base: &mut Table, key: &str, text: &str, name: &str, problems: &mut Problems) {
    let mut parts = key.split("__").peekable();
    let mut table = base;
    while let Some(part) = parts.next() {
        match (table.get_mut(part), parts.peek()) {
            (Some(Value::Table(inner)), Some(_)) => table = inner,
            (Some(slot), None) => {
                match typed(slot, text) {
                    Ok(value) => *slot = value,
                    Err(why) => problems.add(name, why),
                }
                return;
            }
            (Some(_) | None, _) => return problems.add(name, "there is no such key"),
        }
    }
}

fn typed(default: &Value, text: &str) -> Result<Value, &'static str> {
    match default {
        Value::String(_) | Value::Datetime(_) => Ok(Value::String(text.to_owned())),
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| "must be a whole number"),
        Value::Float(_) => text.parse().map(Value::Float).map_err(|_| "must be a number"),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| "must be true or false"),
        Value::Array(_) => Ok(Value::Array(
            text.split(',').filter(|item| !item.is_empty()).map(|item| Value::String(item.into())).collect(),
        )),
        Value::Table(_) => Err("is a group of keys, not a key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Inner,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        size: u32,
        name: String,
    }

    impl Validate for Outer {
        fn validate(&self, problems: &mut Problems) {
            problems.require(self.inner.size < 10, "inner.size", "must be below 10");
            problems.require(!self.inner.name.is_empty(), "inner.name", "must not be empty");
        }
    }

    const DEFAULTS: &str = "[inner]\nsize = 1\nname = 'a'\n";

    fn environment(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn the_environment_wins_over_the_file_which_wins_over_the_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aloft.toml");
        std::fs::write(&file, "[inner]\nsize = 2\nname = 'b'\n").unwrap();
        let config: Outer =
            load(&[DEFAULTS], Some(&file), environment(&[("ALOFT_INNER__SIZE", "3"), ("PATH", "/bin")])).unwrap();
        assert_eq!(config, Outer { inner: Inner { size: 3, name: "b".into() } });
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_by_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aloft.toml");
        std::fs::write(&file, "[inner]\nsize = 'large'\n").unwrap();
        let problems = load::<Outer>(&[DEFAULTS], Some(&file), environment(&[])).unwrap_err().to_string();
        assert!(problems.contains("inner.size"), "{problems}");
    }

    #[test]
    fn all_mistakes_are_reported_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aloft.toml");
        std::fs::write(&file, "[inner]\nsise = 2\nname = ''\n").unwrap();
        let problems = load::<Outer>(
            &[DEFAULTS],
            Some(&file),
            environment(&[("ALOFT_INNER__SIZE", "12"), ("ALOFT_INNER__X", "1")]),
        );
        let text = problems.unwrap_err().to_string();
        for part in [
            "inner.sise: there is no such key",
            "ALOFT_INNER__X: there",
            "inner.size: must be below 10",
            "inner.name: must not",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
