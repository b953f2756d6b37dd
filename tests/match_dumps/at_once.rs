//! Several dumps in one call are read at the same time, and it cannot be told from what is left behind.

use crate::work::{Done, Work, gzip, match_words, packed, zstd};
use serde_json::Value;

/// How many threads there are decides how many dumps are read at the same time.
const THREADS: [usize; 4] = [1, 2, 3, 16];

/// Rows of every fate; the first ones are rejected, so that dumps can be told apart in the rejects.
fn rows(number: usize, count: usize) -> String {
    let row = |i: usize| match i % 7 {
        0 => format!("192.0.2,{number}\n"),
        1 => format!("10.0.0.{},{i}\n", i % 250),
        2 => format!("198.51.100.{},{i}\n", (i + number) % 250),
        _ => format!("192.0.2.{},{}\n", (i * 3 + number) % 250, i % 40),
    };
    format!("ip,port\n{}", (0..count).map(row).collect::<String>())
}

/// Dumps of very different sizes, packed in every way; some are missing, damaged, the same again, or stand beside a report that
/// cannot be read.
fn dumps(work: &Work) -> String {
    let mut names = Vec::new();
    let mut put = |name: String, content: &[u8]| {
        work.write(&name, content);
        names.push(name);
    };
    for number in 0..24 {
        let text = rows(number, if number % 5 == 0 { 6000 } else { 20 + number });
        let bytes = text.as_bytes();
        match number % 8 {
            0 => put(format!("{number}.csv.gz"), &packed(bytes, gzip)),
            1 => put(format!("{number}.csv.zst"), &packed(bytes, zstd)),
            2 => put(
                format!("{number}.again.csv"),
                rows(number - 2, if number == 2 { 6000 } else { 18 + number }).as_bytes(),
            ),
            3 => put(format!("{number}.cut.csv.gz"), &gzip(bytes)[..40]),
            4 => put(format!("{number}.none.csv"), b"no,header\nat,all\n"),
            5 => {
                put(format!("{number}.said.csv"), bytes);
                work.write(&format!("{number}.said.csv.toml"), "observed = 7\n");
            }
            _ => put(format!("{number}.csv"), bytes),
        }
    }
    names.insert(9, "missing.csv".to_owned());
    names.insert(11, "-".to_owned());
    names.join(" ")
}

/// What was said, less what tells the time and where it was put.
fn said(done: &Done, spool: &str) -> (i32, String, Value) {
    let mut summary: Value = serde_json::from_str(&done.out).unwrap_or_default();
    let dumps = summary["dumps"].as_array_mut().into_iter().flatten();
    dumps.for_each(|dump| dump["seconds"] = Value::Null);
    summary["total"]["seconds"] = Value::Null;
    let untimed = |line: &str| match line.split_once("already published at ") {
        Some((before, after)) => format!("{before}already published at {}", after.split_once(' ').unwrap().1),
        None => line.to_owned(),
    };
    let err = done.err.lines().map(|line| untimed(&line.replace(spool, "SPOOL")) + "\n").collect();
    (done.code, err, summary)
}

/// Runs all dumps with each number of threads; checks that all that is left is what one thread leaves.
fn check(config: &str, words: &str) -> (Work, Value) {
    let work = Work::new();
    work.write("config.toml", config);
    let dumps = dumps(&work);
    let stdin = rows(99, 3000);
    let mut first = None;
    for threads in THREADS {
        let spool = format!("spool-{threads}");
        let words = words.replace("SPOOL", &spool);
        let words = match_words(&format!(
            "--config config.toml --feed night --identifier x --json --threads {threads} --rejects rejects-{threads} {words} \
             {dumps}"
        ));
        let done = work.run_with_input(&words, stdin.as_bytes());
        let left = (
            said(&done, &spool),
            std::fs::read(work.path(&format!("rejects-{threads}"))).unwrap(),
            work.tree(&spool),
            std::fs::read(work.path(&format!("{spool}.jsonl"))).ok(),
        );
        let first = first.get_or_insert_with(|| left.clone());
        assert_eq!(left.0, first.0, "{threads} threads: what is said");
        assert!(left == *first, "{threads} threads: rejects, spool or output differ");
    }
    let ((_, _, summary), ..) = first.unwrap();
    (work, summary)
}

fn states(summary: &Value) -> Vec<&str> {
    summary["dumps"].as_array().unwrap().iter().map(|dump| dump["state"].as_str().unwrap()).collect()
}

#[test]
fn notices_and_all_that_is_said_are_those_of_one_after_the_other() {
    let (work, summary) = check("", "--residual --spool SPOOL");
    let states = states(&summary);
    for (state, count) in [("published", 13), ("already_published", 3), ("failed", 10)] {
        assert_eq!(states.iter().filter(|is| **is == state).count(), count, "{state} of {states:?}");
    }
    let rejects = std::fs::read_to_string(work.path("rejects-16")).unwrap();
    assert!(rejects.len() > 100_000, "of several dumps, some in a file");
}

#[test]
fn an_output_has_the_alerts_of_one_after_the_other() {
    let (work, summary) = check("", "--output SPOOL.jsonl");
    assert_eq!(states(&summary).iter().filter(|state| **state == "published").count(), 16);
    let alerts = work.alerts("spool-16.jsonl").len();
    assert!(alerts > 5000, "{alerts}");
}

#[test]
fn what_earlier_dumps_of_the_call_say_of_a_later_one_decides() {
    // Three runs tell what is usual; the large dumps behind them are more.
    let (_, summary) = check("[feeds.night]\ngrowth_max = 3\n", "--spool SPOOL");
    let dumps = summary["dumps"].as_array().unwrap();
    let blown = dumps.iter().filter(|dump| !dump["fuse"].is_null()).count();
    assert!(blown > 0 && blown < dumps.len(), "{blown}");
}

#[test]
fn a_dry_run_counts_as_one_after_the_other() {
    let (work, summary) = check("", "--dry-run --owners");
    assert_eq!(states(&summary).iter().filter(|state| **state == "dry_run").count(), 16);
    assert!(!work.path("spool-1").exists());
}

#[test]
fn an_output_that_is_closed_ends_them_all() {
    let work = Work::new();
    let dumps = dumps(&work);
    for threads in THREADS {
        let words = match_words(&format!("--identifier x --threads {threads} --output - {dumps}"));
        let mut child = work.command(&words).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        std::io::Read::read_exact(&mut out, &mut [0; 100]).unwrap();
        drop(out);
        let done = Done::of(child);
        done.check(74, &["0.csv.gz: failed"]);
        assert!(!done.err.contains("2.again.csv"), "{}", done.err);
    }
}
