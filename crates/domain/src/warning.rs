//! This file's job is to define what is allowed in a bundle, but perhaps not meant.

use crate::text_enum::text_enum;

text_enum! {
    /// What a warning is about. A channel's policy says whether bundles with warnings are refused.
    pub enum WarningKind {
        /// It was built for development: slow, and it looks for a development server.
        DebugBundle => "debug-bundle",
        /// Its assets are laid out for another platform.
        WrongPlatform => "wrong-platform",
        /// A binary that is to run it has another version of Hermes bytecode, and cannot.
        HermesVersion => "hermes-version",
    }
}

text_enum! {
    /// What happens to bundles with warnings.
    pub enum BundlePolicy {
        /// They are taken, with the warnings on them.
        Warn => "warn",
        /// They are refused.
        Refuse => "refuse",
    }
}

/// Something that is allowed, but perhaps not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is.
    pub kind: WarningKind,
    /// For people: names the file or the binary, and what is wrong with it.
    pub message: String,
}

/// Compares bytecode with the binaries that are to run it, each with its name for people and the version of bytecode that it runs. One
/// warning names the first binary that cannot, and how many others there are.
#[must_use]
pub fn hermes_mismatch(bytecode_version: u32, binaries: &[(String, u32)]) -> Option<Warning> {
    let mut unfit = binaries.iter().filter(|(_, runs)| *runs != bytecode_version);
    let (name, runs) = unfit.next()?;
    let others = match unfit.count() {
        0 => String::new(),
        1 => ", and so does another one".to_owned(),
        count => format!(", and so do {count} others"),
    };
    let message = format!(
        "the bundle has Hermes bytecode {bytecode_version}; binary {name} runs {runs} and cannot start it{others}"
    );
    Some(Warning { kind: WarningKind::HermesVersion, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(versions: &[u32]) -> Vec<(String, u32)> {
        versions.iter().map(|version| (format!("1.{version}"), *version)).collect()
    }

    #[test]
    fn a_binary_that_cannot_run_the_bytecode_is_named() {
        assert_eq!(hermes_mismatch(96, &binaries(&[])), None, "nothing is known");
        assert_eq!(hermes_mismatch(96, &binaries(&[96, 96])), None);
        let warning = hermes_mismatch(96, &binaries(&[96, 98, 99, 99])).unwrap();
        assert_eq!(warning.kind, WarningKind::HermesVersion);
        assert!(warning.message.contains("binary 1.98 runs 98") && warning.message.contains("2 others"), "{warning:?}");
    }
}
