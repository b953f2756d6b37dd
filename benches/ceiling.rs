//! The ceiling: newlines counted over a mapped file with some threads, the least that a scan must do.
//!
//! `cargo bench --bench ceiling -- FILE THREADS`; compare the whole process with a whole `dijkwacht match --dry-run` on the same
//! page-cached file, in turn. Without a file there is nothing to count.

#![allow(clippy::print_stdout)] // its output is the result

use dijkwacht::scan::Mapped;
use std::fs::File;
use std::time::Instant;

/// Counts in pieces of so many bytes that a byte can count them; the compiler makes vectors of it.
fn newlines(bytes: &[u8]) -> u64 {
    bytes
        .chunks(255)
        .map(|piece| u64::from(piece.iter().map(|&byte| u8::from(byte == b'\n')).sum::<u8>()))
        .sum()
}

fn main() -> std::io::Result<()> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(path) = words.next() else {
        println!("cargo bench --bench ceiling -- FILE THREADS");
        return Ok(());
    };
    let threads = words.next().and_then(|word| word.parse().ok()).unwrap_or(1).max(1);
    let start = Instant::now();
    let file = File::open(path)?;
    let mapped = Mapped::new(&file, file.metadata()?.len())?;
    let bytes = mapped.bytes();
    let count: u64 = std::thread::scope(|scope| {
        let parts = bytes.chunks(bytes.len().div_ceil(threads).max(1));
        let counting: Vec<_> = parts.map(|part| scope.spawn(move || newlines(part))).collect();
        counting.into_iter().map(|part| part.join().expect("counting does not panic")).sum()
    });
    let seconds = start.elapsed().as_secs_f64();
    println!("{count} newlines, {seconds:.3} s, {:.2} GB/s", bytes.len() as f64 / seconds / 1e9);
    Ok(())
}
