//! This file's job is to read what a process has cost, from Linux's /proc.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// CPU time of a process with all its threads, user plus system, at the kernel's tick of usually 10 ms.
pub fn cpu_time(process_id: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process_id}/stat"))
        .with_context(|| format!("process {process_id} is gone"))?;
    let ticks = cpu_ticks(&stat).with_context(|| format!("unexpected /proc/{process_id}/stat"))?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_micros(ticks * 1_000_000 / ticks_per_second))
}

/// Most memory the process ever held at once, in bytes.
pub fn peak_resident_bytes(process_id: u32) -> Result<u64> {
    status_bytes(process_id, "VmHWM:")
}

/// Memory that the process holds, in bytes.
pub fn resident_bytes(process_id: u32) -> Result<u64> {
    status_bytes(process_id, "VmRSS:")
}

fn status_bytes(process_id: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process_id}/status"))
        .with_context(|| format!("process {process_id} is gone"))?;
    bytes_of(&status, name).with_context(|| format!("unexpected /proc/{process_id}/status"))
}

/// proc(5): the name in parentheses may hold anything; after it, utime and stime are the 12th and 13th words.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut words = after_name.split_whitespace().skip(11);
    Some(words.next()?.parse::<u64>().ok()? + words.next()?.parse::<u64>().ok()?)
}

fn bytes_of(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_spaces_and_parentheses() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 1 0 1 1 1";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("42 (short) S"), None);
    }

    #[test]
    fn the_high_water_mark_is_in_bytes() {
        assert_eq!(bytes_of("VmPeak:\t  9 kB\nVmHWM:\t    2048 kB\n", "VmHWM:"), Some(2048 * 1024));
        assert_eq!(bytes_of("VmPeak: 9 kB", "VmHWM:"), None);
    }

    #[test]
    fn work_shows_in_this_process() {
        let own_id = std::process::id();
        let before = cpu_time(own_id).unwrap();
        let mut sum = 0_u64;
        while cpu_time(own_id).unwrap() < before + Duration::from_millis(30) {
            sum = (0..100_000_u64).fold(sum, |sum, each| std::hint::black_box(sum ^ each));
        }
        assert!(resident_bytes(own_id).unwrap() > 100_000, "{sum}");
        assert!(peak_resident_bytes(own_id).unwrap() > 100_000, "{sum}");
    }
}
