//! This file's job is to hold the repository to its rules, so that no reviewer has to.
//!
//! Every rule is a function from text to findings; beside it stands a test that feeds it a bad sample.

mod arrows;
mod changelog;
mod finding;
mod licences;
mod lock_file;
mod logging_crates;
mod machine_names;
mod rust_file;
mod source_rules;
mod test_rules;
mod tree;
mod workspace;

use finding::Finding;
use tree::Tree;

/// Fails with every finding at once.
fn expect_none(findings: &[Finding]) {
    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} findings:\n{}", list.len(), list.join("\n"));
}

fn in_rust_files(rule: impl Fn(&rust_file::RustFile<'_>) -> Vec<Finding>) {
    let tree = Tree::load();
    let files: Vec<_> = tree.rust_files().collect();
    assert!(files.len() > 50, "only {} Rust files found: the search is broken", files.len());
    expect_none(&files.iter().flat_map(rule).collect::<Vec<_>>());
}

#[test]
fn arrows_only_go_down() {
    expect_none(&arrows::forbidden_arrows(&arrows::packages()));
}

#[test]
fn every_rust_file_says_its_job_first() {
    in_rust_files(source_rules::first_line);
}

#[test]
fn no_file_is_longer_than_600_lines_without_its_tests() {
    in_rust_files(source_rules::length);
}

#[test]
fn nothing_is_called_utils() {
    let tree = Tree::load();
    expect_none(&tree.paths().flat_map(source_rules::vague_name).collect::<Vec<_>>());
}

#[test]
fn only_command_line_tools_print() {
    in_rust_files(source_rules::prints);
}

#[test]
fn nothing_unwraps_outside_tests() {
    in_rust_files(source_rules::unwraps);
}

#[test]
fn no_test_is_ignored() {
    in_rust_files(test_rules::ignored);
}

#[test]
fn no_test_sleeps_to_synchronise() {
    in_rust_files(test_rules::sleeps);
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let tree = Tree::load();
    expect_none(&tree.texts().flat_map(|(path, text)| machine_names::named(path, text)).collect::<Vec<_>>());
}

#[test]
fn there_is_one_tls_stack() {
    let tree = Tree::load();
    expect_none(&lock_file::foreign_tls(tree.text("Cargo.lock")));
}

#[test]
fn every_dependency_has_an_accepted_licence() {
    expect_none(&licences::unaccepted(&licences::dependencies()));
}

#[test]
fn the_log_knows_which_crates_are_ours() {
    expect_none(&logging_crates::unlisted(&workspace::workspace(), &runtime::log::OWN_CRATES));
}

#[test]
fn unreleased_changes_are_described() {
    let tree = Tree::load();
    expect_none(&changelog::missing_fragments(tree.texts()));
}
