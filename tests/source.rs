//! Where dumps come from: the same text by every way, damage and change never unnoticed.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

use dijkwacht::scan::{
    Change, Content, Encoding, FlawKind, HEAD_BYTES_MAX, Input, Io, Packing, Source, SourceError,
    SourceErrorKind, SourceOptions,
};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A directory with one dump in it.
struct Dump {
    _directory: TempDir,
    path: PathBuf,
}

impl Dump {
    fn new(bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dump");
        fs::write(&path, bytes).unwrap();
        Self { _directory: directory, path }
    }

    fn open(&self, options: SourceOptions) -> Result<Source, SourceError> {
        Source::open(&Input::File(self.path.clone()), options)
    }
}

/// The whole text, read in pieces.
fn text_of(source: &mut Source, piece_bytes: usize) -> Result<Vec<u8>, SourceError> {
    match &mut source.content {
        Content::Mapped(mapped) => Ok(mapped.bytes().to_vec()),
        Content::Stream(stream) => {
            let mut text = Vec::new();
            while stream.read_into(&mut text, piece_bytes, None)? > 0 {}
            Ok(text)
        }
    }
}

fn read(bytes: &[u8], options: SourceOptions) -> Result<Vec<u8>, SourceError> {
    let dump = Dump::new(bytes);
    let mut source = dump.open(options)?;
    let text = text_of(&mut source, 1000)?;
    source.unchanged().unwrap();
    Ok(text)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn packings(bytes: &[u8]) -> [(Option<Packing>, Vec<u8>); 3] {
    [(None, bytes.to_vec()), (Some(Packing::Gzip), gzip(bytes)), (Some(Packing::Zstd), zstd(bytes))]
}

fn lines(count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..count).flat_map(|_| format!("192.0.2.{},{}\n", random.u8(..), random.u16(..)).into_bytes()).collect()
}

#[test]
fn the_text_is_the_same_by_every_way() {
    for length in [0, 1, 2, 3, 4, 5, 1000, HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX, HEAD_BYTES_MAX + 1, 700_000] {
        let text = &lines(60_000)[..length];
        for (packing, stored) in packings(text) {
            let dump = Dump::new(&stored);
            for io in [Io::Mmap, Io::Read] {
                for piece_bytes in [1, 1000, 1 << 20] {
                    if piece_bytes == 1 && length > 1000 {
                        continue;
                    }
                    let mut source = dump.open(SourceOptions { io, ..Default::default() }).unwrap();
                    assert_eq!(source.packing(), packing);
                    assert_eq!(source.stored_bytes(), Some(stored.len() as u64));
                    let is_mapped = matches!(source.content, Content::Mapped(_));
                    assert_eq!(is_mapped, packing.is_none() && io == Io::Mmap);
                    let head = source.head().unwrap();
                    assert_eq!(
                        (head.bytes, head.at_end),
                        (&text[..length.min(HEAD_BYTES_MAX)], length <= HEAD_BYTES_MAX)
                    );
                    assert_eq!(text_of(&mut source, piece_bytes).unwrap(), text);
                    if let Content::Stream(stream) = &source.content {
                        assert_eq!(stream.decompressed_bytes(), length as u64);
                        assert!(stream.raw_hasher().is_none());
                        let used = stream.progress().load(std::sync::atomic::Ordering::Relaxed);
                        assert_eq!(used, stored.len() as u64);
                    }
                    source.unchanged().unwrap();
                }
            }
        }
    }
}

#[test]
fn a_byte_order_mark_is_kept_for_the_format_to_skip() {
    for (_, stored) in packings(b"\xEF\xBB\xBFip\n") {
        assert_eq!(read(&stored, SourceOptions::default()).unwrap(), b"\xEF\xBB\xBFip\n");
    }
}

#[test]
fn other_encodings_become_utf8_and_the_content_is_hashed_as_it_was() {
    let text = "\u{feff}ip;naam\n192.0.2.1;bücher 😀 €\n".repeat(3000);
    let units = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let western = text.replace(['\u{feff}', '😀'], "");
    let western_raw: Vec<u8> = western.chars().map(|c| if c == '€' { 0x80 } else { c as u8 }).collect();
    let cases = [
        (units(u16::to_le_bytes), text.clone(), None, Encoding::Utf16Le),
        (units(u16::to_be_bytes), text.clone(), None, Encoding::Utf16Be),
        (units(u16::to_le_bytes), text.clone(), Some(Encoding::Windows1252), Encoding::Utf16Le),
        (western_raw, western, Some(Encoding::Windows1252), Encoding::Windows1252),
    ];
    for (raw, expected, declared, encoding) in cases {
        for (_, stored) in packings(&raw) {
            let dump = Dump::new(&stored);
            let mut raw_hasher = blake3::Hasher::new();
            raw_hasher.update(b"2026-11-22\0");
            let options =
                SourceOptions { encoding: declared, raw_hasher: Some(raw_hasher), ..Default::default() };
            let mut source = dump.open(options).unwrap();
            assert_eq!(source.encoding(), encoding);
            assert_eq!(source.head().unwrap().bytes, &expected.as_bytes()[..HEAD_BYTES_MAX]);
            let read = text_of(&mut source, 777).unwrap();
            assert_eq!(String::from_utf8(read.clone()).unwrap(), expected);
            assert_eq!(encoding.raw_bytes(&read), raw.len() as u64);
            let Content::Stream(stream) = &source.content else { panic!("transcoded dumps are streams") };
            assert_eq!(stream.decompressed_bytes(), raw.len() as u64);
            let hash = blake3::hash(&[&b"2026-11-22\0"[..], &raw].concat());
            assert_eq!(stream.raw_hasher().unwrap().finalize(), hash);
        }
    }
}

#[test]
fn all_members_and_frames_are_read() {
    let (a, b) = (lines(3000), lines(20_000));
    let both = [&a[..], &b].concat();
    let check = |stored: &[&[u8]], expected: &[u8]| {
        assert!(read(&stored.concat(), SourceOptions::default()).unwrap() == expected);
    };
    check(&[&gzip(&a), &gzip(&b)], &both);
    check(&[&gzip(&a), &gzip(b""), &gzip(&b), &gzip(b"")], &both);
    check(&[&gzip(&a), &[0; 1]], &a);
    check(&[&gzip(&a), &gzip(&b), &[0; 300_000]], &both);
    check(&[&zstd(&a), &zstd(&b)], &both);
    let skippable = b"\x5A\x2A\x4D\x18\x03\0\0\0abc";
    check(&[skippable, &zstd(&a), skippable, &zstd(&b), skippable], &both);
    check(&[skippable], b"");
    let members: Vec<Vec<u8>> = both.chunks(100).map(gzip).collect();
    check(&members.iter().map(|member| &member[..]).collect::<Vec<_>>(), &both);
}

#[test]
fn every_kind_of_gzip_header_is_read() {
    for fields in 0..16 {
        let has = |field: u8| fields & field != 0;
        let builder = flate2::GzBuilder::new();
        let builder = if has(1) { builder.extra(vec![7; 65_535]) } else { builder };
        let builder = if has(2) { builder.filename("dump.csv") } else { builder };
        let builder = if has(4) { builder.comment("by night") } else { builder };
        let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"192.0.2.1\n").unwrap();
        let mut stored = encoder.finish().unwrap();
        if has(8) {
            // The header's own checksum, which flate2 does not write: over all before the compressed bytes.
            let length = stored.len() - 8 - body_bytes(b"192.0.2.1\n");
            stored[3] |= 2;
            let mut crc = flate2::Crc::new();
            crc.update(&stored[..length]);
            let sum = (crc.sum() as u16).to_le_bytes();
            stored.splice(length..length, sum);
            assert_eq!(read(&stored, SourceOptions::default()).unwrap(), b"192.0.2.1\n");
            stored[length] ^= 1;
            assert!(read(&stored, SourceOptions::default()).is_err());
        } else {
            assert_eq!(read(&stored, SourceOptions::default()).unwrap(), b"192.0.2.1\n");
        }
    }
}

fn body_bytes(bytes: &[u8]) -> usize {
    gzip(bytes).len() - 10 - 8
}

/// The flaw that stored bytes have, and where.
fn flaw_of(stored: &[u8]) -> (FlawKind, u64) {
    match read(stored, SourceOptions::default()) {
        Err(error @ SourceError::Flawed { .. }) => {
            assert_eq!(error.kind(), SourceErrorKind::Data);
            let SourceError::Flawed { flaw, offset, .. } = error else { unreachable!() };
            (flaw, offset)
        }
        Err(error) => panic!("{error}"),
        Ok(text) => panic!("read as {} bytes", text.len()),
    }
}

#[test]
fn a_dump_that_is_cut_off_anywhere_is_an_error() {
    let text = lines(40);
    for stored in [gzip(&text), zstd(&text)] {
        let twice = [&stored[..], &stored].concat();
        for cut in 4..twice.len() {
            if cut != stored.len() {
                assert_eq!(flaw_of(&twice[..cut]), (FlawKind::Truncated, cut as u64), "cut to {cut} bytes");
            }
        }
    }
    // Fewer bytes than a magic number are not known to be compressed but for gzip, whose two no text begins with.
    assert_eq!(flaw_of(&[0x1F, 0x8B]).0, FlawKind::Truncated);
}

#[test]
fn a_flipped_bit_changes_no_text_unnoticed() {
    let text = lines(10);
    for stored in [gzip(&text), zstd(&text)] {
        for bit in 4 * 8..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match read(&flipped, SourceOptions::default()) {
                // The time and system in a header say nothing about the text.
                Ok(read) => assert_eq!(read, text, "bit {bit}"),
                Err(error) => assert_eq!(error.kind(), SourceErrorKind::Data, "bit {bit}: {error}"),
            }
        }
    }
}

#[test]
fn what_follows_the_compressed_bytes_is_an_error_with_its_place() {
    for stored in [gzip(b"192.0.2.1\n"), zstd(b"192.0.2.1\n")] {
        let length = stored.len() as u64;
        assert_eq!(flaw_of(&[&stored[..], b"192.0.2.2\n"].concat()), (FlawKind::Trailing, length));
    }
    let stored = gzip(b"192.0.2.1\n");
    let padded = [&stored[..], &[0, 0], b"x"].concat();
    assert_eq!(flaw_of(&padded), (FlawKind::Trailing, stored.len() as u64 + 2));
}

#[test]
fn a_window_above_the_limit_is_named() {
    // A frame of one empty raw block, with a window of 2^27 and 2^28 bytes.
    let frame = |window_log: u8| [0x28, 0xB5, 0x2F, 0xFD, 0, (window_log - 10) << 3, 1, 0, 0];
    assert_eq!(read(&frame(27), SourceOptions::default()).unwrap(), b"");
    assert_eq!(flaw_of(&frame(28)).0, FlawKind::Window);
    let error = read(&frame(28), SourceOptions::default()).unwrap_err();
    assert!(error.to_string().contains("128 MiB") && error.to_string().contains("zstd --long"), "{error}");
}

#[test]
fn a_decompression_bomb_is_an_error() {
    let zeros = vec![0; 100 << 20];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&zeros).unwrap();
    for stored in [encoder.finish().unwrap(), zstd(&zeros)] {
        let error = read(&stored, SourceOptions::default()).unwrap_err();
        assert!(matches!(error, SourceError::Ratio { .. }), "{error}");
        assert_eq!(error.kind(), SourceErrorKind::Data);
        let patient = SourceOptions { ratio_max: Some(1 << 20), ..Default::default() };
        assert_eq!(read(&stored, patient).unwrap().len(), zeros.len());
    }
}

#[test]
fn a_dump_over_the_size_limit_is_an_error_by_every_way() {
    let text = lines(100);
    for (packing, stored) in packings(&text) {
        for io in [Io::Mmap, Io::Read] {
            let options =
                |decompressed_bytes_max| SourceOptions { io, decompressed_bytes_max, ..Default::default() };
            assert!(read(&stored, options(text.len() as u64)).is_ok());
            let error = read(&stored, options(text.len() as u64 - 1)).unwrap_err();
            assert!(matches!(error, SourceError::TooLarge { .. }), "{packing:?} {io:?}: {error}");
        }
    }
}

#[test]
fn what_is_no_file_is_no_input() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let check = |path: &Path, word: &str| {
        let error = Source::open(&Input::File(path.to_owned()), SourceOptions::default()).err().unwrap();
        assert_eq!(error.kind(), SourceErrorKind::NoInput, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    };
    check(directory.path(), "is a directory");
    check(Path::new("/dev/null"), "is a device");
    check(&path("absent"), "no such file");
    check(&path("absent/dump"), "no such file");
    rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
        .unwrap();
    check(&path("pipe"), "standard input");
    let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
    check(&path("socket"), "is a socket");
    std::os::unix::fs::symlink(path("absent"), path("link")).unwrap();
    check(&path("link"), "no such file");
}

#[test]
fn a_link_to_a_dump_is_followed() {
    let dump = Dump::new(b"192.0.2.1\n");
    let link = dump.path.with_file_name("link");
    std::os::unix::fs::symlink(&dump.path, &link).unwrap();
    let mut source = Source::open(&Input::File(link), SourceOptions::default()).unwrap();
    assert_eq!(text_of(&mut source, 10).unwrap(), b"192.0.2.1\n");
    source.unchanged().unwrap();
}

#[test]
fn what_is_packed_otherwise_says_so() {
    let check = |stored: &[u8], word: &str| {
        let error = read(stored, SourceOptions::default()).unwrap_err();
        assert_eq!(error.kind(), SourceErrorKind::Data);
        assert!(error.to_string().contains(word), "{error}");
    };
    check(b"BZh91AY&SY\0", "is bzip2, which is not read (unpack it first: bzip2 -dc ");
    check(b"\xFD7zXZ\0\0\x04", "is xz, which is not read (unpack it first: xz -dc ");
    check(b"\x04\x22\x4D\x18\x64\x40\xA7\0", "is lz4, which is not read (unpack it first: lz4 -dc ");
}

#[test]
fn a_hostile_name_is_escaped_in_messages() {
    let path = PathBuf::from("/nowhere/\u{1b}[2J\n.csv");
    let error = Source::open(&Input::File(path), SourceOptions::default()).err().unwrap().to_string();
    assert!(!error.contains(['\u{1b}', '\n']), "{error:?}");
}

/// What `unchanged` says after something was done to an opened and read dump.
fn check_changed(stored: &[u8], io: Io, act: impl Fn(&Path), expected: Option<Change>) {
    let dump = Dump::new(stored);
    // A file system's clock may tick as slowly as 4 ms; an old time makes every later one differ.
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&dump.path).unwrap().set_modified(old).unwrap();
    let mut source = dump.open(SourceOptions { io, ..Default::default() }).unwrap();
    text_of(&mut source, 1000).unwrap();
    act(&dump.path);
    match source.unchanged() {
        Ok(()) => assert_eq!(expected, None),
        Err(error @ SourceError::Changed { change, .. }) => {
            assert_eq!(error.kind(), SourceErrorKind::Changed);
            assert_eq!(expected, Some(change));
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_dump_that_changes_while_it_is_read_is_noticed() {
    let text = lines(1000);
    for (_, stored) in packings(&text) {
        for io in [Io::Mmap, Io::Read] {
            let append =
                |path: &Path| File::options().append(true).open(path).unwrap().write_all(b"x").unwrap();
            let overwrite =
                |path: &Path| File::options().write(true).open(path).unwrap().write_all(b"x").unwrap();
            let shrink = |path: &Path| File::options().write(true).open(path).unwrap().set_len(10).unwrap();
            check_changed(&stored, io, |_| {}, None);
            check_changed(&stored, io, append, Some(Change::Written));
            check_changed(&stored, io, overwrite, Some(Change::Written));
            check_changed(&stored, io, shrink, Some(Change::Written));
            check_changed(&stored, io, |path| fs::remove_file(path).unwrap(), Some(Change::Gone));
            let replace = |path: &Path| {
                let other = path.with_file_name("other");
                fs::copy(path, &other).unwrap();
                fs::rename(other, path).unwrap();
            };
            check_changed(&stored, io, replace, Some(Change::Replaced));
        }
    }
}

#[test]
fn a_mapped_dump_that_shrinks_under_the_reader_is_noticed_and_kills_nobody() {
    let dump = Dump::new(&lines(100_000));
    let source = dump.open(SourceOptions::default()).unwrap();
    let Content::Mapped(mapped) = &source.content else { panic!("a plain dump is mapped") };
    File::options().write(true).open(&dump.path).unwrap().set_len(100).unwrap();
    assert_eq!(mapped.bytes().iter().rev().filter(|&&byte| byte != 0).count(), 100);
    assert!(mapped.shrunk());
    assert!(matches!(source.unchanged(), Err(SourceError::Changed { change: Change::Written, .. })));
}

#[test]
fn a_compressed_dump_that_is_being_written_is_changed_and_not_damaged() {
    let stored = gzip(&lines(500_000));
    let dump = Dump::new(&stored);
    let mut source = dump.open(SourceOptions::default()).unwrap();
    source.head().unwrap();
    File::options().write(true).open(&dump.path).unwrap().set_len(stored.len() as u64 - 10).unwrap();
    let error = text_of(&mut source, 1000).unwrap_err();
    assert_eq!(error.kind(), SourceErrorKind::Changed, "{error}");
}

/// Runs an ignored test of this file as a process of its own.
fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

#[test]
fn standard_input_is_read_from_a_pipe_and_from_a_file() {
    let text = lines(100_000);
    for (_, stored) in packings(&text) {
        let dump = Dump::new(&stored);
        let from_file =
            child("child_reads_standard_input").stdin(File::open(&dump.path).unwrap()).output().unwrap();
        let mut process =
            child("child_reads_standard_input").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(&stored).unwrap();
        drop(stdin);
        for output in [from_file, process.wait_with_output().unwrap()] {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains(&blake3::hash(&text).to_string()), "{said}");
        }
    }
}

#[test]
fn a_directory_as_standard_input_is_no_input() {
    let directory = tempfile::tempdir().unwrap();
    let status =
        child("child_reads_standard_input").stdin(File::open(directory.path()).unwrap()).output().unwrap();
    assert!(String::from_utf8_lossy(&status.stderr).contains("NotAFile"));
}

#[test]
#[ignore = "run by standard_input_is_read_from_a_pipe_and_from_a_file"]
fn child_reads_standard_input() {
    let mut source = Source::open(&Input::Stdin, SourceOptions::default()).unwrap();
    let text = text_of(&mut source, 5000).unwrap();
    source.unchanged().unwrap();
    println!("{}", blake3::hash(&text));
}

#[test]
fn a_bus_error_that_somebody_sends_still_kills() {
    use std::os::unix::process::ExitStatusExt;
    let status = child("child_is_sent_a_bus_error").stdout(Stdio::null()).status().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
}

#[test]
#[ignore = "run by a_bus_error_that_somebody_sends_still_kills"]
fn child_is_sent_a_bus_error() {
    a_mapped_dump_that_shrinks_under_the_reader_is_noticed_and_kills_nobody();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::BUS).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(60));
}
