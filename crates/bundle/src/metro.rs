//! This file's job is to split a plain Metro bundle into its modules.
//!
//! Metro's serializer writes the runtime, then each module on lines of its own as `__d(factory,id[,dependencies[,"name"]]);`, then
//! the calls that run them. What follows the factory is JSON: `id` a number, `dependencies` an array of numbers, or an object that
//! has them as values when some are loaded later. A development bundle names its modules. Source: `addParamsToDefineCall` and
//! `getModuleParams` of the npm package metro.

use crate::contents::Module;
use crate::limits::{CALL_NUMBERS_MAX_BYTES, MODULE_MAX_BYTES, MODULES_MAX};
use domain::Sha256;
use serde::Deserialize;
use std::io::{self, BufRead, Read as _};
use std::ops::Range;

/// How a module's line begins.
const DEFINE: &[u8] = b"__d(";
/// How the lines behind the last module begin.
const ENDS: [&[u8]; 3] = [b"__r(", b"//# ", b"//@ "];

/// A module and the lines that it takes, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) module: Module,
    pub(crate) lines: Range<u32>,
}

/// Returns the modules in the bundle's order; none when the text is no Metro bundle, or has more or larger modules than any real app.
pub(crate) fn read_modules(reader: &mut impl BufRead) -> io::Result<Option<Vec<Placed>>> {
    let mut scan = Scan::default();
    loop {
        // A line is at most as long as a module may be, so that memory stays bounded.
        let room = MODULE_MAX_BYTES.saturating_sub(scan.open_bytes());
        let read = reader.take(room as u64 + 1).read_until(b'\n', &mut scan.line)?;
        if read == 0 {
            scan.close();
            return Ok((!scan.placed.is_empty()).then_some(scan.placed));
        }
        if read > room || scan.placed.len() >= MODULES_MAX {
            return Ok(None);
        }
        scan.take_line();
    }
}

#[derive(Default)]
struct Scan {
    placed: Vec<Placed>,
    open: Option<Open>,
    line: Vec<u8>,
    line_number: u32,
    offset: u64,
}

/// A module whose end was not found yet.
struct Open {
    text: Vec<u8>,
    offset: u64,
    first_line: u32,
}

impl Scan {
    fn open_bytes(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.text.len())
    }

    fn take_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let is_define = line.starts_with(DEFINE);
        // Within a template such a line may be text of the module before; then that one has no end yet.
        let is_border = (is_define || ENDS.iter().any(|end| line.starts_with(end))) && self.close();
        match &mut self.open {
            Some(open) => open.text.extend_from_slice(&line),
            None if is_border && is_define => {
                self.open = Some(Open { text: line.clone(), offset: self.offset, first_line: self.line_number });
            }
            None => {}
        }
        self.offset += line.len() as u64;
        self.line_number = self.line_number.saturating_add(1);
        self.line = line;
        self.line.clear();
    }

    /// Ends the open module; false when its text is not whole.
    fn close(&mut self) -> bool {
        let Some(open) = self.open.take() else { return true };
        let Some(end) = Call::split(&open.text) else {
            self.open = Some(open);
            return false;
        };
        let lines = open.first_line..self.line_number;
        self.placed.push(Placed { module: end.module(&open), lines });
        true
    }
}

/// The end of a call of `__d`.
struct Call {
    /// How long the call is up to the factory's end.
    factory_bytes: usize,
    numbers: Numbers,
}

/// What follows the factory.
#[derive(Deserialize)]
struct Numbers(u64, #[serde(default)] Option<Dependencies>, #[serde(default)] Option<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Dependencies {
    List(Vec<Option<u64>>),
    ByPlace(std::collections::BTreeMap<String, serde_json::Value>),
}

impl Call {
    /// Finds the last `,id…` behind a `}` or `)`; none when the text does not end as a call does.
    fn split(text: &[u8]) -> Option<Self> {
        let whole = text.trim_ascii_end();
        let whole = whole.strip_suffix(b";").unwrap_or(whole).trim_ascii_end();
        let inner = whole.strip_suffix(b")")?;
        let floor = inner.len().saturating_sub(CALL_NUMBERS_MAX_BYTES).max(DEFINE.len() + 1);
        for comma in (floor..inner.len()).rev().filter(|&position| inner[position] == b',') {
            let numbers = inner[comma + 1..].trim_ascii_start();
            let is_behind_factory = matches!(inner[..comma].trim_ascii_end().last(), Some(b'}' | b')'));
            if !is_behind_factory || !numbers.first().is_some_and(u8::is_ascii_digit) {
                continue;
            }
            let json = [b"[", numbers, b"]"].concat();
            if let Ok(numbers) = serde_json::from_slice(&json) {
                return Some(Self { factory_bytes: comma, numbers });
            }
        }
        None
    }

    fn module(self, open: &Open) -> Module {
        let Numbers(id, dependencies, path) = self.numbers;
        Module {
            id: Some(id),
            path,
            offset: Some(open.offset),
            size_bytes: open.text.trim_ascii_end().len() as u64,
            // Without the numbers: one new module renumbers hundreds that did not change.
            content: Some(Sha256::of(&open.text[..self.factory_bytes])),
            dependencies: dependencies.map(Dependencies::ids).unwrap_or_default(),
        }
    }
}

impl Dependencies {
    fn ids(self) -> Vec<u64> {
        match self {
            Self::List(ids) => ids.into_iter().flatten().collect(),
            Self::ByPlace(values) => values.values().filter_map(serde_json::Value::as_u64).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn modules(text: &str) -> Option<Vec<Placed>> {
        read_modules(&mut text.as_bytes()).unwrap()
    }

    #[test]
    fn modules_are_found_with_ids_places_and_dependencies() {
        let text = "var __DEV__=false;\n__d(function(g,r){r(d[0])},0,[1,7]);\n__d((function(){\n  let a = `\n__d(x`;\n}),1);\n\
                    __d(function(){},7,{\"0\":1,\"paths\":{\"1\":\"/a.bundle?x},3\"}});\n__r(0);\n//# sourceMappingURL=x\n";
        let found = modules(text).unwrap();
        let facts: Vec<_> =
            found.iter().map(|p| (p.module.id.unwrap(), p.lines.clone(), p.module.dependencies.clone())).collect();
        assert_eq!(facts, [(0, 1..2, vec![1, 7]), (1, 2..6, vec![]), (7, 6..7, vec![1])]);
        for placed in &found {
            let (offset, size) = (placed.module.offset.unwrap() as usize, placed.module.size_bytes as usize);
            let part = &text[offset..offset + size];
            assert!(part.starts_with("__d(") && part.ends_with(");"), "{part}");
        }
    }

    #[test]
    fn a_development_bundle_names_its_modules() {
        let found = modules("__d(function (global) {\n},12,[3],\"src/App.js\");\n__r(12);").unwrap();
        assert_eq!(found[0].module.path.as_deref(), Some("src/App.js"));
        assert_eq!(found[0].module.dependencies, [3]);
    }

    #[test]
    fn renumbering_leaves_the_content_as_it_is() {
        let before = modules("__d(function(){return 1},5,[6]);").unwrap();
        let after = modules("__d(function(){return 1},9,[10,11]);").unwrap();
        let other = modules("__d(function(){return 2},5,[6]);").unwrap();
        assert_eq!(before[0].module.content, after[0].module.content);
        assert_ne!(before[0].module.content, other[0].module.content);
    }

    #[test]
    fn other_texts_have_no_modules() {
        for text in ["", "var a=1;", "__d(", "__d(function(){});", "__d(1,2)\n"] {
            assert_eq!(modules(text), None, "{text}");
        }
    }

    #[test]
    fn a_module_that_is_too_large_ends_the_search() {
        let text = format!("__d(function(){{}},0);\n__d(function(){{'{}'}},1);\n", "x".repeat(MODULE_MAX_BYTES));
        assert_eq!(modules(&text), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_written_is_read(bodies in prop::collection::vec(("[a-z{}(),;\"'`\\[\\]0-9 \\n]{0,40}", prop::collection::vec(0_u64..5000, 0..6)), 1..20)) {
            let mut text = String::from("var a;\n");
            for (id, (body, dependencies)) in bodies.iter().enumerate() {
                let list = serde_json::to_string(dependencies).unwrap();
                text.push_str(&format!("__d(function(){{{body}}},{id},{list});\n"));
            }
            text.push_str("__r(0);\n");
            let found = modules(&text).unwrap();
            prop_assert_eq!(found.len(), bodies.len());
            for (id, (placed, (_, dependencies))) in found.iter().zip(&bodies).enumerate() {
                prop_assert_eq!(placed.module.id, Some(id as u64));
                prop_assert_eq!(&placed.module.dependencies, dependencies);
            }
        }

        #[test]
        fn noise_never_panics(text in "(__d\\(|__r\\(|[,;(){}\\[\\]\"0-9a-z\\n]){0,200}") {
            let _ = modules(&text);
        }
    }
}
