//! This file's job is to line up text in columns.

/// Space between two columns.
const GAP: &str = "  ";

/// Writes the rows under their headings, each column as wide as its widest cell, without spaces at line ends.
#[must_use]
pub fn text(headings: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(column, heading)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([heading.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let headings = headings.iter().map(|heading| heading.to_uppercase()).collect();
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(line.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

/// Writes `name  value` lines, leaving out those without a value.
#[must_use]
pub fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let shown = pairs.iter().filter(|(_, value)| !value.is_empty());
    shown.map(|(name, value)| format!("{name:<width$}{GAP}{value}\n")).collect()
}

/// Writes a size in the largest unit that leaves at least one whole number, with one decimal.
#[must_use]
pub fn size(bytes: u64) -> String {
    for (unit, size) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= size {
            let tenths = u128::from(bytes) * 10 / u128::from(size);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["production".to_owned(), "yes".to_owned()], vec!["qa".to_owned(), String::new()]];
        assert_eq!(text(&["name", "on"], &rows), "NAME        ON\nproduction  yes\nqa\n");
    }

    #[test]
    fn sizes_keep_one_decimal() {
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(u64::MAX), "17179869183.9 GiB");
    }
}
