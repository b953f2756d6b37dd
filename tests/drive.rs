//! The drive over a dump: the same records, counts, positions and hash however the dump is read, cut and compressed;
//! and a dump that changes under a run publishes nothing.
//!
//! The oracle is a map swept as one chunk, whose sweep has oracles of its own (`tests/delimited.rs`, `tests/json.rs`,
//! `tests/lists.rs`). Generated dumps are short and their longest record is shorter, so that every window, carry and
//! skip of a stream happens many times. More of them: `DIJKWACHT_SWEEP=20000 cargo test --release --test drive`.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

use dijkwacht::index::Index;
use dijkwacht::matcher::{Accepted, CHUNK_BYTES, DriveError, DriveOptions, Driven, Judge, drive};
use dijkwacht::moment::{Day, Moment};
use dijkwacht::pipeline::{
    Against, Destination, FeedFacts, Job, Progress, Reading, RunError, RunReport, State,
};
use dijkwacht::policy::{Rulebook, Senders};
use dijkwacht::register::{ReadOptions, Register};
use dijkwacht::scan::{
    Content, Encoding, Format, FormatOptions, Input, Io, Mapped, Reject, Source, SourceErrorKind,
    SourceOptions, open_format,
};
use dijkwacht::spool::{Spool, SpoolOptions};
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use tempfile::TempDir;

/// Every record whose address lies in documentation space is handed to the judge, but for a hole.
const REGISTER: &str = "\
owner_id,role,network,contact
a,network,192.0.2.0/25,a@example.net
b,network,198.51.100.0/24,b@example.net
c,network,2001:db8::/33,c@example.net
";

fn index() -> Index {
    let sources: [(&str, &[u8]); 1] = [("register.csv", REGISTER.as_bytes())];
    let (register, _) = Register::read_bytes(&sources, &ReadOptions::default()).unwrap();
    Index::build(&register).unwrap()
}

/// A directory for dumps.
struct Work {
    directory: TempDir,
    index: Index,
}

impl Work {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), index: index() }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

/// Everything that a drive tells.
#[derive(PartialEq, Debug, Default)]
struct Seen {
    records: u64,
    unmatched: u64,
    unmatched_special: u64,
    rejected: [u64; Reject::ALL.len()],
    /// Number, offset, reason.
    rejects: Vec<(u64, u64, Reject)>,
    /// Number, offset, bytes.
    candidates: Vec<(u64, u64, Vec<u8>)>,
    hash: Option<blake3::Hash>,
}

impl Judge for Seen {
    type Batch = Vec<(u64, usize, Vec<u8>)>;
    type Error = Infallible;

    fn judge(&self, batch: &mut Self::Batch, number: u64, start: usize, record: &[u8]) {
        batch.push((number, start, record.to_vec()));
    }

    fn accept(&mut self, chunk: Accepted<'_, Self::Batch>) -> Result<(), Infallible> {
        assert_eq!(chunk.records_before, self.records);
        self.records += chunk.tally.records;
        self.unmatched += chunk.tally.unmatched;
        self.unmatched_special += chunk.tally.unmatched_special;
        self.rejected.iter_mut().zip(chunk.tally.rejected).for_each(|(all, here)| *all += here);
        for reject in &chunk.tally.rejected_first {
            let number = chunk.records_before + reject.number;
            self.rejects.push((number, (chunk.dump_offset)(reject.start), reject.reason));
        }
        for (number, start, record) in chunk.batch {
            self.candidates.push((chunk.records_before + number, (chunk.dump_offset)(start), record));
        }
        Ok(())
    }
}

/// How a dump is read.
#[derive(Clone, Copy, Debug)]
struct How {
    io: Io,
    chunk_bytes: usize,
    encoding: Option<Encoding>,
}

const ONE_CHUNK: How = How { io: Io::Mmap, chunk_bytes: 1 << 30, encoding: None };

/// What precedes the content in its hash.
const OBSERVED: &[u8] = b"2026-11-22\0";

struct Dump<'a> {
    index: &'a Index,
    format: &'a str,
    record_bytes_max: usize,
}

impl Dump<'_> {
    fn open(&self, path: &Path, how: How) -> (Source, Box<dyn Format>) {
        let mut raw_hasher = blake3::Hasher::new();
        raw_hasher.update(OBSERVED);
        let options = SourceOptions {
            io: how.io,
            encoding: how.encoding,
            raw_hasher: Some(raw_hasher),
            ..SourceOptions::default()
        };
        let mut source = Source::open(&Input::File(path.to_owned()), options).unwrap();
        let options = FormatOptions { record_bytes_max: self.record_bytes_max, ..FormatOptions::default() };
        let opened = open_format(&source.head().unwrap(), None, Some(self.format), options).unwrap();
        (source, opened.format)
    }

    fn drive(&self, path: &Path, how: How, cancelled: &AtomicBool) -> Result<Seen, DriveError<Infallible>> {
        let (mut source, format) = self.open(path, how);
        let mut seen = Seen::default();
        let options = DriveOptions {
            chunk_bytes: how.chunk_bytes,
            record_bytes_max: self.record_bytes_max,
            hash_prefix: Some(OBSERVED),
            keeps_all_rejects: true,
            is_read_again: false,
            pool: None,
            cancelled,
            progress: &|_| {},
        };
        let Driven { records, hash, .. } = drive(&mut source, &*format, self.index, &mut seen, options)?;
        source.unchanged().unwrap();
        assert_eq!(records, seen.records);
        seen.hash = match &source.content {
            Content::Stream(stream) => stream.raw_hasher().map(blake3::Hasher::finalize).or(hash),
            Content::Mapped(_) => hash,
        };
        let judged = seen.unmatched + seen.rejected.iter().sum::<u64>() + seen.candidates.len() as u64;
        assert_eq!(judged, seen.records, "each record is in exactly one");
        seen.rejects.sort_unstable();
        Ok(seen)
    }

    fn seen(&self, path: &Path, how: How) -> Seen {
        self.drive(path, how, &AtomicBool::new(false)).unwrap()
    }
}

fn hash_of(content: &[u8]) -> Option<blake3::Hash> {
    Some(blake3::hash(&[OBSERVED, content].concat()))
}

/// By every way and in any chunks, the dump is what it is in one.
fn check(work: &Work, dump: &Dump<'_>, text: &str, chunks: &[usize], why: &str) -> Seen {
    let plain = work.write("dump", text.as_bytes());
    let packed = work.write("dump.gz", &gzip(text.as_bytes()));
    let expected = dump.seen(&plain, ONE_CHUNK);
    assert_eq!(expected.hash, hash_of(text.as_bytes()), "{why}");
    for (number, offset, record) in &expected.candidates {
        let at = *offset as usize;
        assert_eq!(&text.as_bytes()[at..at + record.len()], record, "record {number}, {why}");
    }
    for &chunk_bytes in chunks {
        let ways = [(&plain, Io::Mmap), (&plain, Io::MmapOnce), (&plain, Io::Read), (&packed, Io::Mmap)];
        for (way, (path, io)) in ways.into_iter().enumerate() {
            let seen = dump.seen(path, How { io, chunk_bytes, encoding: None });
            assert_eq!(seen, expected, "way {way}, chunks of {chunk_bytes}, {why}:\n{text:?}");
        }
    }
    expected
}

/// The same text in another encoding: the same records, at the positions that they have there.
fn check_transcoded(work: &Work, dump: &Dump<'_>, text: &str, chunk_bytes: usize, why: &str) {
    let marked = format!("\u{feff}{text}");
    let mut expected = dump.seen(&work.write("dump", marked.as_bytes()), ONE_CHUNK);
    let raw_offset = |at: u64| 2 * marked[..at as usize].encode_utf16().count() as u64;
    expected.rejects.iter_mut().for_each(|(_, offset, _)| *offset = raw_offset(*offset));
    expected.candidates.iter_mut().for_each(|(_, offset, _)| *offset = raw_offset(*offset));
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        let raw = utf16(&marked, order);
        let path = work.write("dump16", &raw);
        expected.hash = hash_of(&raw);
        let seen = dump.seen(&path, How { io: Io::Mmap, chunk_bytes, encoding: None });
        assert_eq!(seen, expected, "UTF-16, chunks of {chunk_bytes}, {why}:\n{text:?}");
    }
}

/// The productions of generated dumps.
struct Maker {
    random: fastrand::Rng,
    record_bytes_max: usize,
}

impl Maker {
    fn address(&mut self) -> String {
        let n = self.random.u8(..);
        match self.random.u8(..8) {
            0 => format!("2001:db8::{n:x}"),
            1 => format!("2001:db8:8000::{n:x}"),
            2 => format!("198.51.100.{n}"),
            3 => "192.0.2".to_owned(),
            _ => format!("192.0.2.{n}"),
        }
    }

    /// A length around the longest record: below, at, just above, far above.
    fn length(&mut self) -> usize {
        let max = self.record_bytes_max as i64;
        let near = self.random.i64(-3..=3);
        match self.random.u8(..4) {
            0 => self.random.usize(..=self.record_bytes_max),
            1 | 2 => (max + near).max(0) as usize,
            _ => self.random.usize(self.record_bytes_max..=8 * self.record_bytes_max + 64),
        }
    }

    /// So many bytes of text without a newline.
    fn filler(&mut self, length: usize) -> String {
        let letters = [" ", "x", "é", "😀", "\r", "\"", ",", "{", "}", "[", "#", "\\", "\t"];
        let calm = self.random.bool();
        let mut text = String::new();
        while text.len() < length {
            text.push_str(if calm { "x" } else { letters[self.random.usize(..letters.len())] });
        }
        text
    }

    fn line_end(&mut self) -> &'static str {
        if self.random.u8(..5) == 0 { "\r\n" } else { "\n" }
    }

    fn row(&mut self) -> String {
        let address = self.address();
        let length = self.length();
        let body = match self.random.u8(..12) {
            0 => format!("#{}", self.filler(length)),
            1 => self.filler(length),
            2 => format!("{address},80,{}", self.filler(length)),
            3 => format!("{address},80,\"{}", self.filler(length)),
            4 => format!("{address},80,\"{}\n{}\"", "y".repeat(length / 2), "z".repeat(length / 2)),
            5 => format!("\"{address}\",80,\"a\"\"b\""),
            6 => address,
            7 => String::new(),
            8 => format!("{address},80,{}", "x".repeat(length.saturating_sub(address.len() + 4))),
            _ => format!("{address},80,x"),
        };
        body + self.line_end()
    }

    fn object(&mut self) -> String {
        let address = self.address();
        let length = self.length();
        let padding = "p".repeat(length.saturating_sub(address.len() + 18));
        match self.random.u8(..10) {
            0 => format!("{{\"ip\":\"{address}\",\"x\":\"{}\"}}", self.filler(length)),
            1 | 2 => format!("{{\"ip\":\"{address}\",\"x\":\"{padding}\"}}"),
            3 => format!("{{\"ip\":\"{address}\",\"x\":[{{}},[1,2]]"),
            4 => self.filler(length),
            _ => format!("{{\"ip\":\"{address}\"}}"),
        }
    }

    /// What stands between two objects.
    fn between(&mut self) -> String {
        let blanks = self.length();
        match self.random.u8(..8) {
            0 => format!(",{}", " ".repeat(blanks)),
            1 => format!("{},\n", " ".repeat(blanks)),
            2 => ", ".to_owned(),
            3 => "\n,\n".to_owned(),
            4 => format!("\n#{}\n", "c".repeat(blanks)),
            _ => ",\n".to_owned(),
        }
    }

    fn line_of_json(&mut self) -> String {
        let text = match self.random.u8(..6) {
            0 => format!("#{}", "c".repeat(self.length())),
            1 => " ".repeat(self.length()),
            _ => self.object(),
        };
        text + self.line_end()
    }

    fn item(&mut self) -> String {
        let text = match self.random.u8(..6) {
            0 => format!("#{}", "c".repeat(self.length())),
            1 => " ".repeat(self.length()),
            2 => {
                let length = self.length();
                self.filler(length)
            }
            _ => self.address(),
        };
        text + self.line_end()
    }

    fn state(&mut self) -> String {
        let text = match self.random.u8(..5) {
            0 => format!("#{}", "c".repeat(self.length())),
            1 => format!("banner tcp 80 {} 1390380064 http {}", self.address(), "b".repeat(self.length())),
            _ => format!("open tcp 80 {} 1390380064", self.address()),
        };
        text + self.line_end()
    }

    fn dump(&mut self, format: &str) -> String {
        let count = self.random.usize(..20);
        let mut text = match format {
            "csv" => "ip,port,note\n".to_owned(),
            "zmap" => "saddr,sport,note\n".to_owned(),
            "masscan-list" => "#masscan\n".to_owned(),
            "masscan" => "[\n".to_owned(),
            "ndjson" if self.random.bool() => "[".to_owned(),
            _ => String::new(),
        };
        let is_array = text.starts_with('[');
        let header = text.len();
        for _ in 0..count {
            match format {
                "csv" | "zmap" => text += &self.row(),
                "masscan-list" => text += &self.state(),
                "list" => text += &self.item(),
                _ if is_array => {
                    text += &self.object();
                    text += &self.between();
                }
                _ => text += &self.line_of_json(),
            }
        }
        if is_array && self.random.bool() {
            text.push(']');
        }
        // A header that is cut opens in no format, which is not asked here.
        if self.random.u8(..3) == 0 {
            let mut cut = self.random.usize(header..=text.len());
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            text.truncate(cut);
        }
        text
    }
}

#[test]
fn no_way_of_reading_changes_what_is_read() {
    let work = Work::new();
    let count: u64 = std::env::var("DIJKWACHT_SWEEP").map_or(80, |count| count.parse().unwrap());
    let seed = fastrand::u64(..);
    let (mut records, mut rejected) = (0, 0);
    for round in 0..count {
        let seed = seed.wrapping_add(round);
        for format in ["csv", "zmap", "ndjson", "masscan", "list", "masscan-list"] {
            let mut random = fastrand::Rng::with_seed(seed);
            let record_bytes_max = [8, 30, 50, 300][random.usize(..4)];
            let chunks = [[1, 3], [2, 7], [5, 16], [4, 61], [1, 1024]][random.usize(..5)];
            let mut maker = Maker { random, record_bytes_max };
            let text = maker.dump(format);
            let dump = Dump { index: &work.index, format, record_bytes_max };
            let why = format!("{format}, at most {record_bytes_max}, seed {seed}");
            let seen = check(&work, &dump, &text, &chunks, &why);
            records += seen.records;
            rejected += seen.rejected.iter().sum::<u64>();
            check_transcoded(&work, &dump, &text, chunks[0], &why);
        }
    }
    assert!(records > 20 * count && rejected > 5 * count, "{records} records, {rejected} rejected");
}

#[test]
fn a_record_without_an_end_costs_itself_only() {
    let work = Work::new();
    let dump = Dump { index: &work.index, format: "csv", record_bytes_max: 100 };
    let endless = "y".repeat(100_000);
    let text = format!(
        "ip,port\n192.0.2.1,1\n192.0.2.2,{endless}\n192.0.2.3,3\n#{endless}\n192.0.2.4,4\n\"{endless}\n\",5\n192.0.2.6,6"
    );
    let seen = check(&work, &dump, &text, &[1, 16, 100, 1024, 4096, 65536], "endless");
    let reject = |number, of: &str| (number, text.find(of).unwrap() as u64, Reject::TooLong);
    // After the lost quote its line's rest is a record of its own, which opens a quote that never closes.
    assert_eq!(seen.rejects[..2], [reject(1, "192.0.2.2"), reject(4, "\"yyy")]);
    let last = seen.candidates.last().unwrap();
    assert_eq!((&last.2[..], last.1), (&b"192.0.2.6,6"[..], text.rfind("192").unwrap() as u64));
}

#[test]
fn a_header_may_be_longer_than_a_window() {
    let work = Work::new();
    let columns: String = (0..3000).map(|i| format!(",column_{i}")).collect();
    let rows: String = (0..20).map(|i| format!("192.0.2.{i}{}\n", ",".repeat(3000))).collect();
    let text = format!("ip{columns}\n{rows}");
    for record_bytes_max in [4000, 1 << 20] {
        let dump = Dump { index: &work.index, format: "csv", record_bytes_max };
        let seen = check(&work, &dump, &text, &[1, 16, 1024, 4096], "header");
        assert_eq!((seen.records, seen.candidates.len()), (20, 20));
        check_transcoded(&work, &dump, &text, 64, "header");
    }
}

#[test]
fn the_hash_is_blake3_of_the_content_at_every_size_near_a_chunk() {
    let work = Work::new();
    let line = "192.0.2.1\n";
    let content = line.repeat(90_000);
    // A window of a stream is 16 chunks, and stands behind as many free bytes as the longest record has.
    for (chunk_bytes, record_bytes_max) in
        [(1000, 1000), (1024, 100), (1024, 1 << 20), (2048, 40_000), (16384, 1000)]
    {
        let dump = Dump { index: &work.index, format: "list", record_bytes_max };
        let near = [0, 1, 2, 15, 16, 17, 32, 48, 49, 64, 80_usize].map(|chunks| chunks * chunk_bytes);
        let lengths = near.into_iter().flat_map(|near| {
            let prefix = OBSERVED.len();
            [
                near.saturating_sub(prefix + 1),
                near.saturating_sub(prefix),
                near.saturating_sub(1),
                near,
                near + 1,
            ]
        });
        for length in lengths.filter(|length| *length <= content.len()) {
            let bytes = &content.as_bytes()[..length];
            let path = work.write("dump", bytes);
            for io in [Io::Mmap, Io::MmapOnce, Io::Read] {
                let seen = dump.seen(&path, How { io, chunk_bytes, encoding: None });
                let expected = hash_of(bytes).filter(|_| length > 0);
                if length > 0 {
                    assert_eq!(seen.hash, expected, "{length} bytes in chunks of {chunk_bytes}, {io:?}");
                }
                assert_eq!(seen.records, length.div_ceil(line.len()) as u64);
            }
        }
    }
}

#[test]
fn the_hash_of_a_long_stream_is_that_of_its_content() {
    let work = Work::new();
    let content = "10.0.0.1\n".repeat(3_000_000);
    let path = work.write("dump", content.as_bytes());
    let packed = work.write("dump.gz", &gzip(content.as_bytes()));
    let dump = Dump { index: &work.index, format: "list", record_bytes_max: 1 << 20 };
    for (path, io) in [(&path, Io::Mmap), (&path, Io::Read), (&packed, Io::Read)] {
        let seen = dump.seen(path, How { io, chunk_bytes: CHUNK_BYTES, encoding: None });
        assert_eq!((seen.records, seen.hash), (3_000_000, hash_of(content.as_bytes())));
    }
}

/// Which parts of a file are not in memory.
fn absent(path: &Path) -> Vec<std::ops::Range<usize>> {
    let file = File::open(path).unwrap();
    let bytes = file.metadata().unwrap().len();
    Mapped::new(&file, bytes).unwrap().absent()
}

#[test]
fn only_what_was_not_in_memory_is_let_go_of() {
    // On a disk: what is in a file system in memory stays there.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("dump");
    std::fs::write(&path, "192.0.2.1\n".repeat(2_400_000)).unwrap();
    let file = File::open(&path).unwrap();
    file.sync_all().unwrap();
    let bytes = file.metadata().unwrap().len() as usize;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let all_absent = absent(&path);
    if all_absent.iter().map(ExactSizeIterator::len).sum::<usize>() < bytes / 2 {
        eprintln!("not tested: this file system keeps its files in memory");
        return;
    }
    let mut middle = vec![0; 4 << 20];
    file.read_exact_at(&mut middle, 10 << 20).unwrap();
    let before = absent(&path);
    assert!(before != all_absent, "the middle is in memory");
    let work = Work::new();
    let dump = Dump { index: &work.index, format: "list", record_bytes_max: 100 };
    let seen = dump.seen(&path, How { io: Io::MmapOnce, chunk_bytes: 16 << 10, encoding: None });
    assert_eq!(seen.records, 2_400_000);
    let after = absent(&path);
    let is_absent_before = |range: &std::ops::Range<usize>| {
        before.iter().any(|before| before.start <= range.start && range.end <= before.end)
    };
    assert!(after.iter().all(is_absent_before), "{after:?} is not all in {before:?}");
    // Pages of which the system keeps several in one piece may stay.
    let bytes_of =
        |ranges: &[std::ops::Range<usize>]| ranges.iter().map(ExactSizeIterator::len).sum::<usize>();
    assert!(bytes_of(&after) > bytes_of(&before) / 2, "{after:?} of {before:?}");
}

#[test]
fn a_drive_stops_when_it_is_told_to() {
    let work = Work::new();
    let endless = format!("192.0.2.1\n{}", "x".repeat(1 << 20));
    for text in ["192.0.2.1\n".repeat(10_000), endless] {
        for io in [Io::Mmap, Io::MmapOnce, Io::Read] {
            let path = work.write("dump", text.as_bytes());
            let dump = Dump { index: &work.index, format: "list", record_bytes_max: 100 };
            let how = How { io, chunk_bytes: 1024, encoding: None };
            let stopped = dump.drive(&path, how, &AtomicBool::new(true));
            assert!(matches!(stopped, Err(DriveError::Cancelled)), "{io:?}");
        }
    }
}

/// A run, during which `change` is done to the dump, once, at the first word of progress that is `when`.
fn run_while(
    work: &Work,
    io: Io,
    dump: &Path,
    when: &(dyn Fn(&Progress) -> bool + Sync),
    change: &(dyn Fn(&Path) + Sync),
) -> (RunReport, Spool) {
    let times = AtomicU32::new(0);
    let progress = |now: Progress| {
        if when(&now) && times.fetch_add(1, Ordering::Relaxed) == 0 {
            change(dump);
        }
    };
    let input = Input::File(dump.to_owned());
    let day = Day::read(b"2026-11-22").unwrap();
    let rulebook = Rulebook::default();
    let feeds = |_: &str| FeedFacts {
        options: FormatOptions { identifier: Some("open-rdp".to_owned()), ..FormatOptions::default() },
        ..FeedFacts::default()
    };
    let (senders, cancelled) = (Senders::default().in_office(day), Arc::default());
    let run_time = Moment::read(b"2026-11-22T12:00:00Z").unwrap();
    let against = Against { run_time, senders: &senders, rulebook: &rulebook, index: &work.index };
    let job = Job {
        feed: Some("night"),
        reading: Reading { io, chunk_bytes: 1024, ..Reading::default() },
        progress: &progress,
        ..Job::new(&input, "the dump", &feeds, against, work.directory.path(), &cancelled)
    };
    let spool = Spool::open(&work.directory.path().join("spool"), &SpoolOptions::default()).unwrap();
    let report = dijkwacht::pipeline::run(job, Destination::Spool(&spool));
    assert!(times.load(Ordering::Relaxed) > 0, "the change was made");
    (report, spool)
}

fn is_scanning(now: &Progress) -> bool {
    matches!(now, Progress::Scanned { .. })
}

fn is_rendering(now: &Progress) -> bool {
    matches!(now, Progress::Rendered { .. })
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

/// 300 KB of two owners' addresses in turn, so that windows and matches are many.
fn long_dump(work: &Work) -> PathBuf {
    let rows: String = (0..20_000).map(|i| format!("192.0.2.{},{}\n", i % 100, 1 + i)).collect();
    work.write("changing", format!("ip,port\n{rows}").as_bytes())
}

type Change = (&'static str, fn(&Path));

const CHANGES: [Change; 6] = [
    ("appended to", |dump| {
        File::options().append(true).open(dump).unwrap().write_all(b"192.0.2.1,1\n").unwrap();
    }),
    ("emptied", |dump| File::options().write(true).open(dump).unwrap().set_len(0).unwrap()),
    ("cut", |dump| File::options().write(true).open(dump).unwrap().set_len(5000).unwrap()),
    ("touched", |dump| {
        let then = std::time::SystemTime::UNIX_EPOCH;
        File::options().write(true).open(dump).unwrap().set_modified(then).unwrap();
    }),
    ("replaced", |dump| {
        let other = dump.with_extension("new");
        fs::copy(dump, &other).unwrap();
        fs::rename(other, dump).unwrap();
    }),
    ("removed", |dump| fs::remove_file(dump).unwrap()),
];

#[test]
fn a_dump_that_changes_under_a_run_publishes_nothing() {
    for (name, change) in CHANGES {
        for io in [Io::Mmap, Io::MmapOnce, Io::Read] {
            for (phase, when) in
                [("scanning", is_scanning as fn(&Progress) -> bool), ("rendering", is_rendering)]
            {
                let why = format!("{name}, {io:?}, while {phase}");
                let work = Work::new();
                let dump = long_dump(&work);
                let (report, spool) = run_while(&work, io, &dump, &when, &change);
                assert_eq!(report.state, State::Failed, "{why}");
                let Some(RunError::Source(error)) = &report.failure else {
                    panic!("{why}: {:?}", report.failure);
                };
                assert_eq!(error.kind(), SourceErrorKind::Changed, "{why}: {error}");
                for part in ["new", "held", "tmp", "runs"] {
                    assert!(is_empty(&spool.path().join(part)), "{why}: {part}");
                }
            }
        }
    }
}

#[test]
fn a_dump_that_is_not_touched_is_published() {
    for io in [Io::Mmap, Io::MmapOnce, Io::Read] {
        let work = Work::new();
        let dump = long_dump(&work);
        let (report, spool) = run_while(&work, io, &dump, &is_rendering, &|_| {});
        assert_eq!((report.state, report.books.alerts), (State::Published, 20_000));
        assert!(is_empty(&spool.path().join("tmp")) && !is_empty(&spool.path().join("new")));
    }
}

#[test]
fn a_record_that_reads_otherwise_the_second_time_fails_the_run() {
    // Nothing that a stamp tells has changed: size, time and inode are as they were.
    let rewrite = |from: &'static str, to: &'static str| {
        move |dump: &Path| {
            let modified = fs::metadata(dump).unwrap().modified().unwrap();
            let text = fs::read_to_string(dump).unwrap();
            let file = File::options().write(true).open(dump).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, text.replace(from, to).as_bytes(), 0).unwrap();
            file.set_modified(modified).unwrap();
        }
    };
    let changes: [(&str, &str); 4] = [
        ("192.0.2.9,", "192.0.3.9,"),       // nobody's
        ("192.0.2.9,", "198.51.100"),       // no longer a record of two columns
        ("\n192.0.2.99,", "\n198.51.100,"), // no address
        ("192.0.2.98,", "192.0.2.9,\""),    // another border
    ];
    for (from, to) in changes {
        assert_eq!(from.len(), to.len());
        let work = Work::new();
        let dump = long_dump(&work);
        // The last word of scanning comes when every record was found: what is changed then is seen by rendering only.
        let bytes_all = fs::metadata(&dump).unwrap().len();
        let is_scanned =
            |now: &Progress| matches!(now, Progress::Scanned { bytes, .. } if *bytes == bytes_all);
        let (report, spool) = run_while(&work, Io::Mmap, &dump, &is_scanned, &rewrite(from, to));
        assert!(matches!(report.failure, Some(RunError::Changed)), "{from} {to}: {:?}", report.failure);
        assert!(is_empty(&spool.path().join("new")) && is_empty(&spool.path().join("tmp")));
    }
}
