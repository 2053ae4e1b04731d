//! This file's job is to say what differs between two bundles: modules and files, with bytes.

use crate::contents::{Contents, Module};
use domain::Sha256;
use domain::bundle::{BundleFile, FileRole};
use std::collections::{BTreeMap, HashMap};

/// A bundle to compare.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its files.
    pub files: &'a [BundleFile],
    /// What is known of their inside.
    pub contents: &'a Contents,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Whether both launch files' modules are known; otherwise no changes of modules are listed.
    pub has_modules: bool,
    /// The changes: files before modules, each sorted by name.
    pub changes: Vec<Change>,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The file that is run.
    Launch,
    /// Another file.
    Asset,
    /// A module of the launch file.
    Module,
}

/// How something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Only the new bundle has it.
    Added,
    /// Only the old bundle has it.
    Removed,
    /// Both have it, with another content.
    Changed,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// A path; `module 12` for a module without one.
    pub name: String,
    /// How it changed.
    pub kind: ChangeKind,
    /// Size in the old bundle; 0 when it was added.
    pub before_bytes: u64,
    /// Size in the new bundle; 0 when it was removed.
    pub after_bytes: u64,
    /// Width and height in pixels of an image, in the new bundle when it is there.
    pub pixels: Option<(u32, u32)>,
}

/// Compares two bundles.
#[must_use]
pub fn compare(old: Side<'_>, new: Side<'_>) -> Comparison {
    let mut changes = Vec::new();
    let is_same = match (launch(old.files), launch(new.files)) {
        (Some(before), Some(after)) if before.sha256 != after.sha256 => {
            changes.push(changed(Subject::Launch, after.path.clone(), before.size_bytes, after.size_bytes));
            false
        }
        (Some(_), Some(_)) | (None, _) | (_, None) => true,
    };
    compare_assets(old, new, &mut changes);
    let has_modules = !old.contents.modules.is_empty() && !new.contents.modules.is_empty();
    if has_modules && !is_same {
        compare_modules(&old.contents.modules, &new.contents.modules, &mut changes);
    }
    changes.sort();
    Comparison { has_modules: has_modules || is_same, changes }
}

fn launch(files: &[BundleFile]) -> Option<&BundleFile> {
    files.iter().find(|file| file.role == FileRole::Launch)
}

/// A file's hash, size and pixels.
type Facts = (Sha256, u64, Option<(u32, u32)>);

/// Assets under the names that developers know.
fn assets<'a>(side: Side<'a>) -> BTreeMap<&'a str, Facts> {
    let known: HashMap<&str, _> = side.contents.assets.iter().map(|asset| (asset.path.as_str(), asset)).collect();
    let mut named = BTreeMap::new();
    for file in side.files.iter().filter(|file| file.role == FileRole::Asset) {
        let asset = known.get(file.path.as_str());
        let name = asset.and_then(|asset| asset.name.as_deref()).unwrap_or(&file.path);
        named.insert(name, (file.sha256, file.size_bytes, asset.and_then(|asset| asset.pixels)));
    }
    named
}

fn compare_assets(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) {
    let (before, mut after) = (assets(old), assets(new));
    for (name, (hash, size_bytes, pixels)) in before {
        let change = match after.remove(name) {
            None => Change { pixels, ..removed(Subject::Asset, name.to_owned(), size_bytes) },
            Some((other, after_bytes, pixels)) if other != hash => {
                Change { pixels, ..changed(Subject::Asset, name.to_owned(), size_bytes, after_bytes) }
            }
            Some(_) => continue,
        };
        changes.push(change);
    }
    let added = |(name, (_, size_bytes, pixels)): (&str, Facts)| Change {
        pixels,
        ..added(Subject::Asset, name.to_owned(), size_bytes)
    };
    changes.extend(after.into_iter().map(added));
}

/// Modules with a path are compared by path. Those without are numbered anew with every module that comes or goes: the same contents
/// are taken away, and what is left between the same two neighbours is the same module, changed.
fn compare_modules(old: &[Module], new: &[Module], changes: &mut Vec<Change>) {
    let by_path = |modules: &[Module]| modules.iter().all(|module| module.path.is_some());
    let pairs = if by_path(old) && by_path(new) { pair_by_path(old, new) } else { pair_by_place(old, new) };
    for (before, after) in pairs {
        let change = match (before, after) {
            (Some(before), Some(after)) if is_same(before, after) => continue,
            (Some(before), Some(after)) => changed(Subject::Module, name(after), before.size_bytes, after.size_bytes),
            (Some(before), None) => removed(Subject::Module, name(before), before.size_bytes),
            (None, Some(after)) => added(Subject::Module, name(after), after.size_bytes),
            (None, None) => continue,
        };
        changes.push(change);
    }
}

fn is_same(before: &Module, after: &Module) -> bool {
    match (before.content, after.content) {
        (Some(before), Some(after)) => before == after,
        // A source map without sources: sizes are all there is.
        (None, _) | (_, None) => before.size_bytes == after.size_bytes,
    }
}

type Pairs<'a> = Vec<(Option<&'a Module>, Option<&'a Module>)>;

fn pair_by_path<'a>(old: &'a [Module], new: &'a [Module]) -> Pairs<'a> {
    let mut pairs: BTreeMap<Option<&str>, (Option<&Module>, Option<&Module>)> = BTreeMap::new();
    for module in old {
        pairs.entry(module.path.as_deref()).or_default().0 = Some(module);
    }
    for module in new {
        pairs.entry(module.path.as_deref()).or_default().1 = Some(module);
    }
    pairs.into_values().collect()
}

fn pair_by_place<'a>(old: &'a [Module], new: &'a [Module]) -> Pairs<'a> {
    let mut unmatched: HashMap<Option<Sha256>, usize> = HashMap::new();
    for module in old {
        *unmatched.entry(module.content).or_default() += 1;
    }
    let mut common: HashMap<Option<Sha256>, usize> = HashMap::new();
    for module in new {
        if let Some(left) = unmatched.get_mut(&module.content).filter(|left| **left > 0) {
            *left -= 1;
            *common.entry(module.content).or_default() += 1;
        }
    }
    let (before, mut after) = (gaps(old, common.clone()), gaps(new, common));
    let mut pairs = Vec::new();
    for (neighbour, before) in before {
        let after = after.remove(&neighbour).unwrap_or_default();
        let longer = before.len().max(after.len());
        pairs.extend((0..longer).map(|index| (before.get(index).copied(), after.get(index).copied())));
    }
    pairs.extend(after.into_values().flatten().map(|module| (None, Some(module))));
    pairs
}

/// The modules that the other bundle lacks, under the last one before them that both have; how often that one occurred before it.
fn gaps(
    modules: &[Module],
    mut common: HashMap<Option<Sha256>, usize>,
) -> BTreeMap<(Option<Sha256>, usize), Vec<&Module>> {
    let mut gaps: BTreeMap<_, Vec<&Module>> = BTreeMap::new();
    let mut neighbour = (None, 0);
    for module in modules {
        match common.get_mut(&module.content).filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                neighbour = (module.content, *left + 1);
            }
            None => gaps.entry(neighbour).or_default().push(module),
        }
    }
    gaps
}

fn name(module: &Module) -> String {
    match (&module.path, module.id) {
        (Some(path), _) => path.clone(),
        (None, Some(id)) => format!("module {id}"),
        (None, None) => "module".to_owned(),
    }
}

const fn changed(subject: Subject, name: String, before_bytes: u64, after_bytes: u64) -> Change {
    Change { subject, name, kind: ChangeKind::Changed, before_bytes, after_bytes, pixels: None }
}

const fn removed(subject: Subject, name: String, before_bytes: u64) -> Change {
    Change { subject, name, kind: ChangeKind::Removed, before_bytes, after_bytes: 0, pixels: None }
}

const fn added(subject: Subject, name: String, after_bytes: u64) -> Change {
    Change { subject, name, kind: ChangeKind::Added, before_bytes: 0, after_bytes, pixels: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn module(id: u64, path: Option<&str>, text: &str) -> Module {
        Module {
            id: Some(id),
            path: path.map(str::to_owned),
            offset: None,
            size_bytes: text.len() as u64,
            content: Some(Sha256::of(text.as_bytes())),
            dependencies: Vec::new(),
        }
    }

    fn file(path: &str, bytes: &[u8], role: FileRole) -> BundleFile {
        BundleFile { path: path.into(), sha256: Sha256::of(bytes), size_bytes: bytes.len() as u64, role }
    }

    fn modules_changed(old: &[Module], new: &[Module]) -> Vec<(ChangeKind, String)> {
        let files = |bytes: &[u8]| vec![file("main", bytes, FileRole::Launch)];
        let contents = |modules: &[Module]| Contents { modules: modules.to_vec(), ..Contents::default() };
        let (old_files, new_files, old, new) = (files(b"1"), files(b"2"), contents(old), contents(new));
        let compared = compare(Side { files: &old_files, contents: &old }, Side { files: &new_files, contents: &new });
        let modules = compared.changes.into_iter().filter(|change| change.subject == Subject::Module);
        modules.map(|change| (change.kind, change.name)).collect()
    }

    #[test]
    fn a_new_module_that_renumbers_the_others_is_the_only_change() {
        let old: Vec<_> = ["a", "b", "c"].iter().zip(0..).map(|(text, id)| module(id, None, text)).collect();
        let new: Vec<_> = ["a", "new", "b", "c"].iter().zip(0..).map(|(text, id)| module(id, None, text)).collect();
        assert_eq!(modules_changed(&old, &new), [(ChangeKind::Added, "module 1".into())]);
        assert_eq!(modules_changed(&new, &old), [(ChangeKind::Removed, "module 1".into())]);
    }

    #[test]
    fn a_module_between_the_same_neighbours_has_changed() {
        let old: Vec<_> = ["a", "b", "c", "c"].iter().zip(0..).map(|(text, id)| module(id, None, text)).collect();
        let new: Vec<_> = ["a", "B!", "c", "c", "d"].iter().zip(0..).map(|(text, id)| module(id, None, text)).collect();
        let expected = [(ChangeKind::Changed, "module 1".into()), (ChangeKind::Added, "module 4".into())];
        assert_eq!(modules_changed(&old, &new), expected);
    }

    #[test]
    fn modules_with_paths_are_compared_by_path() {
        let old = [module(0, Some("a.js"), "1"), module(1, Some("b.js"), "2"), module(2, Some("gone.js"), "3")];
        let new = [module(0, Some("b.js"), "2"), module(1, Some("a.js"), "4"), module(2, Some("new.js"), "3")];
        let expected = [
            (ChangeKind::Changed, "a.js".into()),
            (ChangeKind::Removed, "gone.js".into()),
            (ChangeKind::Added, "new.js".into()),
        ];
        assert_eq!(modules_changed(&old, &new), expected);
    }

    #[test]
    fn assets_are_known_by_what_developers_call_them() {
        let contents = |path: &str| Contents {
            assets: vec![crate::Asset { path: path.into(), name: Some("a.png".into()), pixels: Some((1, 2)) }],
            ..Contents::default()
        };
        let (old, new) = (contents("assets/0a"), contents("assets/0b"));
        let old_files = [file("x.hbc", b"same", FileRole::Launch), file("assets/0a", b"old", FileRole::Asset)];
        let new_files = [file("y.hbc", b"same", FileRole::Launch), file("assets/0b", b"newer", FileRole::Asset)];
        let compared = compare(Side { files: &old_files, contents: &old }, Side { files: &new_files, contents: &new });
        let expected = Change { pixels: Some((1, 2)), ..changed(Subject::Asset, "a.png".into(), 3, 5) };
        assert_eq!(compared, Comparison { has_modules: true, changes: vec![expected] });
    }

    proptest! {
        #[test]
        fn sizes_of_the_changes_add_up(old in prop::collection::vec("[ab]{0,3}", 0..12), new in prop::collection::vec("[ab]{0,3}", 1..12)) {
            let list = |texts: &[String]| -> Vec<Module> {
                texts.iter().zip(0..).map(|(text, id)| module(id, None, text)).collect()
            };
            let (old, new) = (list(&old), list(&new));
            let sum = |modules: &[Module]| modules.iter().map(|module| i128::from(module.size_bytes)).sum::<i128>();
            let mut changes = Vec::new();
            compare_modules(&old, &new, &mut changes);
            let delta: i128 = changes.iter().map(|change| i128::from(change.after_bytes) - i128::from(change.before_bytes)).sum();
            prop_assert_eq!(delta, sum(&new) - sum(&old));
            let mut none = Vec::new();
            compare_modules(&new, &new, &mut none);
            prop_assert!(none.is_empty());
        }
    }
}
