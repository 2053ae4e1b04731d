//! This file's job is to show what devices downloaded of a release's bundle.

use crate::table;
use proto::v1;
use serde::Serialize;
use std::fmt::{Display, Formatter, Result};

/// Everything that devices downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Served(Vec<ServedProduct>);

/// What devices downloaded of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of aloft.v1.ServedProduct")]
pub struct ServedProduct {
    pub product: String,
    pub downloads: u64,
    pub bytes: u64,
    /// Absent for what makes no launch file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_bytes: Option<u64>,
}

impl From<Vec<v1::ServedProduct>> for Served {
    fn from(products: Vec<v1::ServedProduct>) -> Self {
        let product = |served: v1::ServedProduct| {
            let v1::ServedProduct { product, downloads, bytes, full_bytes } = served;
            ServedProduct { product, downloads, bytes, full_bytes: Some(full_bytes).filter(|bytes| *bytes > 0) }
        };
        Self(products.into_iter().map(product).collect())
    }
}

fn percent_saved(bytes: u64, full_bytes: u64) -> u64 {
    (full_bytes.saturating_sub(bytes).saturating_mul(100)).checked_div(full_bytes).unwrap_or(0)
}

impl Display for Served {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let row = |served: &ServedProduct| {
            let saved =
                served.full_bytes.map_or_else(String::new, |full| format!("{} %", percent_saved(served.bytes, full)));
            vec![served.product.clone(), served.downloads.to_string(), table::size(served.bytes), saved]
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        f.write_str("\n")?;
        f.write_str(&table::text(&["served", "downloads", "size", "saved"], &rows))?;
        let launch = self.0.iter().filter_map(|served| Some((served.bytes, served.full_bytes?)));
        let (bytes, full) = launch.fold((0, 0), |(bytes, full), next| (bytes + next.0, full + next.1));
        if full > 0 {
            let (saved, bytes, full) = (percent_saved(bytes, full), table::size(bytes), table::size(full));
            writeln!(f, "Launch files: {bytes} served instead of {full}, {saved} % saved.")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(product: &str, downloads: u64, bytes: u64, full_bytes: u64) -> v1::ServedProduct {
        v1::ServedProduct { product: product.into(), downloads, bytes, full_bytes }
    }

    #[test]
    fn what_patches_saved_is_compared_with_whole_launch_files() {
        let served = Served::from(vec![
            product("asset", 4, 500, 0),
            product("launch-br", 1, 400, 1_000),
            product("patch-dcz", 9, 900, 9_000),
        ]);
        let text = served.to_string();
        assert!(text.ends_with(", 87 % saved.\n"), "{text}");
        assert!(text.lines().any(|line| line.starts_with("patch-dcz") && line.contains("90 %")), "{text}");
        assert!(text.lines().any(|line| line.starts_with("asset") && !line.contains('%')), "{text}");
        assert_eq!(Served::from(vec![]).to_string(), "");
    }

    #[test]
    fn more_than_the_whole_saves_nothing() {
        assert_eq!((percent_saved(11, 10), percent_saved(1, 0)), (0, 0));
    }
}
