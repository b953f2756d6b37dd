//! This process, as /proc tells it. What the system does not tell is 0.

use std::fs;

/// What the process uses.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) minor_faults: u64,
    pub(super) major_faults: u64,
    pub(super) anonymous_bytes: u64,
    pub(super) file_bytes: u64,
    pub(super) shared_bytes: u64,
    pub(super) descriptors: u64,
    pub(super) descriptors_max: u64,
    pub(super) threads: u64,
}

impl Process {
    /// Looks; costs four small files, all below /proc/self: a sandbox may hide the rest.
    pub(super) fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let mut process = Self::default();
        process.take_stat(&read("/proc/self/stat"), ticks);
        process.take_status(&read("/proc/self/status"));
        // One of them is the listing itself.
        process.descriptors =
            fs::read_dir("/proc/self/fd").map_or(0, |fds| fds.count().saturating_sub(1) as u64);
        process.descriptors_max = limit(&read("/proc/self/limits"));
        process
    }

    /// proc(5), `/proc/pid/stat`: what stands after the name, which may hold spaces and brackets.
    fn take_stat(&mut self, stat: &str, ticks: f64) {
        let Some((_, rest)) = stat.rsplit_once(')') else { return };
        // The first is field 3 of the manual.
        let fields: Vec<u64> =
            rest.split_ascii_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
        self.minor_faults = field(10);
        self.major_faults = field(12);
        self.cpu_seconds = (field(14) + field(15)) as f64 / ticks;
        self.threads = field(20);
    }

    fn take_status(&mut self, status: &str) {
        for line in status.lines() {
            let Some((key, value)) = line.split_once(':') else { continue };
            let bytes = || value.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) * 1024;
            match key {
                "RssAnon" => self.anonymous_bytes = bytes(),
                "RssFile" => self.file_bytes = bytes(),
                "RssShmem" => self.shared_bytes = bytes(),
                _ => {}
            }
        }
    }
}

fn limit(limits: &str) -> u64 {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_hides_no_field() {
        let mut process = Process::default();
        let fields: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        process.take_stat(&format!("1 (a) (b c) S {}", fields.join(" ")), 100.0);
        assert_eq!((process.minor_faults, process.major_faults, process.threads), (10, 12, 20));
        assert_eq!(process.cpu_seconds, 0.29);
    }

    #[test]
    fn this_process_has_memory_descriptors_and_threads() {
        let process = Process::look();
        assert!(process.anonymous_bytes > 4096 && process.file_bytes > 4096, "{process:?}");
        assert!(process.descriptors >= 3 && process.descriptors <= process.descriptors_max, "{process:?}");
        assert!(process.threads >= 1 && process.minor_faults > 0, "{process:?}");
    }

    #[test]
    fn what_is_not_told_is_nothing() {
        let mut process = Process::default();
        process.take_stat("", 100.0);
        process.take_status("RssAnon: many kB\nVmRSS\n");
        assert_eq!(process, Process::default());
        assert_eq!(limit("Max open files unlimited"), 0);
    }
}
