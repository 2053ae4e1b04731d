//! This file's job is to hold the rules for code that ships.

use crate::finding::Finding;
use crate::rust_file::RustFile;

/// The hard stop; 400 is what to aim for.
const LONGEST_FILE_LINES: usize = 600;
/// Names that say nothing about what is inside.
const VAGUE_NAMES: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "stuff"];
/// Packages that talk to a person through standard output. A service's `main.rs` does too, before its log is set up and
/// for the first key, which must not stand in a log.
const PRINTING: [&str; 3] = ["cli/", "xtask/", "standalone/"];

/// The first line says the file's one job.
pub fn first_line(file: &RustFile<'_>) -> Vec<Finding> {
    if file.first_line().starts_with("//! This file's job is ") {
        return Vec::new();
    }
    vec![Finding::at(file.path, 0, "the first line is not `//! This file's job is …`")]
}

/// Files stay short enough to be read whole.
pub fn length(file: &RustFile<'_>) -> Vec<Finding> {
    let length = file.length();
    if length <= LONGEST_FILE_LINES {
        return Vec::new();
    }
    vec![Finding::whole(file.path, format!("{length} lines; split it ({LONGEST_FILE_LINES} at most)"))]
}

/// No folder and no file has a name under which anything could hide.
pub fn vague_name(path: &str) -> Vec<Finding> {
    let stem = |part: &str| part.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let parts = path.split('/').map(stem).filter(|part| VAGUE_NAMES.contains(&part.as_str()));
    parts.map(|part| Finding::whole(path, format!("`{part}` says nothing; name the job"))).collect()
}

/// Services log through tracing; only command-line tools print.
pub fn prints(file: &RustFile<'_>) -> Vec<Finding> {
    // The entrances of programs: some tools' own, and the one that all roles share.
    let entrances = ["src/main.rs", "build.rs", "crates/runtime/src/process.rs"];
    let is_entrance =
        entrances.iter().any(|entrance| file.path.ends_with(entrance)) || file.path.contains("/examples/");
    if is_entrance || PRINTING.iter().any(|prefix| file.path.starts_with(prefix)) {
        return Vec::new();
    }
    let macros = ["println!", "print!", "dbg!"];
    let found = file.shipped().filter(|(_, line)| macros.iter().any(|name| calls_macro(line, name)));
    found.map(|(index, _)| Finding::at(file.path, index, "prints; use tracing")).collect()
}

/// A panic in a service is an outage: `expect` with the reason why it cannot happen, or an error. Examples are measurements, which
/// have failed when they cannot go on.
pub fn unwraps(file: &RustFile<'_>) -> Vec<Finding> {
    if file.path.contains("/examples/") {
        return Vec::new();
    }
    let forbidden = [".unwrap()", ".unwrap_err()", "todo!(", "unimplemented!("];
    let found = file.shipped().filter(|(_, line)| forbidden.iter().any(|text| line.contains(text)));
    found.map(|(index, line)| Finding::at(file.path, index, format!("can panic: {}", line.trim()))).collect()
}

/// `println!` is found in `println!` and `eprintln!`, but not in `my_println!`.
fn calls_macro(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].strip_suffix('e').unwrap_or(&line[..at]);
        !before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == '"')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = "crates/domain/src/ids.rs";

    fn count(rule: fn(&RustFile<'_>) -> Vec<Finding>, path: &str, text: &str) -> usize {
        rule(&RustFile::new(path, text)).len()
    }

    #[test]
    fn a_file_without_a_job_is_found() {
        assert_eq!(count(first_line, SHIPPED, "//! Ids.\n"), 1);
        assert_eq!(count(first_line, SHIPPED, ""), 1);
        assert_eq!(count(first_line, SHIPPED, "//! This file's job is to name ids.\n"), 0);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        assert_eq!(count(length, SHIPPED, &"code\n".repeat(601)), 1);
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", "code\n".repeat(600), "code\n".repeat(600));
        assert_eq!(count(length, SHIPPED, &tested), 0);
    }

    #[test]
    fn a_vague_name_is_found_as_file_and_as_folder() {
        assert_eq!(vague_name("worker/src/utils.rs").len(), 1);
        assert_eq!(vague_name("worker/src/Common/jobs.rs").len(), 1);
        assert_eq!(vague_name("worker/src/commons_licence.rs").len(), 0);
    }

    #[test]
    fn a_service_that_prints_is_found() {
        for line in ["println!(\"x\");", "    eprintln!(\"x\");", "eprint!(\"x\");", "let y = dbg!(x);"] {
            assert_eq!(count(prints, "worker/src/lib.rs", line), 1, "{line}");
            assert_eq!(count(prints, "cli/src/main.rs", line), 0, "{line}");
            assert_eq!(count(prints, "worker/src/main.rs", line), 0, "{line}");
            assert_eq!(count(prints, "worker/tests/jobs.rs", line), 0, "{line}");
            assert_eq!(count(prints, "worker/examples/cost.rs", line), 0, "{line}");
        }
        assert_eq!(count(prints, "worker/src/lib.rs", "// println!(\"x\")\nmy_println!(\"x\");"), 0);
    }

    #[test]
    fn an_unwrap_is_found_outside_tests_only() {
        let text = "x.unwrap();\ny.unwrap_or(1);\n// z.unwrap()\n#[cfg(test)]\nmod tests {\n    x.unwrap();\n}\n";
        assert_eq!(count(unwraps, SHIPPED, text), 1);
        assert_eq!(count(unwraps, SHIPPED, "todo!()"), 1);
        assert_eq!(count(unwraps, "crates/db/examples/load.rs", text), 0);
    }
}
