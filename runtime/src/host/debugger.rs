//! Time limits are lifted while somebody looks into the process.

/// Lifts every time limit when it is `1`.
const NO_QUOTA: &str = "BGTASK_NO_QUOTA";

/// Whether the time limits of runs in the process `pid` do not count: a debugger holds it, or the
/// environment of this process says so.
pub(super) fn lifts_limits(pid: u32) -> bool {
    std::env::var_os(NO_QUOTA).is_some_and(|value| value == "1") || is_traced(pid)
}

/// Whether a debugger holds the process; `false` where that cannot be told.
fn is_traced(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status"))
        .is_ok_and(|status| tracer(&status).is_some_and(|tracer| tracer != "0"))
}

/// The debugger's process id, as the kernel shows it.
fn tracer(status: &str) -> Option<&str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracer_is_read_from_what_the_kernel_shows() {
        assert_eq!(tracer("Name:\tx\nTracerPid:\t42\nUid:\t0\n"), Some("42"));
        assert_eq!(tracer("Name:\tx\nTracerPid:\t0\n"), Some("0"));
        assert_eq!(tracer("Name:\tTracerPid\n"), None);
    }

    #[test]
    fn this_process_is_not_traced() {
        assert!(!is_traced(std::process::id()));
        assert!(!is_traced(0));
    }
}
