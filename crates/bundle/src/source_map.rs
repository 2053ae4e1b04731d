//! This file's job is to read from a source map which source each part of a launch file comes from.
//!
//! Plain and indexed maps of version 3 (ECMA-426). Only what names modules is kept: where the source changes. Names, original
//! positions and the sources' text are passed over; of the text a hash stays, which tells whether a source changed.

use domain::Sha256;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use std::borrow::Cow;

/// A larger map is stored, but not read.
pub(crate) const SOURCE_MAP_MAX_BYTES: usize = 64 << 20;
/// Digits of one number of a mapping: 64 bits in groups of five.
const DIGITS_MAX: u32 = 12;

/// Which source each part of a file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SourceMap {
    pub(crate) sources: Vec<Source>,
    /// In the map's order, which is that of places.
    pub(crate) spans: Vec<Span>,
    /// Where on its line the last mapping begins.
    pub(crate) end_column: i64,
}

/// A source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) path: String,
    /// SHA-256 of its text, when the map has it.
    pub(crate) content: Option<Sha256>,
}

/// From here on the file comes from this source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) line: u32,
    pub(crate) column: i64,
    /// Index into `sources`.
    pub(crate) source: usize,
}

/// A map as it is written; one with sections has no mappings of its own.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(default)]
    version: u32,
    #[serde(default, borrow)]
    sections: Vec<Section<'a>>,
    #[serde(default)]
    sources: Vec<Option<String>>,
    #[serde(default, rename = "sourceRoot")]
    root: Option<String>,
    #[serde(default, rename = "sourcesContent")]
    contents: Option<Vec<Text>>,
    #[serde(default, borrow)]
    mappings: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Section<'a> {
    offset: Offset,
    #[serde(borrow)]
    map: Written<'a>,
}

#[derive(Deserialize)]
struct Offset {
    line: u32,
    column: u32,
}

/// The hash of a source's text.
struct Text(Option<Sha256>);

impl SourceMap {
    /// Reads a map; none when the text is no source map, or is broken.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let written: Written<'_> = serde_json::from_slice(text).ok().filter(|map: &Written<'_>| map.version == 3)?;
        let mut map = Self::default();
        map.add(&written, (0, 0))?;
        for section in &written.sections {
            map.add(&section.map, (section.offset.line, section.offset.column))?;
        }
        map.drop_common_folder();
        Some(map)
    }

    fn add(&mut self, written: &Written<'_>, begin: (u32, u32)) -> Option<()> {
        let (first_source, first_span) = (self.sources.len(), self.spans.len());
        let root = written.root.as_deref().unwrap_or_default();
        for (index, path) in written.sources.iter().enumerate() {
            let path = format!("{root}{}", path.as_deref().unwrap_or_default());
            let content = written.contents.as_ref().and_then(|texts| texts.get(index)?.0);
            self.sources.push(Source { path, content });
        }
        let mut source = 0_i64;
        for (line, mappings) in (begin.0..).zip(written.mappings.split(';')) {
            let mut column = if line == begin.0 { i64::from(begin.1) } else { 0 };
            for mapping in mappings.split(',').filter(|mapping| !mapping.is_empty()) {
                let mut numbers = mapping.bytes();
                column = column.checked_add(number(&mut numbers)??)?;
                if let Some(step) = number(&mut numbers)? {
                    source = source.checked_add(step)?;
                    let index = usize::try_from(source).ok().filter(|&index| index < written.sources.len())?;
                    self.note(Span { line, column, source: first_source + index });
                }
            }
            self.end_column = column;
        }
        if self.spans.len() == first_span && written.sources.len() == 1 {
            // Data that became a module has a section, but no mappings.
            self.note(Span { line: begin.0, column: begin.1.into(), source: first_source });
        }
        Some(())
    }

    fn note(&mut self, span: Span) {
        let is_new = self.spans.last().is_none_or(|last| last.line != span.line || last.source != span.source);
        if is_new {
            self.spans.push(span);
        }
    }

    /// Two machines build in two folders: what all absolute paths begin with says nothing.
    fn drop_common_folder(&mut self) {
        let mut absolute = self.sources.iter().map(|source| source.path.as_str()).filter(|path| path.starts_with('/'));
        let Some(first) = absolute.next() else { return };
        let mut common = first.rfind('/').map_or(0, |slash| slash + 1);
        for path in absolute {
            let same = path.bytes().zip(first.bytes()).take(common).take_while(|(a, b)| a == b).count();
            common = first.as_bytes()[..same].iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        }
        // A slash is never in the middle of a character.
        for source in self.sources.iter_mut().filter(|source| source.path.starts_with('/')) {
            source.path = source.path.split_off(common);
        }
    }
}

/// Reads a number in base 64 with continuation bits. Outside: none when it is broken. Inside: none at the end of the mapping.
#[expect(clippy::option_option, reason = "broken and absent are two things")]
fn number(digits: &mut impl Iterator<Item = u8>) -> Option<Option<i64>> {
    let (mut value, mut shift) = (0_i64, 0);
    loop {
        let Some(character) = digits.next() else { return if shift == 0 { Some(None) } else { None } };
        let digit = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        value |= i64::from(digit & 31) << shift;
        shift += 5;
        if digit & 32 == 0 {
            let magnitude = value >> 1;
            return Some(Some(if value & 1 == 1 { -magnitude } else { magnitude }));
        }
        if shift > 5 * DIGITS_MAX {
            return None;
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hash;
        impl Visitor<'_> for Hash {
            type Value = Text;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or null")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Some(Sha256::of(text.as_bytes()))))
            }
            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(Hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spans(map: &SourceMap) -> Vec<(u32, i64, &str)> {
        map.spans.iter().map(|span| (span.line, span.column, map.sources[span.source].path.as_str())).collect()
    }

    #[test]
    fn a_plain_map_says_where_the_source_changes() {
        // Line 0: nothing; line 1: a at 0 and again at 2, b at 4; line 2: unmapped at 3, b at 5.
        let text = br#"{"version":3,"sources":["a.js","b.js"],"sourcesContent":["let a",null],"names":[],"mappings":";AAAA,EAAA,ECAA;G,EAAA"}"#;
        let map = SourceMap::parse(text).unwrap();
        assert_eq!(spans(&map), [(1, 0, "a.js"), (1, 4, "b.js"), (2, 5, "b.js")]);
        assert_eq!(map.sources[0].content, Some(Sha256::of(b"let a")));
        assert_eq!(map.sources[1].content, None);
        assert_eq!(map.end_column, 5);
    }

    #[test]
    fn an_indexed_map_is_one_map() {
        let text = br#"{"version":3,"sections":[
            {"offset":{"line":0,"column":0},"map":{"version":3,"sources":["/app/a.js"],"names":[],"mappings":"AAAA"}},
            {"offset":{"line":4,"column":2},"map":{"version":3,"sources":["/app/lib/b.js"],"names":[],"mappings":"CAAA;AAAA"}}]}"#;
        let map = SourceMap::parse(text).unwrap();
        assert_eq!(spans(&map), [(0, 0, "a.js"), (4, 3, "lib/b.js"), (5, 0, "lib/b.js")]);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"version":2,"sources":[],"mappings":""}"#,
            r#"{"version":3,"sources":["a"],"mappings":"AC"}"#,
            r#"{"version":3,"sources":["a"],"mappings":"A!"}"#,
            r#"{"version":3,"sources":["a"],"mappings":"ggggggggggggggggA"}"#,
        ] {
            assert!(SourceMap::parse(text.as_bytes()).is_none_or(|map| map.spans.is_empty()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn damaged_mappings_never_panic(mappings in "[A-Za-z0-9+/,;]{0,120}", line: u32, column: u32) {
            let text = format!(r#"{{"version":3,"sections":[{{"offset":{{"line":{line},"column":{column}}},
                "map":{{"sources":["a","b"],"mappings":"{mappings}"}}}}]}}"#);
            if let Some(map) = SourceMap::parse(text.as_bytes()) {
                prop_assert!(map.spans.iter().all(|span| span.source < 2));
            }
        }
    }
}
