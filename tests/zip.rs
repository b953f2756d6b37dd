//! Zip files: the one member is the dump, whoever packed it and however; everything else is refused with a remedy.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::scan::{
    Content, FlawKind, Input, Io, Packing, Source, SourceError, SourceErrorKind, SourceOptions,
};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use work::{Work, gzip};

/// How a member is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct How {
    method: u16,
    password: Option<&'static [u8]>,
    described: Option<Descriptor>,
    is_long: bool,
}

/// How checksum and sizes stand behind the data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Descriptor {
    has_signature: bool,
    is_long: bool,
}

const STORED: How = How { method: 0, password: None, described: None, is_long: false };
const DEFLATED: How = How { method: 8, ..STORED };
const SECRET: &[u8] = b"secret";

/// A zip file that is written piece by piece, so that each can be wrong.
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    members: u16,
}

impl Zip {
    fn of(text: &[u8], how: How) -> Vec<u8> {
        Self::default().member("list.csv", text, how).end(b"")
    }

    fn member(mut self, name: &str, text: &[u8], how: How) -> Self {
        let crc = crc32(text);
        let packed = if how.method == 8 { deflate(text) } else { text.to_vec() };
        let time = 0x1234_u16;
        let check = if how.described.is_some() { (time >> 8) as u8 } else { (crc >> 24) as u8 };
        let packed = how.password.map_or(packed.clone(), |password| encrypt(password, check, &packed));
        let flags = u16::from(how.password.is_some()) | u16::from(how.described.is_some()) << 3;
        let offset = self.bytes.len() as u64;
        let sizes = [text.len() as u64, packed.len() as u64];
        // A stored member's end is known only by its size, even where the descriptor repeats it.
        let tells = how.described.is_none() || how.method == 0;
        let told = if tells { (crc, sizes) } else { (0, [0; 2]) };

        let mut header = [&b"PK\x03\x04\x14\0"[..], &flags.to_le_bytes(), &how.method.to_le_bytes()].concat();
        header.extend([time.to_le_bytes(), [0x76, 0x5d]].concat());
        self.bytes.extend(fields(header, told.0, told.1, None, name, how.is_long));
        self.bytes.extend(&packed);
        if let Some(Descriptor { has_signature, is_long }) = how.described {
            let signature: &[u8] = if has_signature { b"PK\x07\x08" } else { b"" };
            self.bytes.extend([signature, &crc.to_le_bytes()].concat());
            for size in [sizes[1], sizes[0]] {
                self.bytes.extend(&size.to_le_bytes()[..if is_long { 8 } else { 4 }]);
            }
        }
        let mut entry =
            [&b"PK\x01\x02\x14\0\x14\0"[..], &flags.to_le_bytes(), &how.method.to_le_bytes()].concat();
        entry.extend([time.to_le_bytes(), [0x76, 0x5d]].concat());
        self.directory.extend(fields(entry, crc, sizes, Some(offset), name, how.is_long));
        self.members += 1;
        self
    }

    fn end(mut self, comment: &[u8]) -> Vec<u8> {
        let offset = self.bytes.len() as u32;
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend([self.members.to_le_bytes(); 2].concat());
        self.bytes.extend([(self.directory.len() as u32).to_le_bytes(), offset.to_le_bytes()].concat());
        self.bytes.extend((comment.len() as u16).to_le_bytes());
        self.bytes.extend(comment);
        self.bytes
    }

    /// As it is written where numbers do not fit.
    fn end_long(mut self) -> Vec<u8> {
        let (size, offset) = (self.directory.len() as u64, self.bytes.len() as u64);
        self.bytes.extend(&self.directory);
        let end = self.bytes.len() as u64;
        self.bytes.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
        for number in [self.members.into(), self.members.into(), size, offset] {
            self.bytes.extend(u64::to_le_bytes(number));
        }
        self.bytes.extend([b"PK\x06\x07\0\0\0\0", &end.to_le_bytes()[..], b"\x01\0\0\0"].concat());
        self.bytes.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
        self.bytes
    }
}

/// What a local header (no offset) and an entry of the directory have in common.
fn fields(
    mut start: Vec<u8>,
    crc: u32,
    sizes: [u64; 2],
    offset: Option<u64>,
    name: &str,
    is_long: bool,
) -> Vec<u8> {
    start.extend(crc.to_le_bytes());
    for size in [sizes[1], sizes[0]] {
        start.extend(if is_long { u32::MAX } else { size as u32 }.to_le_bytes());
    }
    let numbers: Vec<u64> = sizes.into_iter().chain(offset).collect();
    let mut extra = b"\x55\x54\x01\0\0".to_vec();
    if is_long {
        extra.extend([1_u16.to_le_bytes(), (numbers.len() as u16 * 8).to_le_bytes()].concat());
        numbers.iter().for_each(|number| extra.extend(number.to_le_bytes()));
    }
    start.extend([(name.len() as u16).to_le_bytes(), (extra.len() as u16).to_le_bytes()].concat());
    if let Some(offset) = offset {
        start.extend([0; 10]);
        start.extend(if is_long { u32::MAX } else { offset as u32 }.to_le_bytes());
    }
    start.extend(name.bytes());
    start.extend(extra);
    start
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Bit by bit, as the standard has it.
fn crc_step(crc: u32, byte: u8) -> u32 {
    (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
}

fn crc32(text: &[u8]) -> u32 {
    !text.iter().fold(!0, |crc, &byte| crc_step(crc, byte))
}

/// APPNOTE 6.1.
fn encrypt(password: &[u8], check: u8, plain: &[u8]) -> Vec<u8> {
    let mut keys = [0x1234_5678_u32, 0x2345_6789, 0x3456_7890];
    let update = |keys: &mut [u32; 3], byte: u8| {
        keys[0] = crc_step(keys[0], byte);
        keys[1] = (keys[1].wrapping_add(keys[0] & 0xFF)).wrapping_mul(134_775_813).wrapping_add(1);
        keys[2] = crc_step(keys[2], (keys[1] >> 24) as u8);
    };
    password.iter().for_each(|&byte| update(&mut keys, byte));
    let seal = *b"elevenbytes";
    let encrypt_byte = |&byte: &u8| {
        let key = u64::from(keys[2] | 2) & 0xFFFF;
        update(&mut keys, byte);
        byte ^ ((key * (key ^ 1)) >> 8) as u8
    };
    seal.iter().chain([&check]).chain(plain).map(encrypt_byte).collect()
}

/// A directory with a dump and a password in it.
struct Dump(TempDir);

impl Dump {
    fn new(bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("list.csv.zip"), bytes).unwrap();
        std::fs::write(directory.path().join("password"), [SECRET, b"\r\nnot this\n"].concat()).unwrap();
        Self(directory)
    }

    fn read(&self, options: SourceOptions) -> Result<Vec<u8>, SourceError> {
        let mut source = Source::open(&Input::File(self.0.path().join("list.csv.zip")), options)?;
        assert_eq!(source.packing(), Some(Packing::Zip));
        let Content::Stream(stream) = &mut source.content else { panic!("a zip file is mapped") };
        let mut text = Vec::new();
        while stream.read_into(&mut text, 1000, None)? > 0 {}
        let used = stream.progress().load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(Some(used), source.stored_bytes());
        Ok(text)
    }

    fn password_file(&self) -> SourceOptions {
        SourceOptions { password_file: Some(self.0.path().join("password")), ..SourceOptions::default() }
    }
}

fn read(bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    let dump = Dump::new(bytes);
    dump.read(dump.password_file())
}

fn flaw(bytes: &[u8]) -> FlawKind {
    match read(bytes) {
        Err(error @ SourceError::Flawed { .. }) => {
            assert_eq!(error.kind(), SourceErrorKind::Data);
            let SourceError::Flawed { flaw, offset, .. } = error else { unreachable!() };
            assert!(offset <= bytes.len() as u64);
            flaw
        }
        Err(error) => panic!("{error}"),
        Ok(text) => panic!("read as {} bytes", text.len()),
    }
}

fn lines(count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..count).flat_map(|_| format!("192.0.2.{},{}\n", random.u8(..), random.u16(..)).into_bytes()).collect()
}

/// Every way to pack a member.
fn ways() -> Vec<How> {
    let mut ways = Vec::new();
    let descriptors = [false, true]
        .map(|has_signature| [false, true].map(|is_long| Some(Descriptor { has_signature, is_long })));
    for method in [0, 8] {
        for password in [None, Some(SECRET)] {
            for described in descriptors.as_flattened().iter().copied().chain([None]) {
                ways.extend([false, true].map(|is_long| How { method, password, described, is_long }));
            }
        }
    }
    ways
}

#[test]
fn a_member_is_read_in_whatever_way_it_is_packed() {
    for length in [0, 1, 70_000, 300_000] {
        let text = &lines(30_000)[..length];
        for how in ways() {
            assert!(read(&Zip::of(text, how)).unwrap() == text, "{length} {how:?}");
        }
        let folders = Zip::default().member("a/", b"", STORED).member("a/list.csv", text, DEFLATED);
        let folders = folders.member("b/", b"", How { described: DESCRIBED, ..DEFLATED });
        assert!(read(&folders.end(b"a comment\0")).unwrap() == text);
        let long = Zip::default().member("list.csv", text, How { is_long: true, ..DEFLATED });
        assert!(read(&long.end_long()).unwrap() == text);
    }
}

const DESCRIBED: Option<Descriptor> = Some(Descriptor { has_signature: true, is_long: false });

#[test]
fn a_file_that_info_zip_encrypted_is_read() {
    // `zip -X -P secret`, version 3.0: a vector that this file's own encryption has no part in.
    let file = "504b03041400090008004208765d73b100da1c00000014000000080000006c6973742e7478747abd7ea11ab0d6ec120524f6e3\
                331c9f54a8b4d8714748000222e6fe504b070873b100da1c00000014000000504b01021e031400090008004208765d73b100da\
                1c00000014000000080000000000000001000000a481000000006c6973742e747874504b050600000000010001003600000052\
                0000000000";
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let bytes: Vec<u8> = file.as_bytes().chunks(2).map(byte).collect();
    assert_eq!(read(&bytes).unwrap(), b"192.0.2.1\n192.0.2.2\n");
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_an_error() {
    let text = lines(2);
    for how in ways() {
        let stored = Zip::default().member("list.csv", &text, how).end(b"comment");
        for cut in 4..stored.len() {
            assert_eq!(flaw(&stored[..cut]), FlawKind::Truncated, "cut to {cut} bytes, {how:?}");
        }
    }
}

#[test]
fn a_flipped_bit_changes_no_text_unnoticed() {
    let text = lines(2);
    let long = Some(Descriptor { has_signature: false, is_long: true });
    let locked = How { password: Some(SECRET), ..DEFLATED };
    let long = How { described: long, is_long: true, ..DEFLATED };
    for how in [STORED, DEFLATED, locked, long] {
        let stored = Zip::of(&text, how);
        // Without the signature it is no zip file.
        for bit in 4 * 8..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match read(&flipped) {
                // Times, names and versions say nothing about the text.
                Ok(read) => assert_eq!(read, text, "bit {bit} {how:?}"),
                Err(error) => assert_eq!(error.kind(), SourceErrorKind::Data, "bit {bit} {how:?}: {error}"),
            }
        }
    }
}

#[test]
fn what_is_not_one_file_is_refused_with_what_to_do() {
    let check = |bytes: &[u8], expected: FlawKind, remedy: &str| {
        assert_eq!(flaw(bytes), expected);
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(remedy), "{error}");
    };
    let text = b"192.0.2.1\n";
    let zip = |how| Zip::default().member("a.csv", text, how);
    check(&Zip::default().end(b""), FlawKind::NoMember, "fetch the dump again");
    check(&Zip::default().member("a/", b"", STORED).end(b""), FlawKind::NoMember, "fetch the dump again");
    for how in [STORED, DEFLATED] {
        let several = zip(how).member("b.csv", b"", how).end(b"");
        check(&several, FlawKind::SeveralMembers, "give each file by itself: unzip -d DIRECTORY /");
    }
    for method in [1, 9, 12, 14, 93, 95, 98] {
        let stored = zip(How { method, ..STORED }).end(b"");
        check(&stored, FlawKind::Method(method), "unpack it first: 7z x -so /");
    }
    check(&zip(How { method: 99, ..STORED }).end(b""), FlawKind::Cipher, "7z e /");
    for flag in [1 << 6, 1 << 13] {
        let mut strong = zip(DEFLATED).end(b"");
        strong[6..8].copy_from_slice(&u16::to_le_bytes(flag | 1));
        check(&strong, FlawKind::Cipher, "7z e /");
    }
    let mut unsized_ = zip(How { described: DESCRIBED, ..STORED }).end(b"");
    unsized_[18..26].fill(0);
    check(&unsized_, FlawKind::Unsized, "unpack it first: 7z x -so /");
    check(&[&zip(DEFLATED).end(b"")[..], b"x"].concat(), FlawKind::Trailing, "fetch the dump again");
    check(&[&zip(DEFLATED).end(b"c")[..], &zip(DEFLATED).end(b"")].concat(), FlawKind::Trailing, "again");
    let folder = Zip::default().member("a/", text, STORED).end(b"");
    check(&folder, FlawKind::Damaged("a directory holds data"), "fetch the dump again");
}

#[test]
fn a_directory_that_tells_another_story_is_refused() {
    let text = b"192.0.2.1\n";
    let other = FlawKind::Damaged("its directory tells of another member");
    let count = FlawKind::Damaged("its directory is not that of its members");
    let zip = || Zip::default().member("a.csv", text, DEFLATED);
    for at in [10, 16, 20, 24, 42] {
        let mut zip = zip();
        zip.directory[at] ^= 1;
        assert_eq!(flaw(&zip.end(b"")), other, "{at}");
    }
    let mut twice = zip();
    twice.directory = twice.directory.repeat(2);
    assert_eq!(flaw(&twice.end(b"")), count);
    let mut none = zip();
    none.directory.clear();
    assert_eq!(flaw(&none.end(b"")), count);
    let mut end = zip().end(b"");
    let at = end.len() - 6;
    end[at] ^= 1;
    assert_eq!(flaw(&end), count);
}

#[test]
fn an_encrypted_file_needs_its_password() {
    let text = lines(50);
    let stored = Zip::of(&text, How { password: Some(SECRET), ..DEFLATED });
    let dump = Dump::new(&stored);
    let told = |options| dump.read(options).map(|_| ()).unwrap_err();
    let error = told(SourceOptions::default());
    assert!(matches!(&error, SourceError::Flawed { flaw: FlawKind::Locked, .. }), "{error}");
    assert!(error.to_string().contains("--password-file"), "{error}");
    let password = |text: &[u8]| {
        std::fs::write(dump.0.path().join("password"), text).unwrap();
        dump.read(dump.password_file())
    };
    assert!(password(b"secret").unwrap() == text);
    // One of 256 wrong passwords passes the check, and gives no text either.
    for wrong in 0..600 {
        let error = password(format!("hunter{wrong}\n").as_bytes()).unwrap_err();
        assert!(matches!(&error, SourceError::Flawed { flaw: FlawKind::Password, .. }), "{error}");
        assert!(!error.to_string().contains("hunter"), "{error}");
    }
    for none in [&b""[..], b"\n", b"\r\nsecret", &[b'x'; 1025]] {
        let error = password(none).unwrap_err();
        assert_eq!(error.kind(), SourceErrorKind::Data, "{error}");
    }
    std::fs::remove_file(dump.0.path().join("password")).unwrap();
    assert_eq!(told(dump.password_file()).kind(), SourceErrorKind::NoInput);
}

#[test]
fn a_password_file_is_not_looked_for_where_nothing_is_zipped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("dump");
    let password_file = Some(directory.path().join("missing"));
    for bytes in [b"192.0.2.1\n".to_vec(), gzip(b"192.0.2.1\n")] {
        std::fs::write(&path, bytes).unwrap();
        let options =
            SourceOptions { password_file: password_file.clone(), io: Io::Read, ..Default::default() };
        assert!(Source::open(&Input::File(path.clone()), options).is_ok());
    }
}

#[test]
fn a_bomb_is_an_error_and_so_is_a_dump_over_the_limit() {
    let zeros = vec![0; 100 << 20];
    let dump = Dump::new(&Zip::of(&zeros, DEFLATED));
    let error = dump.read(SourceOptions::default()).unwrap_err();
    assert!(matches!(error, SourceError::Ratio { .. }), "{error}");
    let options = SourceOptions { decompressed_bytes_max: 1000, ..SourceOptions::default() };
    for how in [STORED, DEFLATED] {
        let error = Dump::new(&Zip::of(&lines(1000), how)).read(options.clone()).unwrap_err();
        assert!(matches!(error, SourceError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn a_workbook_says_how_it_becomes_a_dump() {
    let check = |bytes: &[u8], command: &str| {
        let work = Work::new();
        work.write("list of hosts.xlsx", bytes);
        work.write("list.xlsx", bytes);
        work.matched("--dry-run list.xlsx").check(65, &["list.xlsx: is ", &format!("{command} list.xlsx")]);
        let said = work.run_with_input("match --dry-run --register register.csv -", bytes);
        said.check(65, &[&format!("{command} FILE")]);
        let error = Source::open(&Input::File(work.path("list of hosts.xlsx")), SourceOptions::default());
        assert!(error.err().unwrap().to_string().contains(&format!("{command} FILE")));
    };
    let office = "soffice --headless --convert-to csv";
    for name in ["[Content_Types].xml", "_rels/.rels", "docProps/app.xml", "xl/workbook.xml"] {
        check(&Zip::default().member(name, b"<x/>", DEFLATED).end(b""), office);
    }
    let kind = b"application/vnd.oasis.opendocument.spreadsheet";
    let mut ods = Zip::default().member("mimetype", kind, STORED).end(b"");
    // The producer writes no extra field there.
    let extra_at = 30 + "mimetype".len();
    ods.drain(extra_at..extra_at + 5);
    ods[28] = 0;
    check(&ods, office);
    check(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0\0\0", office);
    check(b"7z\xBC\xAF\x27\x1C\0\x04\0\0\0\0", "7z x -so");
}

#[test]
fn a_dump_is_one_run_whether_plain_or_packed() {
    let work = Work::new();
    let text = b"ip,port,identifier\n192.0.2.1,80,open-http\n203.0.113.9,22,open-ssh\n";
    let locked = How { password: Some(SECRET), ..DEFLATED };
    work.write("secret", SECRET);
    work.write("list.csv", text);
    work.write("list.csv.gz", gzip(text));
    work.write("list.csv.zip", Zip::of(text, DEFLATED));
    work.write("locked.csv.zip", Zip::of(text, locked));
    let first = work.dump("--spool spool list.csv");
    assert_eq!(first["state"], "published");
    for (name, words) in [
        ("list.csv.gz", ""),
        ("list.csv.zip", ""),
        ("locked.csv.zip", "--password-file secret"),
        ("list.csv", "--password-file missing"),
    ] {
        let again = work.dump(&format!("--spool spool {words} {name}"));
        assert_eq!(again["state"], "already_published", "{name}");
        for same in ["run", "feed", "format", "bytes", "records", "matched", "unmatched"] {
            assert_eq!(again[same], first[same], "{name} {same}");
        }
    }
    work.matched("--spool spool locked.csv.zip").check(65, &["encrypted", "--password-file"]);
    work.write("wrong", "Secret");
    let wrong = work.matched("--spool spool --password-file wrong locked.csv.zip");
    wrong.check(65, &["not opened by the password"]);
    assert!(!wrong.err.contains("Secret"), "{}", wrong.err);
    work.matched("--spool spool --password-file missing locked.csv.zip")
        .check(66, &["its password", "missing"]);
    let piped = "match --register register.csv --json --spool spool --password-file secret -";
    let piped = work.run_with_input(piped, &Zip::of(text, locked)).summary();
    assert_eq!(piped["dumps"][0]["state"], "already_published");
}

#[test]
fn a_feed_has_a_password_of_its_own_and_a_report_its_type() {
    let work = Work::new();
    let report = b"timestamp,severity,ip,protocol,port\n2026-11-22 01:02:03,high,192.0.2.1,tcp,3389\n";
    let locked = Zip::of(report, How { password: Some(SECRET), ..DEFLATED });
    work.write("2026-11-22-scan_rdp-nl.csv.zip", locked);
    work.write("secret", SECRET);
    work.write("d.toml", "[feeds.scan_rdp]\npassword_file = \"secret\"\n");
    let dump = work.dump("--config d.toml --dry-run 2026-11-22-scan_rdp-nl.csv.zip");
    assert_eq!((&dump["feed"], &dump["format"]), (&"scan_rdp".into(), &"shadowserver".into()));
    assert_eq!(dump["alerts"], 1);
}

/// Runs a program that may not be installed; `false`: it is not.
fn run(directory: &Path, program: &str, words: &[&str]) -> bool {
    match Command::new(program).args(words).current_dir(directory).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(_) => {
            #[allow(clippy::print_stderr, reason = "a test tells that it could not run")]
            {
                eprintln!("not checked: {program} is not installed");
            }
            false
        }
    }
}

#[test]
fn what_other_programs_pack_is_read() {
    let dump = Dump::new(b"");
    let (directory, text) = (dump.0.path(), lines(60_000));
    std::fs::write(directory.join("list.csv"), &text).unwrap();
    let check = |what: &str| assert!(dump.read(dump.password_file()).unwrap() == text, "{what}");
    for words in [&["-0"][..], &["-9"], &["-P", "secret"], &["-0", "-P", "secret"], &["-fz"], &["-fd"]] {
        std::fs::remove_file(directory.join("list.csv.zip")).unwrap_or_default();
        if run(directory, "zip", &[&["-q"], words, &["list.csv.zip", "list.csv"]].concat()) {
            check(&format!("zip {words:?}"));
        }
    }
    let python = "import sys, zipfile\n\
        class Pipe:\n  def __init__(s, f): s.f = f\n  def write(s, b): return s.f.write(b)\n  def flush(s): s.f.flush()\n\
        for_pipe = sys.argv[1] == 'pipe'\n\
        f = open('list.csv.zip', 'wb')\n\
        with zipfile.ZipFile(Pipe(f) if for_pipe else f, 'w', zipfile.ZIP_DEFLATED) as z:\n\
        \x20 with z.open('list.csv', 'w', force_zip64=for_pipe) as m: m.write(open('list.csv', 'rb').read())\n";
    for way in ["pipe", "file"] {
        if run(directory, "python3", &["-c", python, way]) {
            check(&format!("python {way}"));
        }
    }
}
