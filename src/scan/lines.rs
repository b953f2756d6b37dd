//! Dumps of one record a line: where a line ends, and which lines are no records.
//!
//! A line ends at `\n`, and one `\r` right before it belongs to that end; the last line may lack it. Lines of nothing
//! but spaces, and lines whose first other character is `#`, are no records.

use super::format::{Frame, Head, Window};
use super::record::Reject;
use memchr::memchr;

/// The record whose line begins at `start`, as [`Format::frame`](super::Format::frame) is to answer.
pub(super) fn frame(window: Window<'_>, start: usize, record_bytes_max: usize) -> Frame {
    let rest = &window.bytes[start..];
    let (line, next) = match memchr(b'\n', rest) {
        Some(end) => (rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]), start + end + 1),
        None if !window.at_end => return Frame::More,
        None if rest.is_empty() => return Frame::End,
        None => (rest, window.bytes.len()),
    };
    let is_long = line.len() > record_bytes_max;
    // Of a long line no more is looked at than fits into a record.
    match line[..line.len().min(record_bytes_max)].trim_ascii_start().first() {
        Some(b'#') => Frame::Blank { next },
        None if !is_long => Frame::Blank { next },
        _ if is_long => Frame::Rejected { record_start: start, reason: Reject::TooLong, next },
        _ => Frame::Record { record: start..start + line.len(), next },
    }
}

/// The first start of a line at or after `at`; the window's end where none is seen.
pub(super) fn guess(window: Window<'_>, at: usize) -> usize {
    match at.checked_sub(1) {
        // A line starts at `at` if a newline is right before it.
        Some(before) => {
            memchr(b'\n', &window.bytes[before..]).map_or(window.bytes.len(), |end| before + end + 1)
        }
        None => 0,
    }
}

/// The records of a head that it holds whole.
pub(super) fn of_head<'d>(head: &Head<'d>, record_bytes_max: usize) -> impl Iterator<Item = &'d [u8]> {
    let window = Window { bytes: head.bytes, at_end: head.at_end };
    let mut at = head.mark_bytes();
    std::iter::from_fn(move || {
        loop {
            match frame(window, at, record_bytes_max) {
                Frame::Record { record, next } => {
                    at = next;
                    return Some(&window.bytes[record]);
                }
                Frame::Blank { next } | Frame::Rejected { next, .. } => at = next,
                Frame::More | Frame::End => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Frame) {
        assert_eq!(frame(Window { bytes: text.as_bytes(), at_end: true }, 0, 4), expected, "{text:?}");
    }

    #[test]
    fn a_line_end_is_a_newline_and_one_return_before_it() {
        check("ab", Frame::Record { record: 0..2, next: 2 });
        check("ab\nc", Frame::Record { record: 0..2, next: 3 });
        check("ab\r\nc", Frame::Record { record: 0..2, next: 4 });
        check("ab\r\r\nc", Frame::Record { record: 0..3, next: 5 });
        check("a\rb\nc", Frame::Record { record: 0..3, next: 4 });
        check("ab\r", Frame::Record { record: 0..3, next: 3 });
        check("", Frame::End);
    }

    #[test]
    fn empty_lines_and_comments_are_no_records() {
        for (text, next) in
            [("\nab", 1), ("\r\nab", 2), (" \t\nab", 3), ("#ab\n", 4), (" #\n", 3), ("# 56789\na", 8)]
        {
            check(text, Frame::Blank { next });
        }
    }

    #[test]
    fn a_line_is_too_long_from_one_byte_over_the_maximum() {
        check("1234\n", Frame::Record { record: 0..4, next: 5 });
        check("1234\r\n", Frame::Record { record: 0..4, next: 6 });
        check("12345\n", Frame::Rejected { record_start: 0, reason: Reject::TooLong, next: 6 });
        check("     \n", Frame::Rejected { record_start: 0, reason: Reject::TooLong, next: 6 });
        check("12345", Frame::Rejected { record_start: 0, reason: Reject::TooLong, next: 5 });
    }

    #[test]
    fn a_window_that_ends_in_a_line_asks_for_more() {
        let more = |bytes| frame(Window { bytes, at_end: false }, 0, 4) == Frame::More;
        assert!(more(b"") && more(b"ab") && more(b"ab\r") && more(b"123456789") && more(b"#"));
        assert!(!more(b"ab\n"));
    }

    #[test]
    fn a_guess_is_the_next_start_of_a_line() {
        let window = Window { bytes: b"ab\n\nc", at_end: true };
        let guesses: Vec<usize> = (0..=5).map(|at| guess(window, at)).collect();
        assert_eq!(guesses, [0, 3, 3, 3, 4, 5]);
    }
}
