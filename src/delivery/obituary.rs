//! The log's line for each dead letter: a few a second, and how many more there were.

use std::time::{Duration, Instant};

/// How many lines within [`SPAN`].
const LINES: u32 = 10;
const SPAN: Duration = Duration::from_secs(1);

/// Counts lines; see the module.
#[derive(Debug, Default)]
pub(super) struct Obituaries {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Obituaries {
    /// Whether there is to be a line now; and how many were left out since the last one.
    pub(super) fn may_write(&mut self, now: Instant) -> Option<u64> {
        let is_over = |since| now.saturating_duration_since(since) >= SPAN;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.written = 0;
        }
        if self.written == LINES {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_a_second_are_written_and_the_next_one_says_how_many_were_not() {
        let mut lines = Obituaries::default();
        let start = Instant::now();
        let written = (0..25).filter_map(|_| lines.may_write(start)).count();
        assert_eq!(written, 10);
        assert_eq!(lines.may_write(start + SPAN), Some(15));
        assert_eq!(lines.may_write(start + SPAN), Some(0));
    }
}
