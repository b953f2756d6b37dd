//! A directory with a register in it, in which commands are run.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Both families, nested, crossing, equal, moved, without contact. Ids do not stand in their order.
pub(crate) const REGISTER: &str = "\
owner_id,name,constituency,role,network,contact,valid_from,valid_until
isp,Provider,business,network,192.0.2.0/24,abuse@isp.example,,
isp,Provider,business,network,2001:db8::/32,abuse@isp.example,,
school,School,vital,user,192.0.2.0/28,cert@school.example,,
school,School,vital,user,2001:db8:1::/48,cert@school.example,,
hosting,Hosting,digital-service-provider,network,198.51.100.0/24,noc@hosting.example,,
hospital,Hospital,vital,user,198.51.100.64 - 198.51.100.99,cert@hospital.example,,
clinic,Clinic,vital,user,198.51.100.90 - 198.51.100.120,it@clinic.example,,
twin-a,Twin A,business,user,192.0.2.32/29,a@twin.example,,
twin-b,Twin B,business,user,192.0.2.32/29,b@twin.example,,
old,Old,business,user,192.0.2.64/28,old@move.example,,2026-11-15
new,New,business,user,192.0.2.64/28,new@move.example,2026-11-16,
mute,Mute,business,user,192.0.2.80/28,,,
silent,Silent,business,network,203.0.113.0/24,,,
";

/// When all runs are that say nothing else.
pub(crate) const RUN_TIME: &str = "2026-11-22T12:00:00Z";

/// The keys of a dump in the summary that are counts.
pub(crate) const COUNTS: [&str; 16] = [
    "records",
    "matched",
    "unmatched",
    "unmatched_special",
    "skipped",
    "rejected",
    "decisions",
    "alerts",
    "duplicates",
    "held",
    "dropped",
    "excepted",
    "owners",
    "bytes",
    "bytes_stored",
    "seconds",
];

/// And those that are counts by reason.
pub(crate) const COUNTS_BY: [&str; 3] = ["skipped_by", "rejected_by", "held_by"];

pub(crate) struct Work {
    directory: TempDir,
}

/// What a command left behind.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Path below a root to mode and content; a directory has none.
pub(crate) type Tree = BTreeMap<String, (u32, Vec<u8>)>;

impl Work {
    pub(crate) fn new() -> Self {
        let work = Self { directory: tempfile::tempdir().unwrap() };
        work.write("register.csv", REGISTER);
        work
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// `dijkwacht` with these words, in the directory.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
        command.args(words.split_whitespace()).current_dir(self.directory.path());
        command.env_remove("DIJKWACHT_CONFIG").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, words: &str) -> Done {
        Done::of(self.command(words).spawn().unwrap())
    }

    pub(crate) fn run_with_input(&self, words: &str, input: &[u8]) -> Done {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // A command that fails does not read all of it.
            scope.spawn(move || drop(stdin.write_all(input)));
            Done::of(child)
        })
    }

    /// `dijkwacht match` with the register, at the run time.
    pub(crate) fn matched(&self, words: &str) -> Done {
        self.run(&match_words(words))
    }

    /// The summary of a match that goes well, its books balanced.
    pub(crate) fn summary(&self, words: &str) -> Value {
        self.matched(&format!("--json {words}")).summary()
    }

    /// The only dump of [`Self::summary`].
    pub(crate) fn dump(&self, words: &str) -> Value {
        let summary = self.summary(words);
        assert_eq!(summary["dumps"].as_array().unwrap().len(), 1);
        summary["dumps"][0].clone()
    }

    pub(crate) fn tree(&self, name: &str) -> Tree {
        let mut tree = Tree::new();
        let root = self.path(name);
        walk(&root, &root, &mut tree);
        tree
    }

    /// The files below a directory.
    pub(crate) fn files(&self, name: &str) -> Vec<String> {
        let tree = self.tree(name);
        tree.into_iter()
            .filter(|(path, _)| self.path(name).join(path).is_file())
            .map(|(path, _)| path)
            .collect()
    }

    /// The lines of a file of alerts.
    pub(crate) fn alerts(&self, name: &str) -> Vec<Value> {
        alerts(&fs::read_to_string(self.path(name)).unwrap())
    }

    /// Nothing is published, nothing is left over.
    pub(crate) fn assert_nothing_published(&self, spool: &str) {
        for part in ["new", "held", "tmp", "runs"] {
            let path = self.path(spool).join(part);
            if path.exists() {
                let entries: Vec<_> =
                    fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
                assert!(entries.is_empty(), "{entries:?}");
            }
        }
    }
}

pub(crate) fn match_words(words: &str) -> String {
    let register = if words.contains("--index") || words.contains("--register") {
        ""
    } else {
        "--register register.csv"
    };
    let run_time =
        if words.contains("--run-time") { String::new() } else { format!("--run-time {RUN_TIME}") };
    format!("match {register} {run_time} {words}")
}

/// Alerts, a line each.
pub(crate) fn alerts(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Done {
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("died: {}", output.status));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// It ended so, and said all of this on standard error.
    pub(crate) fn check(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for said in said {
            assert!(self.err.contains(said), "not said: {said}\n{}", self.err);
        }
    }

    pub(crate) fn summary(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        read_summary(&self.out)
    }
}

/// The one JSON document in the text, with balanced books.
pub(crate) fn read_summary(text: &str) -> Value {
    let summary: Value = serde_json::from_str(text).unwrap();
    summary["dumps"].as_array().unwrap().iter().for_each(assert_balanced);
    assert_balanced(&summary["total"]);
    summary
}

pub(crate) fn count(books: &Value, key: &str) -> u64 {
    books[key].as_u64().unwrap_or_else(|| panic!("{key}: {}", books[key]))
}

/// The equations of the books that can be seen from outside.
pub(crate) fn assert_balanced(books: &Value) {
    let sum = |keys: &[&str]| keys.iter().map(|key| count(books, key)).sum::<u64>();
    assert_eq!(sum(&["records"]), sum(&["matched", "unmatched", "skipped", "rejected"]), "{books}");
    assert_eq!(sum(&["decisions"]), sum(&["alerts", "duplicates", "held", "dropped", "excepted"]), "{books}");
    assert!(sum(&["matched"]) <= sum(&["decisions"]), "every matched record gives a decision: {books}");
    assert!(sum(&["unmatched_special"]) <= sum(&["unmatched"]), "{books}");
    for whole in ["skipped", "rejected", "held"] {
        let by = books[format!("{whole}_by")].as_object().unwrap();
        assert_eq!(
            by.values().map(|count| count.as_u64().unwrap()).sum::<u64>(),
            count(books, whole),
            "{books}"
        );
    }
}

fn walk(root: &Path, directory: &Path, tree: &mut Tree) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        tree.insert(name, (metadata.permissions().mode() & 0o7777, content));
        if metadata.is_dir() {
            walk(root, &path, tree);
        }
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Packed in three pieces, one behind the other.
pub(crate) fn packed(bytes: &[u8], pack: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let third = bytes.len().div_ceil(3).max(1);
    bytes.chunks(third).flat_map(pack).collect()
}
