//! A working day in miniature, watched by a real Prometheus (Debian's package `prometheus`): dumps of every format, reloads, bad
//! dumps, a disk that fills up and gets room again, a death. Our own rules judge it, and every question of the dashboard is asked.
//!
//! The rules are those that `generate prometheus-rules` prints, but for how long something must last before it is an alert.

use crate::daemon::{DEADLINE, Daemon, Place};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Of the spool's file system.
const SPOOL_BYTES: usize = 16 << 20;
const HOUR: Duration = Duration::from_secs(3600);

/// A dump of every format: feed, name, content.
const MORNING: [(&str, &str, &str); 10] = [
    (
        "scan_rdp",
        "2026-11-22-scan_rdp-example-nl.csv",
        include_str!("../../fixtures/dumps/2026-11-22-scan_rdp-example-nl.csv"),
    ),
    ("shodan", "export.jsonl", include_str!("../../fixtures/dumps/export-shodan.jsonl")),
    ("nuclei", "findings.jsonl", include_str!("../../fixtures/dumps/findings-nuclei.jsonl")),
    ("zgrab2", "http.jsonl", include_str!("../../fixtures/dumps/http-zgrab2.jsonl")),
    ("list", "mailed.txt", include_str!("../../fixtures/dumps/mailed-list.txt")),
    ("masscan", "ports.json", include_str!("../../fixtures/dumps/ports-masscan.json")),
    ("zmap", "telnet.csv", include_str!("../../fixtures/dumps/telnet-zmap.csv")),
    ("csv", "rows.csv", "ip,port\n192.0.2.9,3389\n198.51.100.40,3389\n8.8.8.8,3389\n"),
    ("ndjson", "rows.jsonl", "{\"ip\":\"192.0.2.10\",\"port\":21}\n{\"ip\":\"8.8.8.8\",\"port\":21}\n"),
    ("masscan_list", "ports.txt", "#masscan\nopen tcp 6379 203.0.113.50 1795309200\n# end\n"),
];

/// Feeds that say what is wrong, where their dumps do not.
const FEEDS: &str = "
[feeds.scan_rdp]
[feeds.shodan]
[feeds.nuclei]
[feeds.zgrab2]
finding = true
[feeds.list]
identifier = \"default-password\"
[feeds.masscan]
finding = true
[feeds.zmap]
identifier = \"open-telnet\"
severity = \"high\"
[feeds.csv]
identifier = \"open-rdp\"
[feeds.ndjson]
identifier = \"open-ftp\"
[feeds.masscan_list]
finding = true
";

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// A small file system of its own for the spool, until the day is over. `None` where we may not mount one.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: PathBuf) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let size = format!("size={SPOOL_BYTES}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&path).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }

    fn fill(&self) {
        let mut filler = fs::File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

struct Prometheus {
    child: Child,
    listen: SocketAddr,
    began: SystemTime,
}

impl Prometheus {
    fn start(place: &Place, batch: SocketAddr) -> Self {
        let rules = String::from_utf8(place.command("generate prometheus-rules").output().unwrap().stdout);
        place.write("rules.yml", at_once(&rules.unwrap()));
        let daemon = place.listen;
        place.write(
            "prometheus.yml",
            format!(
                "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
                 rule_files: [rules.yml]\n\
                 scrape_configs:\n\
                 - {{ job_name: dijkwacht, static_configs: [ {{ targets: ['{daemon}'] }} ] }}\n\
                 - {{ job_name: node, static_configs: [ {{ targets: ['{batch}'] }} ] }}\n"
            ),
        );
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = fs::File::create(place.path("prometheus.log")).unwrap();
        let child = Command::new("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--log.level=warn"])
            .arg(format!("--web.listen-address={listen}"))
            .current_dir(place.path(""))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let prometheus = Self { child, listen, began: SystemTime::now() };
        place.wait("Prometheus is ready", || prometheus.get("/-/ready").contains("200 OK"));
        prometheus
    }

    fn get(&self, path: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(self.listen) else { return String::new() };
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let _ = write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.listen);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn api(&self, path: &str) -> Value {
        let answer = self.get(&format!("/api/v1/{path}"));
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let answer: Value = serde_json::from_str(body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// What an expression is now, by its labels.
    fn query(&self, expression: &str) -> BTreeMap<String, f64> {
        let data = self.api(&format!("query?query={}", encoded(expression)));
        let series = data["result"].as_array().unwrap().iter();
        series
            .map(|series| {
                let labels = series["metric"].as_object().unwrap().values().filter_map(Value::as_str);
                let labels: Vec<&str> = labels.collect();
                (labels.join(" "), series["value"][1].as_str().unwrap().parse().unwrap())
            })
            .collect()
    }

    /// How many series an expression had at any moment of the day.
    fn series_of_the_day(&self, expression: &str) -> usize {
        let unix = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (start, end) = (unix(self.began), unix(SystemTime::now()));
        let query = format!("query_range?query={}&start={start}&end={end}&step=1", encoded(expression));
        self.api(&query)["result"].as_array().unwrap().len()
    }

    /// By name, and feed where it has one.
    fn firing(&self) -> BTreeSet<String> {
        let data = self.api("alerts");
        let alerts = data["alerts"].as_array().unwrap().iter().filter(|alert| alert["state"] == "firing");
        let name = |labels: &Value| {
            let feed = labels["feed"].as_str().map(|feed| format!(" {feed}")).unwrap_or_default();
            format!("{}{feed}", labels["alertname"].as_str().unwrap())
        };
        alerts.map(|alert| name(&alert["labels"])).collect()
    }

    fn wait_firing(&self, place: &Place, alert: &str) {
        place.wait(&format!("{alert} fires"), || self.firing().contains(alert));
        println!("{:>6.1} s  {alert} fires", self.began.elapsed().unwrap().as_secs_f64());
    }

    fn wait_resolved(&self, place: &Place, alert: &str) {
        place.wait(&format!("{alert} resolves"), || !self.firing().contains(alert));
        println!("{:>6.1} s  {alert} resolves", self.began.elapsed().unwrap().as_secs_f64());
    }

    fn tell(&self, what: &str, expression: &str) {
        println!("{what}: {expression}");
        for (labels, value) in self.query(expression) {
            println!("    {labels:<40} {value}");
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rules with the shortest patience; what they ask is as it was.
fn at_once(rules: &str) -> String {
    let mut out = String::new();
    for line in rules.lines() {
        let trimmed = line.trim_start();
        let indent = &line[..line.len() - trimmed.len()];
        match trimmed.split_once(": ") {
            Some((key @ ("for" | "interval"), _)) => out.push_str(&format!("{indent}{key}: 1s\n")),
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    assert_ne!(out, format!("{rules}\n"));
    out
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// In node_exporter's place: what a batch wrote, to whoever asks.
fn serve_batch_metrics(path: PathBuf) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let text = fs::read_to_string(&path).unwrap_or_default();
            let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n{text}");
        }
    });
    listen
}

fn bring(place: &Place, feed: &str, name: &str, text: &str) {
    let hidden = format!("inbox/{feed}/.{name}");
    place.write(&hidden, text);
    fs::rename(place.path(hidden), place.path(format!("inbox/{feed}/{name}"))).unwrap();
}

/// As if it were so much older.
fn backdate(path: PathBuf, by: Duration) {
    fs::File::open(path).unwrap().set_modified(SystemTime::now() - by).unwrap();
}

fn build_index(place: &Place) {
    let built = place.command("index build --quiet -o owners.dwi curated.csv providers.jsonl").status();
    assert!(built.unwrap().success());
}

fn match_batch(place: &Place, dump: &str) {
    let words =
        format!("match --index owners.dwi --quiet --identifier x --dry-run --metrics-file batch.prom {dump}");
    place.command(&words).stderr(Stdio::null()).status().unwrap();
}

#[test]
#[ignore = "long"]
fn a_working_day_in_miniature_is_seen_by_a_real_prometheus() {
    if !is_installed("prometheus") {
        return println!("SKIPPED: prometheus is not installed (Debian: prometheus)");
    }
    let place = Place::new();
    let Some(disk) = Disk::mount(place.path("spool")) else {
        return println!("SKIPPED: no file system can be mounted here (root is needed)");
    };
    place.write("curated.csv", include_str!("../../fixtures/register/curated.csv"));
    place.write("providers.jsonl", include_str!("../../fixtures/register/providers.jsonl"));
    build_index(&place);
    let listen = place.listen;
    let config = format!(
        "register.index = \"owners.dwi\"\nspool.path = \"spool\"\nmetrics.listen = \"{listen}\"\n\
         [inbox]\npath = \"inbox\"\nrescan_seconds = 1\n{FEEDS}"
    );
    place.write("dijkwacht.toml", &config);
    let prometheus = Prometheus::start(&place, serve_batch_metrics(place.path("batch.prom")));
    let daemon = place.start();
    place.wait("it is scraped", || prometheus.query("up{job=\"dijkwacht\"}").values().any(|up| *up == 1.0));

    a_morning_of_every_format(&place, &prometheus);
    reloads(&place, &daemon, &prometheus, &config);
    bad_dumps(&place, &prometheus);
    a_full_disk(&place, &prometheus, &disk);
    a_batch_and_a_mailer_that_fail(&place, &prometheus);
    prometheus.tell("records", "sum by (feed, outcome) (dijkwacht_records_total) > 0");
    prometheus.tell("alerts", "sum by (sender, severity) (dijkwacht_alerts_total) > 0");
    daemon.kill();
    let daemon = a_death_and_what_was_forgotten(&place, &prometheus);

    println!("at the end of the day firing: {:?}", prometheus.firing());
    prometheus.tell("runs of the day", "sum by (state) (increase(dijkwacht_runs_total[10m])) > 0");
    prometheus.tell(
        "bytes a second, at most",
        "max_over_time(sum(rate(dijkwacht_input_bytes_total[10s]))[10m:1s])",
    );
    every_panel_has_data(&place, &prometheus);
    daemon.stop();
}

fn a_morning_of_every_format(place: &Place, prometheus: &Prometheus) {
    for (feed, name, text) in MORNING {
        bring(place, feed, name, text);
        place.wait_for(&format!("done/{feed}/{name}"));
    }
    let records = "sum by (feed) (dijkwacht_records_total) > 0";
    place.wait("every feed has records", || prometheus.query(records).len() == MORNING.len());
    let published = prometheus.query("sum(dijkwacht_runs_total{state=\"published\"})");
    assert_eq!(published[""], MORNING.len() as f64);
    prometheus.tell("after the morning, alerts", "sum by (feed) (dijkwacht_alerts_total) > 0");
    prometheus.tell("and held", "sum by (reason) (dijkwacht_held_alerts_total) > 0");
    // Two rows of the fixture cannot be read.
    prometheus.wait_firing(place, "DijkwachtRejects scan_rdp");
    assert_eq!(prometheus.firing().len(), 1);
}

fn reloads(place: &Place, daemon: &Daemon<'_>, prometheus: &Prometheus, config: &str) {
    daemon.reload();
    place.write("dijkwacht.toml", config.replace("rescan_seconds", "rescan_secnods"));
    daemon.reload();
    prometheus.wait_firing(place, "DijkwachtReloadFailed");
    place.write("dijkwacht.toml", config);
    daemon.reload();
    prometheus.wait_resolved(place, "DijkwachtReloadFailed");
}

fn bad_dumps(place: &Place, prometheus: &Prometheus) {
    bring(place, "csv", "torn.csv.gz", "\u{1f}not gzip");
    bring(place, "zgrab2", "torn.zst", "not what its name says");
    let bad: String = (0..100).map(|row| format!("{}192.0.2.1,{row}\n", ["", "0"][row % 2])).collect();
    bring(place, "csv", "bad.csv", &format!("ip,port\n{bad}"));
    prometheus.wait_firing(place, "DijkwachtDumpGivenUp csv");
    prometheus.wait_firing(place, "DijkwachtDumpGivenUp zgrab2");
    prometheus.wait_firing(place, "DijkwachtRejects csv");
    prometheus.tell("why", "sum by (feed, reason) (dijkwacht_rejected_records_total) > 0");
    let good: String = (0..60_000).map(|row| format!("8.8.8.8,{row}\n")).collect();
    bring(place, "csv", "good.csv", &format!("ip,port\n{good}"));
    prometheus.wait_resolved(place, "DijkwachtRejects csv");
}

fn a_full_disk(place: &Place, prometheus: &Prometheus, disk: &Disk) {
    disk.fill();
    bring(place, "csv", "full.csv", "ip,port\n192.0.2.11,3389\n");
    prometheus.wait_firing(place, "DijkwachtDiskNearlyFull");
    place.wait("it says so", || place.status()["state"] == "fault");
    prometheus.tell("while it is full", "sum by (feed, reason) (dijkwacht_run_failures_total) > 0");
    disk.make_room();
    place.wait_for("done/csv/full.csv");
    prometheus.wait_resolved(place, "DijkwachtDiskNearlyFull");
    assert_eq!(place.status()["state"], "idle");
}

fn a_batch_and_a_mailer_that_fail(place: &Place, prometheus: &Prometheus) {
    match_batch(place, "no-such-dump.csv");
    prometheus.wait_firing(place, "DijkwachtBatchFailed");
    match_batch(place, "done/csv/rows.csv");
    prometheus.wait_resolved(place, "DijkwachtBatchFailed");
    let taken = place.command("spool take --spool spool").output().unwrap().stdout;
    let claim = String::from_utf8(taken).unwrap().split('\t').next().unwrap().to_owned();
    assert!(place.command(&format!("spool fail --spool spool {claim}")).status().unwrap().success());
    prometheus.wait_firing(place, "DijkwachtNoticesFailed");
    fs::remove_dir(place.path(format!("spool/failed/{claim}"))).unwrap();
    prometheus.wait_resolved(place, "DijkwachtNoticesFailed");
    // A run that takes as long as we hold the lock.
    let lock = fs::File::open(place.path("spool/lock")).unwrap();
    lock.lock().unwrap();
    bring(place, "csv", "slow.csv", "ip,port\n192.0.2.12,3389\n");
    let progress = "dijkwacht_run_progress_ratio and on (feed, instance) dijkwacht_runs_in_progress > 0";
    place.wait("its progress is seen", || prometheus.query(progress).len() == 1);
    bring(place, "zmap", "waits.csv", "saddr\n192.0.2.12\n");
    place.wait("a second one too", || prometheus.query(progress).len() == 2);
    bring(place, "zmap", "waits-long.csv", "saddr\n192.0.2.13\n");
    place.wait("a queue", || prometheus.query("dijkwacht_inbox_oldest_timestamp_seconds > 0").len() == 1);
    drop(lock);
    place.wait_for("done/zmap/waits-long.csv");
}

/// The daemon is dead; it starts with an index, notices and held alerts that nobody has looked after.
fn a_death_and_what_was_forgotten<'p>(place: &'p Place, prometheus: &Prometheus) -> Daemon<'p> {
    prometheus.wait_firing(place, "DijkwachtDown");
    backdate(place.path("owners.dwi"), HOUR * 24 * 10);
    let run = place.runs().remove(0);
    backdate(place.path(format!("spool/new/{run}/manifest.json")), HOUR * 3);
    let held = place.names("spool/held").remove(0);
    backdate(place.path(format!("spool/held/{held}")), HOUR * 24 * 4);
    let daemon = place.start();
    prometheus.wait_resolved(place, "DijkwachtDown");
    for alert in ["DijkwachtIndexStale", "DijkwachtSpoolNotConsumed", "DijkwachtHeldOverdue"] {
        prometheus.wait_firing(place, alert);
    }
    build_index(place);
    daemon.reload();
    prometheus.wait_resolved(place, "DijkwachtIndexStale");
    place.mail(1000);
    prometheus.wait_resolved(place, "DijkwachtSpoolNotConsumed");
    daemon
}

/// Each expression of the dashboard had data at some moment of the day.
fn every_panel_has_data(place: &Place, prometheus: &Prometheus) {
    let text = place.command("generate grafana").output().unwrap().stdout;
    let dashboard: Value = serde_json::from_slice(&text).unwrap();
    let (mut asked, mut empty) = (0, Vec::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let expression = expression.replace("$feed", ".*").replace("$__rate_interval", "5s");
            asked += 1;
            if prometheus.series_of_the_day(&expression) == 0 {
                empty.push(format!("{}: {expression}", panel["title"]));
            }
        }
    }
    assert_eq!(empty, [""; 0]);
    println!("{asked} expressions of the dashboard, each with data");
    let rules = prometheus.api("rules");
    for group in rules["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            assert_eq!(rule["health"], "ok", "{rule}");
        }
    }
}
