//! An independent checker, in Python, decides every record of generated dumps again and compares with what the command wrote, by id,
//! both ways: `tests/checker.py`, which tells how.
//!
//! A few seeds here; `DIJKWACHT_SWEEP=1000000 cargo test --release --test checker -- --nocapture` goes on until a million alerts are compared.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

#[test]
fn a_checker_in_another_language_agrees_on_every_alert_and_every_record() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checker.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(env!("CARGO_BIN_EXE_dijkwacht"));
    match std::env::var("DIJKWACHT_SWEEP") {
        Ok(alerts) => command.args(["--records", "1000", "--alerts", &alerts]),
        Err(_) => command.args(["--records", "60", "--seeds", "4"]),
    };
    let done = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return eprintln!("python3 is missing: not checked");
        }
        done => done.unwrap(),
    };
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));
    println!("{told}");
    for kind in ["of one owner", "of several owners", "of which one is registered"] {
        assert!(told.contains(&format!("shown names {kind}")), "no record decides by two names {kind}");
    }
}
