//! This file's job is to find the parts of a range that contradict themselves, such as `>=1.2.3 <1.2.3`: the parser of ranges takes them
//! for ranges that everything satisfies.

use nodejs_semver::{Range, Version};

/// A part between two `||` that no version satisfies.
#[derive(Debug, Clone)]
pub(super) struct Contradiction {
    lowest: Comparator,
    highest: Comparator,
}

#[derive(Debug, Clone)]
struct Comparator {
    operator: String,
    version: Version,
}

/// Separates the satisfiable parts of a range, written again, from those that contradict themselves.
pub(super) fn separate(text: &str) -> (String, Vec<Contradiction>) {
    let (mut kept, mut found) = (Vec::new(), Vec::new());
    for part in text.split("||") {
        match find(part) {
            Some(contradiction) => found.push(contradiction),
            None => kept.push(part),
        }
    }
    (kept.join("||"), found)
}

impl Contradiction {
    /// Says whether the version is above the part, as node has it: above the lowest comparator, unless the highest one is open.
    pub(super) fn is_below(&self, version: &Version) -> bool {
        let is_open = self.highest.operator.starts_with('>');
        let is_above = match self.lowest.operator.as_str() {
            ">=" => *version >= self.lowest.version,
            _ => *version > self.lowest.version,
        };
        !is_open && is_above
    }
}

fn find(part: &str) -> Option<Contradiction> {
    let comparators = comparators(part);
    let mut common = Range::parse(comparators.first()?).ok()?;
    for comparator in &comparators[1..] {
        match common.intersect(&Range::parse(comparator).ok()?) {
            Some(narrower) => common = narrower,
            None => return describe(&comparators),
        }
    }
    None
}

/// Writes `1.2 - 1.5` as `>=1.2`, `<=1.5`, and `>= 1.2` as `>=1.2`.
fn comparators(part: &str) -> Vec<String> {
    if let Some((from, to)) = part.split_once(" - ") {
        return vec![format!(">={}", from.trim()), format!("<={}", to.trim())];
    }
    let mut found: Vec<String> = Vec::new();
    for word in part.split_whitespace() {
        match found.last_mut() {
            Some(last) if operator(last).len() == last.len() => last.push_str(word),
            Some(_) | None => found.push(word.to_owned()),
        }
    }
    found
}

fn operator(comparator: &str) -> &str {
    let end =
        comparator.find(|character| !matches!(character, '<' | '>' | '=' | '~' | '^')).unwrap_or(comparator.len());
    &comparator[..end]
}

fn describe(comparators: &[String]) -> Option<Contradiction> {
    let read = |text: &String| {
        let operator = operator(text);
        let version = Version::parse(&text[operator.len()..]).ok()?;
        Some(Comparator { operator: operator.to_owned(), version })
    };
    let comparators = comparators.iter().map(read).collect::<Option<Vec<_>>>()?;
    let lowest = comparators.iter().min_by(|a, b| a.version.cmp(&b.version))?.clone();
    let highest = comparators.iter().rev().max_by(|a, b| a.version.cmp(&b.version))?.clone();
    Some(Contradiction { lowest, highest })
}
