//! Each bad input: its exit code, what is said, and that nothing is published.

use crate::work::{Done, Work, count, gzip, zstd};
use std::io::Write;

/// A dump that is refused, in the spool and in the output.
fn check(work: &Work, words: &str, code: i32, said: &[&str]) {
    let done = work.matched(&format!("--identifier x --spool spool {words}"));
    done.check(code, said);
    work.assert_nothing_published("spool");
}

const GOOD: &str = "ip,port\n192.0.2.1,80\n";

#[test]
fn what_is_no_file_is_refused_and_a_pipe_is_told_the_way() {
    let work = Work::new();
    let fifo = work.path("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    check(&work, ".", 66, &["is a directory"]);
    check(&work, "fifo", 66, &["is a pipe", "`- < fifo`"]);
    check(&work, "/dev/null", 66, &["is a device"]);
    check(&work, "missing", 66, &["missing: there is no such file"]);
    check(&work, "register.csv/below", 66, &["there is no such file"]);
    check(&work, "--register . register.csv", 66, &[]);
    check(&work, "--register missing.csv register.csv", 66, &["missing.csv"]);
    check(&work, "--index missing.dwi register.csv", 66, &["missing.dwi"]);
}

#[test]
fn a_compressed_dump_that_is_cut_or_damaged_is_refused_whole() {
    let work = Work::new();
    let text = GOOD.to_owned() + &"192.0.2.1,80\n".repeat(20_000);
    for (name, packed) in [("dump.gz", gzip(text.as_bytes())), ("dump.zst", zstd(text.as_bytes()))] {
        for cut in [1, 5, packed.len() / 2, packed.len() - 1] {
            work.write(name, &packed[..packed.len() - cut]);
            check(&work, &format!("--format csv {name}"), 65, &[name]);
        }
        for at in [packed.len() / 2, packed.len() - 2] {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            work.write(name, damaged);
            check(&work, &format!("--format csv {name}"), 65, &[name]);
            check(&work, &format!("--format csv --chunk-bytes 64 {name}"), 65, &[name]);
        }
        work.write(name, [&packed[..], b"garbage"].concat());
        check(&work, &format!("--format csv {name}"), 65, &[name]);
    }
    work.write("dump.zip", b"PK\x03\x04rest");
    check(&work, "dump.zip", 65, &["cut off", "fetch the dump again"]);
    work.write("dump.7z", b"7z\xBC\xAF\x27\x1Crest");
    check(&work, "dump.7z", 65, &["unpack it first: 7z x -so dump.7z > DUMP"]);
}

#[test]
fn a_dump_over_its_limits_is_refused() {
    let work = Work::new();
    work.write("config.toml", "[limits]\ndecompressed_bytes_max = 1000\n");
    let text = format!("ip\n{}", "192.0.2.1\n".repeat(100));
    work.write("dump", &text);
    work.write("dump.gz", gzip(text.as_bytes()));
    work.write("fits", &text[..1000]);
    check(&work, "--config config.toml dump", 65, &["1000 bytes"]);
    check(&work, "--config config.toml dump.gz", 65, &["1000 bytes"]);
    check(&work, "--config config.toml --io read dump", 65, &["1000 bytes"]);
    let words = crate::work::match_words("--config config.toml --spool spool -");
    work.run_with_input(&words, text.as_bytes()).check(65, &["1000 bytes"]);
    work.dump("--config config.toml --dry-run fits");
}

#[test]
fn a_decompression_bomb_is_refused() {
    let work = Work::new();
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..1500 {
        encoder.write_all(&[b' '; 1 << 16]).unwrap();
    }
    work.write("bomb.zst", encoder.finish().unwrap());
    check(&work, "--format list bomb.zst", 65, &["decompression bomb"]);
}

#[test]
fn a_header_that_cannot_be_read_refuses_the_dump() {
    let work = Work::new();
    let check = |header: &[u8], said: &str| {
        work.write("dump", [header, b"\n192.0.2.1,80\n"].concat());
        check(&work, "dump", 65, &["--format"]);
        check(&work, "--format csv dump", 65, &["the header cannot be read", said]);
    };
    check(format!("ip{}", ",x".repeat(1_000_000)).as_bytes(), "too-long");
    check(b"ip,po\0rt", "encoding");
    check(b"ip,po\xFFrt", "encoding");
    work.write("dump", "ip,ip\n192.0.2.1,192.0.2.2\n");
    super::refusals::check(&work, "dump", 65, &["several columns are called \"ip\""]);
    work.write("dump", "colour,size\nred,1\n");
    super::refusals::check(&work, "dump", 65, &["--map address=COLUMN", "colour, size"]);
    super::refusals::check(&work, "--map address=color dump", 65, &["did you mean \"colour\""]);
}

#[test]
fn a_dump_of_unknown_content_is_refused_and_told_the_way() {
    let work = Work::new();
    work.write("empty", "");
    work.write("page", "<html>\n<body>192.0.2.1</body>\n");
    work.write("dump.csv", GOOD);
    check(&work, "empty", 65, &["0 bytes", "--format"]);
    work.run_with_input(&crate::work::match_words("--spool spool -"), b"").check(65, &["--format"]);
    check(&work, "page", 65, &["--format"]);
    check(&work, "--format cvs dump.csv", 64, &["did you mean csv"]);
    check(&work, "--map adress=ip dump.csv", 64, &["did you mean address"]);
    check(&work, "--map address dump.csv", 64, &["FIELD=COLUMN"]);
    check(&work, "--map address=ip --map address=src dump.csv", 64, &["--map address is given twice"]);
}

#[test]
fn a_bad_record_costs_itself_only() {
    let work = Work::new();
    let check = |text: Vec<u8>, expected: &[(u64, &str)]| {
        work.write("dump", &text);
        for way in ["", "--io read --chunk-bytes 4096", "--threads 1 --chunk-bytes 65536"] {
            let dump = work.dump(&format!("--identifier x --dry-run {way} dump"));
            let rejects: Vec<_> = dump["rejected_first"].as_array().unwrap().iter().collect();
            let told: Vec<_> = rejects
                .iter()
                .map(|reject| (count(reject, "record"), reject["reason"].as_str().unwrap()))
                .collect();
            assert_eq!(told, expected, "{way}");
            assert_eq!(count(&dump, "alerts"), 2, "{way}");
        }
    };
    let csv = |bad: &str| format!("ip,port\n192.0.2.1,80\n{bad}\n192.0.2.2,80\n").into_bytes();
    check(csv(&format!("192.0.2.3{}", ",x".repeat(1_000_000))), &[(2, "too-long")]);
    check(csv(&format!("192.0.2.3{}", ",".repeat(1_000_000))), &[(2, "columns")]);
    check(csv(&format!("192.0.2.3,{}", "9".repeat(3 << 20))), &[(2, "too-long")]);
    check(csv("192.0.2.3,\0"), &[(2, "encoding")]);
    check([&csv("192.0.2.3")[..], b"192.0.2.4,\xFF\n"].concat(), &[(2, "columns"), (4, "encoding")]);
    let json =
        |bad: &str| format!("{{\"ip\":\"192.0.2.1\"}}\n{bad}\n{{\"ip\":\"192.0.2.2\"}}\n").into_bytes();
    let deep = |open: &str, close: &str| {
        format!("{{\"ip\":\"192.0.2.3\",\"x\":{}1{}}}", open.repeat(100_000), close.repeat(100_000))
    };
    check(json(&deep("[", "]")), &[(2, "json")]);
    check(json(&deep("{\"a\":", "}")), &[(2, "json")]);
    check(json(&format!("{{\"ip\":\"192.0.2.3\",\"x\":\"{}\"}}", "y".repeat(2 << 20))), &[(2, "too-long")]);
    check(json("{\"ip\":\"192.0.2.3\",\"x\":\"\u{0}\"}"), &[(2, "encoding")]);
    check(json("{\"ip\":\"192.0.2.3\",\"ip\":\"10.0.0.1\"}"), &[(2, "duplicate-key")]);
}

#[test]
fn the_longest_record_is_set_by_the_configuration() {
    let work = Work::new();
    work.write("config.toml", "[limits]\nrecord_bytes_max = 20\n");
    let row = |length: usize| format!("192.0.2.1,{}\n", "x".repeat(length - 10));
    work.write("dump.csv", format!("ip,note\n{}{}{}", row(20), row(21), row(20)));
    for way in ["", "--io read --chunk-bytes 1", "--io read --chunk-bytes 1024"] {
        let dump = work.dump(&format!("--config config.toml --identifier x --dry-run {way} dump.csv"));
        assert_eq!((count(&dump, "matched"), count(&dump, "rejected")), (2, 1), "{way}");
    }
}

#[test]
fn words_that_make_no_sense_are_usage_errors() {
    let work = Work::new();
    work.write("dump.csv", GOOD);
    let check = |words: &str, said: &str| work.matched(words).check(64, &[said]);
    check("dump.csv", "--spool DIR, --output FILE or --dry-run");
    check("--spool spool", "DUMP");
    check("--spool spool --output out dump.csv", "--output");
    check("--dry-run --no-such-option dump.csv", "--no-such-option");
    check("--dry-run --threads 0 dump.csv", "--threads");
    check("--dry-run --threads 1025 dump.csv", "--threads");
    check("--dry-run --io other dump.csv", "--io");
    check("--dry-run --feed Night dump.csv", "--feed");
    check("--dry-run --run-time yesterday dump.csv", "--run-time");
    check("--dry-run --observed 22-11-2026 dump.csv", "--observed");
    check("--dry-run - -", "only once");
    check("--dry-run --index a.dwi --register register.csv dump.csv", "--index");
    work.run("match --dry-run dump.csv").check(64, &["--register FILE"]);
    work.run("").check(64, &["match"]);
    work.run("match --help").check(0, &[]);
}

#[test]
fn a_register_with_a_bad_row_is_refused_unless_one_keeps_going() {
    let work = Work::new();
    work.write("dump.csv", GOOD);
    work.write(
        "bad.csv",
        "owner_id,network,contact\nschool,192.0.2.1/24,a@b.example\nisp,192.0.2.0/24,a@b.example\n",
    );
    let said = ["bad.csv:2: ", "192.0.2.0/24", "192.0.2.1"];
    check(&work, "--register bad.csv dump.csv", 65, &said);
    let done = work.matched("--identifier x --dry-run --json --register bad.csv --keep-going dump.csv");
    done.check(0, &said);
    assert_eq!(done.summary()["dumps"][0]["alerts"], 1);
}

#[test]
fn an_index_that_is_none_damaged_or_too_new_is_refused() {
    let work = Work::new();
    work.write("dump.csv", GOOD);
    work.run("index build -o owners.dwi register.csv").check(0, &[]);
    assert_eq!(work.dump("--identifier x --index owners.dwi --dry-run dump.csv")["alerts"], 1);
    check(&work, "--index register.csv dump.csv", 65, &["is no index"]);
    let good = std::fs::read(work.path("owners.dwi")).unwrap();
    for at in [good.len() / 3, good.len() - 1] {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        work.write("damaged.dwi", damaged);
        check(&work, "--index damaged.dwi dump.csv", 65, &["index is damaged", "damaged.dwi"]);
    }
    work.write("cut.dwi", &good[..good.len() / 2]);
    check(&work, "--index cut.dwi dump.csv", 65, &["cut.dwi"]);
    work.write("empty.dwi", "");
    check(&work, "--index empty.dwi dump.csv", 65, &["empty.dwi"]);
}

#[test]
fn a_configuration_that_is_wrong_is_told_by_line_and_column() {
    let work = Work::new();
    work.write("dump.csv", GOOD);
    let check = |text: &str, said: &[&str]| {
        work.write("config.toml", text);
        check(&work, "--config config.toml dump.csv", 78, said);
        work.run("check-config --config config.toml").check(78, said);
    };
    check("[feeds.x]\nformt = \"csv\"\n", &["config.toml:2:1:", "`formt`", "did you mean `format`"]);
    check("[spol]\npath = \"x\"\n", &["config.toml:1:", "did you mean `spool`"]);
    check("[limits]\n record_bytes_max = \"much\"\n", &["config.toml:2:"]);
    check("[feeds.x]\nformat = \"cvs\"\n", &["config.toml", "did you mean csv"]);
    check("[feeds.X]\n", &["config.toml", "feed"]);
    check("[feeds.x]\ntlp = \"PINK\"\n", &["config.toml", "AMBER"]);
    check("[[senders]]\n\"*\" = \"ncsc\"\n", &["config.toml", "from"]);
    check("not toml", &["config.toml:1:"]);
    super::refusals::check(&work, "--config missing.toml dump.csv", 66, &["missing.toml"]);
}

#[test]
fn an_identifier_that_says_nothing_is_refused() {
    let work = Work::new();
    work.write("dump.csv", "ip\n192.0.2.1\n");
    for identifier in ["", " ", "a|b", "a\tb", &"x".repeat(129)] {
        let mut command = work.command("match --register register.csv --dry-run dump.csv --identifier");
        Done::of(command.arg(identifier).spawn().unwrap()).check(64, &["--identifier", "such as open-rdp"]);
    }
    work.write("config.toml", "[feeds.csv]\nidentifier = \"\"\n");
    work.matched("--config config.toml --dry-run dump.csv")
        .check(78, &["[feeds.csv]", "no name of what is wrong"]);
}

#[test]
fn an_index_replaces_no_pipe_and_follows_a_link() {
    let work = Work::new();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, work.path("pipe"), mode).unwrap();
    work.run("index build -o pipe register.csv").check(73, &["pipe", "no regular file"]);
    work.run("index build -o - register.csv").check(64, &["name one with -o"]);
    work.run("index build -o real.dwi register.csv").check(0, &[]);
    std::os::unix::fs::symlink("real.dwi", work.path("link.dwi")).unwrap();
    let first = std::fs::read(work.path("real.dwi")).unwrap();
    work.write("register.csv", "owner_id,network\na,192.0.2.0/24\n");
    work.run("index build -o link.dwi register.csv").check(0, &[]);
    assert!(work.path("link.dwi").is_symlink());
    assert_ne!(std::fs::read(work.path("real.dwi")).unwrap(), first);
}

#[test]
fn two_outputs_are_two_files() {
    let work = Work::new();
    work.write("dump.csv", "ip\n192.0.2.1\n");
    work.matched("--output x --rejects x dump.csv").check(64, &["would be written over"]);
    work.matched("--output x --rejects - dump.csv").check(64, &["name one with --rejects"]);
}

/// Whoever brings a dump chooses its name.
#[test]
fn names_of_files_do_nothing_to_a_terminal_or_a_log() {
    let work = Work::new();
    let name = "\u{1b}[31m\u{9b}31m\u{202e}\n.csv";
    work.write(name, "owner_id,network\n!,x\n");
    for words in [
        "match --register register.csv --json --dry-run",
        "index build -o x.dwi",
        "match --dry-run dump.csv --register",
    ] {
        let done = Done::of(work.command(words).arg(name).spawn().unwrap());
        let said = format!("{}{}", done.out, done.err);
        assert!(
            said.contains("31m") && !said.contains(['\u{1b}', '\u{9b}', '\u{202e}']),
            "{words}: {said:?}"
        );
    }
}
