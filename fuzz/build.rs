//! This file's job is to list the targets: every file in fuzz_targets is one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=fuzz_targets");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let (mut modules, mut table) = (String::new(), String::new());
    for path in &files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let _ = writeln!(modules, "#[path = {path:?}]\nmod {name};");
        let _ = writeln!(table, "    Target {{ name: {name:?}, run: {name}::run }},");
    }
    let code = format!("{modules}\n/// Every target, by name.\npub const TARGETS: &[Target] = &[\n{table}];\n");
    let folder = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&folder).join("targets.rs"), code)
}
