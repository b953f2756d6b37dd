//! Compressed dumps of many parts: unpacked at once they are what they are one after the other, text and errors.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

use dijkwacht::scan::{Content, Input, Source, SourceOptions};
use flate2::{Compression, GzBuilder};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::fs;
use std::io::Write;
use std::path::Path;

fn pools() -> Vec<Option<ThreadPool>> {
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    vec![None, Some(pool(1)), Some(pool(2)), Some(pool(5))]
}

/// The text, or what is said of it; and how many packed bytes were used up.
fn read(path: &Path, options: &SourceOptions, pool: Option<&ThreadPool>) -> (Result<Vec<u8>, String>, u64) {
    let mut source = match Source::open(&Input::File(path.to_owned()), options.clone()) {
        Ok(source) => source,
        Err(error) => return (Err(error.to_string()), 0),
    };
    let Content::Stream(stream) = &mut source.content else { unreachable!("it is packed") };
    let mut text = Vec::new();
    let outcome = loop {
        match stream.read_into(&mut text, 100_000, pool) {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error.to_string()),
        }
    };
    let used = stream.progress().load(std::sync::atomic::Ordering::Relaxed);
    match outcome {
        Ok(()) => (Ok(text), used),
        Err(error) => (Err(error), 0),
    }
}

fn gzip(text: &[u8], extra: &[u8]) -> Vec<u8> {
    let builder = if extra.is_empty() { GzBuilder::new() } else { GzBuilder::new().extra(extra) };
    let mut encoder = builder.write(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A member that says how long it is, as `bgzip` writes it (SAM specification, 4.1).
fn bgzf(text: &[u8]) -> Vec<u8> {
    let mut block = gzip(text, b"BC\x02\x00??");
    // What does not pack may be too long to say so.
    let Ok(length) = u16::try_from(block.len() - 1) else { return gzip(text, b"") };
    block[16..18].copy_from_slice(&length.to_le_bytes());
    block
}

fn zstd(text: &[u8], is_sized: bool, has_checksum: bool) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(has_checksum).unwrap();
    encoder.include_contentsize(is_sized).unwrap();
    if is_sized {
        encoder.set_pledged_src_size(Some(text.len() as u64)).unwrap();
    }
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn skippable(bytes: &[u8]) -> Vec<u8> {
    [&[0x5A, 0x2A, 0x4D, 0x18][..], &(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

/// Rows, or bytes that do not pack.
fn text(random: &mut fastrand::Rng, length: usize) -> Vec<u8> {
    if random.u8(..8) == 0 {
        return (0..length).map(|_| random.u8(..)).collect();
    }
    let mut text = Vec::new();
    while text.len() < length {
        text.extend(format!("192.0.2.{},{},open\n", random.u8(..), random.u8(..16)).bytes());
    }
    text.truncate(length);
    text
}

/// Parts of one packing, and what they unpack to.
fn parts(random: &mut fastrand::Rng) -> (Vec<u8>, Vec<u8>) {
    let is_gzip = random.bool();
    let (mut packed, mut unpacked) = (Vec::new(), Vec::new());
    for _ in 0..random.usize(1..12) {
        // More than a block of BGZF may hold is a good member all the same.
        let length = [0, 1, 100, 5000, 60_000, 70_000][random.usize(..6)];
        let part = text(random, length);
        packed.extend(match (is_gzip, random.u8(..8)) {
            (true, 0) => gzip(&part, b""),
            (true, 1) => gzip(&part, b"XY\x02\x00??"),
            (true, 2) => gzip(&part, b"XY\x00\x00BC\x02\x00??"),
            (true, _) => bgzf(&part),
            (false, 0) => [skippable(&part), zstd(&part, false, false)].concat(),
            (false, 1) => {
                let long = part.repeat(8);
                unpacked.extend(&long[part.len()..]);
                zstd(&long, random.bool(), true)
            }
            (false, kind) => zstd(&part, kind % 2 == 0, kind % 3 == 0),
        });
        unpacked.extend(part);
    }
    (packed, unpacked)
}

/// Does something to packed bytes, or nothing.
fn damage(random: &mut fastrand::Rng, packed: &mut Vec<u8>) {
    match random.u8(..8) {
        0 | 1 => {
            let at = random.usize(..packed.len());
            packed[at] ^= 1 << random.u8(..8);
        }
        2 => packed.truncate(random.usize(4..packed.len().max(5))),
        3 => packed.extend([0; 100]),
        4 => packed.extend(b"and more"),
        5 => drop(packed.remove(random.usize(4..packed.len()))),
        _ => {}
    }
}

#[test]
fn at_once_text_and_errors_are_those_of_one_after_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let (path, pools) = (directory.path().join("dump"), pools());
    let (mut clean, mut flawed) = (0, 0);
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut packed, unpacked) = parts(&mut random);
        let whole = packed.clone();
        damage(&mut random, &mut packed);
        fs::write(&path, &packed).unwrap();
        let mut options = SourceOptions::default();
        if random.u8(..8) == 0 {
            options.decompressed_bytes_max = random.u64(..=unpacked.len() as u64 + 1);
        }
        let expected = read(&path, &options, None);
        if packed == whole && options.decompressed_bytes_max >= unpacked.len() as u64 {
            assert!(expected == (Ok(unpacked), packed.len() as u64), "seed {seed}");
        }
        match &expected.0 {
            Ok(_) => clean += 1,
            Err(_) => flawed += 1,
        }
        for pool in &pools {
            let got = read(&path, &options, pool.as_ref());
            assert!(got == expected, "seed {seed}: {:?} is not {:?}", got.0.err(), expected.0.err());
        }
    }
    assert!(clean > 100 && flawed > 100, "{clean} {flawed}");
}

#[test]
fn many_more_parts_than_there_is_room_for_are_all_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dump");
    let mut random = fastrand::Rng::with_seed(3);
    let part = text(&mut random, 65_000);
    // Unpacked 130 MB: several batches for each of the pools.
    for (pack, count) in [
        ((|part| bgzf(part)) as fn(&[u8]) -> Vec<u8>, 2000),
        (|part| zstd(part, false, true), 2000),
        (|part| zstd(&part.repeat(20), true, true), 100),
        (|part| zstd(&part.repeat(600), false, true), 4),
    ] {
        let packed = pack(&part);
        fs::write(&path, packed.repeat(count)).unwrap();
        let expected = read(&path, &SourceOptions::default(), None);
        assert!(expected.0.as_ref().is_ok_and(|text| text.len() >= 130_000_000), "{:?}", expected.0.err());
        for pool in &pools()[2..] {
            assert!(read(&path, &SourceOptions::default(), pool.as_ref()) == expected);
        }
    }
}

#[test]
fn a_bomb_of_many_parts_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dump");
    let zeros = vec![0; 65_000];
    for packed in [bgzf(&zeros).repeat(2000), zstd(&zeros.repeat(40), true, true).repeat(50)] {
        fs::write(&path, packed).unwrap();
        for pool in &pools() {
            let (outcome, _) =
                read(&path, &SourceOptions { ratio_max: Some(50), ..Default::default() }, pool.as_ref());
            assert!(outcome.is_err_and(|error| error.contains("50")));
        }
    }
}

#[test]
fn a_frame_that_reaches_beyond_its_window_is_refused_by_every_way_or_by_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dump");
    let mut random = fastrand::Rng::with_seed(11);
    let before = zstd(&text(&mut random, 1 << 20), true, true);
    let far: Vec<u8> = (0..300_000).map(|_| random.u8(..)).collect();
    for is_sized in [false, true] {
        let mut frame = zstd(&far.repeat(3), is_sized, false);
        assert_eq!(frame[4] & 0x20, 0, "a window is told");
        // One of 128 KiB.
        frame[5] = 7 << 3;
        fs::write(&path, [&before[..], &frame, &frame, &frame].concat()).unwrap();
        let expected = read(&path, &SourceOptions::default(), None);
        for pool in &pools() {
            assert!(read(&path, &SourceOptions::default(), pool.as_ref()) == expected, "sized: {is_sized}");
        }
    }
}
