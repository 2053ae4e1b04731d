//! This file's job is to keep rustls with ring the only TLS stack of the Rust code.

use crate::finding::Finding;

/// C libraries and bindings of other stacks.
const FOREIGN: [&str; 6] = ["aws-lc-rs", "aws-lc-sys", "aws-lc-fips-sys", "openssl", "native-tls", "boring-sys"];
/// libpq is a C library compiled against OpenSSL's headers: the one package that may bind it.
const LIBPQ_SOURCE: &str = "pq-src";

/// Every package in Cargo.lock that brings another stack in.
pub fn foreign_tls(lock: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let name = package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or_default().trim_matches('"');
        if FOREIGN.contains(&name) {
            findings.push(Finding::whole("Cargo.lock", format!("has `{name}`; TLS is rustls with ring")));
        }
        let binds_openssl = package.lines().any(|line| line.trim_start().starts_with("\"openssl-sys"));
        if binds_openssl && name != LIBPQ_SOURCE {
            findings.push(Finding::whole("Cargo.lock", format!("`{name}` uses openssl-sys; only {LIBPQ_SOURCE} may")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_stack_is_found() {
        for name in FOREIGN {
            assert_eq!(foreign_tls(&format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n")).len(), 1);
        }
    }

    #[test]
    fn only_libpq_may_bind_openssl() {
        let package = |name: &str| format!("[[package]]\nname = \"{name}\"\ndependencies = [\n \"openssl-sys\",\n]\n");
        assert_eq!(foreign_tls(&package("curl")).len(), 1);
        assert_eq!(foreign_tls(&package(LIBPQ_SOURCE)).len(), 0);
    }

    #[test]
    fn a_name_that_only_begins_the_same_is_fine() {
        assert!(foreign_tls("[[package]]\nname = \"openssl-probe\"\n").is_empty());
    }
}
