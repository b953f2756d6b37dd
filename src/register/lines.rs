//! Lines of a text that is read as a stream.

use crate::register::merge::Sink;
use std::io::{self, BufRead};

/// Calls `take` with each line, its number from 1, and the line without its end; one that is too long is skipped and counted.
pub(super) fn each(
    reader: &mut dyn BufRead,
    line_bytes_max: usize,
    sink: &mut Sink<'_>,
    mut take: impl FnMut(&mut Sink<'_>, u32, &[u8]),
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let (read, whole) = read_line(reader, line_bytes_max, &mut line)?;
        if !read {
            break;
        }
        match whole {
            true => take(sink, number, line.trim_ascii_end()),
            false => sink.skip(number, || {
                format!("line is longer than {line_bytes_max} bytes (is the file damaged?)")
            }),
        }
        sink.progress_of_source();
    }
    Ok(())
}

/// Appends a line without its newline, as far as there is room; whether there was one, and whether it is whole.
fn read_line(reader: &mut dyn BufRead, bytes_max: usize, line: &mut Vec<u8>) -> io::Result<(bool, bool)> {
    let (mut read, mut whole) = (false, true);
    loop {
        let bytes = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() {
            return Ok((read, whole));
        }
        read = true;
        let newline = memchr::memchr(b'\n', bytes);
        let part = &bytes[..newline.unwrap_or(bytes.len())];
        let room = bytes_max.saturating_sub(line.len());
        whole &= part.len() <= room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(newline.is_some());
        reader.consume(used);
        if newline.is_some() {
            return Ok((read, whole));
        }
    }
}
