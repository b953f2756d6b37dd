//! Metrics, dashboard and alert rules agree with each other and with Prometheus' own tools.
//!
//! What `promtool` judges (Debian's package `prometheus`) is judged where it is installed; where it is not, the test says so.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it leaves out")]

use dijkwacht::metrics::{
    ALL, InboxDepth, Kind, Metric, RULES, Registry, Reloaded, Shell, Values, dashboard,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

mod batch;

/// Runs promtool; `None` where it is not installed.
fn promtool(arguments: &[&str], directory: &Path, input: &str) -> Option<(bool, String)> {
    let spawned = Command::new("promtool")
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        eprintln!("promtool is not installed (Debian: prometheus): {arguments:?} is not checked");
        return None;
    };
    // The end of the input must be seen: the pipe is dropped here.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = [&done.stdout[..], &done.stderr].concat();
    Some((done.status.success(), String::from_utf8(said).unwrap()))
}

fn assert_promtool(arguments: &[&str], directory: &Path, input: &str) {
    if let Some((succeeded, said)) = promtool(arguments, directory, input) {
        assert!(succeeded, "{arguments:?}: {said}");
    }
}

/// Series of a page, with their values.
fn series(page: &str) -> BTreeMap<&str, f64> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| (series, value.parse().unwrap()))
        .collect()
}

fn daemon() -> Registry {
    let registry = Registry::of_daemon();
    registry.register_feeds(&["partner", "scan_rdp"], &["ncsc", "dtc"]);
    registry
}

#[test]
fn promtool_finds_no_fault_in_a_page() {
    assert_promtool(&["check", "metrics"], Path::new("."), &daemon().render());
}

#[test]
fn promtool_finds_no_fault_in_the_rules_and_they_fire_when_they_should() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("rules.yml", RULES);
    write("hourly.yml", &RULES.replace("interval: 5m", "interval: 1h"));
    write("rules_test.yml", include_str!("rules_test.yml"));
    write("history_test.yml", include_str!("history_test.yml"));
    assert_promtool(&["check", "rules", "rules.yml"], directory.path(), "");
    assert_promtool(&["test", "rules", "rules_test.yml", "history_test.yml"], directory.path(), "");
}

#[test]
fn each_alert_is_tested_and_names_its_remedy() {
    let tests = concat!(include_str!("rules_test.yml"), include_str!("history_test.yml"));
    let alerts: Vec<&str> = RULES.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 15, "{}", alerts.len());
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        let family = name.trim_end_matches("Dropped").trim_end_matches("Risen");
        assert!(tests.contains(family), "{name} is not tested");
        assert!(alert.contains("summary: "), "{name} has no summary");
        let remedy =
            alert.split("description: >-").nth(1).unwrap_or_else(|| panic!("{name} has no description"));
        let says = ["`", "Look", "failed/"].iter().any(|word| remedy.contains(word));
        assert!(says, "{name} names no remedy");
        assert!(alert.contains("severity: "), "{name} has no severity");
    }
}

/// What a piece of PromQL names: each metric of ours, with the labels that stand in its braces.
fn named(query: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let mut found = Vec::new();
    for (at, _) in query.match_indices("dijkwacht_") {
        // A recorded series, such as feed:dijkwacht_records:increase1d, is none of ours.
        if query[..at].ends_with(':') {
            continue;
        }
        let end = query[at..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .map_or(query.len(), |end| at + end);
        let inner = query[end..]
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .map_or("", |(inner, _)| inner);
        let labels = inner.split(',').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name, value.trim_start_matches('~').trim_matches('"')))
        });
        found.push((&query[at..end], labels.collect()));
    }
    found
}

fn metric(name: &str) -> Option<&'static Metric> {
    ALL.iter().copied().find(|metric| match metric.kind {
        Kind::Histogram(_) => {
            name.strip_prefix(metric.name).is_some_and(|part| ["_bucket", "_sum", "_count"].contains(&part))
        }
        Kind::Counter | Kind::Gauge => metric.name == name,
    })
}

/// That a query names only what there is; returns the metrics that it names.
fn check_query(query: &str) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::new();
    for (name, labels) in named(query) {
        let found = metric(name).unwrap_or_else(|| panic!("no metric is called {name}: {query}"));
        for (label, value) in labels {
            if label == "instance" {
                continue;
            }
            let known = found.labels.iter().find(|known| known.name == label);
            let known = known.unwrap_or_else(|| panic!("{name} has no label {label}: {query}"));
            if let Some(values) = known.values.fixed() {
                let is_known = |value: &str| values.contains(&value);
                assert!(value.split('|').all(is_known), "{name}: {label} is never {value}: {query}");
            }
        }
        names.insert(found.name);
    }
    names
}

#[test]
fn the_rules_name_only_what_there_is() {
    let expressions: Vec<&str> = RULES
        .split("expr: ")
        .skip(1)
        .map(|rest| {
            let ends = ["for: ", "labels: ", "- record: "];
            let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
            &rest[..end]
        })
        .collect();
    assert!(expressions.len() >= 18);
    let named: BTreeSet<_> = expressions.iter().flat_map(|expression| check_query(expression)).collect();
    assert!(named.len() >= 12, "{named:?}");
    // What the annotations name must be there too.
    check_query(RULES);
}

#[test]
fn the_dashboard_shows_every_metric_and_names_only_what_there_is() {
    let board: Value = serde_json::from_str(&dashboard()).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let shown: BTreeSet<_> =
        queries.flat_map(|target| check_query(target["expr"].as_str().unwrap())).collect();
    let not_shown: Vec<_> =
        ALL.iter().map(|metric| metric.name).filter(|name| !shown.contains(name)).collect();
    assert_eq!(
        not_shown, NOT_ON_THE_DASHBOARD,
        "either show a metric or say here that it is not worth a panel"
    );
}

/// For a query when something is looked into.
const NOT_ON_THE_DASHBOARD: [&str; 7] = [
    "dijkwacht_build_info",
    "dijkwacht_reload_last_successful",
    "dijkwacht_special_records_total",
    "dijkwacht_dutch_unmatched_records_total",
    "dijkwacht_input_stored_bytes_total",
    "dijkwacht_batch_last_run_timestamp_seconds",
    "dijkwacht_process_max_fds",
];

#[test]
fn panels_have_numbers_of_their_own_and_do_not_overlap() {
    let board: Value = serde_json::from_str(&dashboard()).unwrap();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24, "{title}");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{title} overlaps");
        }
    }
    assert!(ids.len() > 40);
}

#[test]
fn promtool_can_read_every_query_of_the_dashboard() {
    let board: Value = serde_json::from_str(&dashboard()).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let mut rules = String::from("groups:\n  - name: panels\n    rules:\n");
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten()) {
        let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m").replace("$feed", ".*");
        rules += &format!(
            "      - record: a:b:c\n        labels: {{ n: '{}' }}\n        expr: '{query}'\n",
            rules.len()
        );
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("panels.yml"), rules).unwrap();
    assert_promtool(&["check", "rules", "panels.yml"], directory.path(), "");
}

/// The names of a page's families, in its order.
fn families(page: &str) -> Vec<&str> {
    page.lines()
        .filter(|line| line.starts_with("# TYPE "))
        .map(|line| line.split(' ').nth(2).unwrap())
        .collect()
}

#[test]
fn a_daemon_tells_every_metric_at_zero_before_anything_happened() {
    let page = daemon().render();
    let told = families(&page);
    let mut wanted: Vec<_> =
        ALL.iter().filter(|metric| metric.shell != Shell::Batch).map(|metric| metric.name).collect();
    wanted.sort_unstable();
    assert_eq!(told, wanted, "sorted, and none is missing");
    let series = series(&page);
    for metric in ALL.iter().filter(|metric| metric.shell != Shell::Batch && metric.labels.len() == 2) {
        let fixed = metric.labels.iter().filter_map(|label| label.values.fixed());
        let count: usize = fixed.map(|values| values.len()).product();
        let of_feeds = if matches!(metric.labels[0].values, Values::Feeds) { 2 } else { 1 };
        let mine = series.iter().filter(|(series, _)| series.starts_with(&format!("{}{{", metric.name)));
        let values: Vec<f64> = mine.map(|(_, value)| *value).collect();
        assert_eq!(values, vec![0.0; count * of_feeds], "{}", metric.name);
    }
    assert_eq!(series["dijkwacht_alerts_total{feed=\"partner\",severity=\"none\",sender=\"dtc\"}"], 0.0);
    assert_eq!(series["dijkwacht_lag_seconds_bucket{le=\"+Inf\"}"], 0.0);
}

#[test]
fn names_and_helps_are_as_prometheus_wants_them() {
    let mut names = BTreeSet::new();
    for metric in ALL {
        let Metric { name, kind, help, .. } = metric;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("dijkwacht_"), "{name}");
        assert_eq!(matches!(kind, Kind::Counter), name.ends_with("_total"), "{name}");
        assert_eq!(
            matches!(kind, Kind::Histogram(_)),
            ["dijkwacht_lag_seconds", "dijkwacht_run_stage_seconds"].contains(name)
        );
        assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
        if let Kind::Histogram(bounds) = kind {
            assert!(bounds.is_sorted() && bounds.iter().all(|bound| *bound > 0.0), "{name}");
        }
    }
}

#[test]
fn a_reload_that_failed_keeps_the_moment_of_the_last_good_one() {
    let registry = daemon();
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let look = |registry: &Registry| {
        let page = registry.render();
        let series = series(&page);
        [
            "reload_last_successful{what=\"index\"}",
            "reload_last_success_timestamp_seconds{what=\"index\"}",
            "reloads_total{what=\"index\",outcome=\"success\"}",
            "reloads_total{what=\"index\",outcome=\"failure\"}",
            "reloads_total{what=\"config\",outcome=\"failure\"}",
        ]
        .map(|name| series[&*format!("dijkwacht_{name}")])
    };
    registry.reload_ended(Reloaded::Index, true, at(1000));
    assert_eq!(look(&registry), [1.0, 1000.0, 1.0, 0.0, 0.0]);
    registry.reload_ended(Reloaded::Index, false, at(2000));
    assert_eq!(look(&registry), [0.0, 1000.0, 1.0, 1.0, 0.0]);
    registry.reload_ended(Reloaded::Index, true, at(3000));
    assert_eq!(look(&registry), [1.0, 3000.0, 2.0, 1.0, 0.0]);
}

#[test]
fn a_run_in_progress_is_there_until_it_stops() {
    let registry = daemon();
    let look = || {
        let page = registry.render();
        let series = series(&page);
        let of = |name: &str| series[&*format!("dijkwacht_{name}{{feed=\"partner\"}}")];
        (of("runs_in_progress"), of("run_progress_ratio"))
    };
    registry.run_began("partner");
    registry.run_progress("partner", 0.25);
    assert_eq!(look(), (1.0, 0.25));
    registry.run_progress("partner", f64::INFINITY);
    assert_eq!(look(), (1.0, 1.0));
    registry.run_stopped("partner");
    assert_eq!(look(), (0.0, 0.0));
}

#[test]
fn what_waits_is_told_with_its_age_and_an_empty_inbox_has_none() {
    let registry = daemon();
    let oldest = Some(UNIX_EPOCH + Duration::from_secs(77));
    registry.inbox_is(&InboxDepth {
        arriving: 1,
        waiting: 2,
        unreported: 6,
        again: 3,
        working: 4,
        bytes: 5,
        oldest,
    });
    let page = registry.render();
    let told = series(&page);
    let states = [("arriving", 1.0), ("waiting", 2.0), ("unreported", 6.0), ("again", 3.0), ("working", 4.0)];
    for (state, count) in states {
        assert_eq!(told[&*format!("dijkwacht_inbox_files{{state=\"{state}\"}}")], count);
    }
    assert_eq!(
        (told["dijkwacht_inbox_size_bytes"], told["dijkwacht_inbox_oldest_timestamp_seconds"]),
        (5.0, 77.0)
    );
    registry.inbox_is(&InboxDepth::default());
    let page = registry.render();
    assert_eq!(series(&page)["dijkwacht_inbox_oldest_timestamp_seconds"], 0.0);
}

#[test]
fn feeds_beyond_the_limit_count_together() {
    let registry = Registry::of_daemon();
    let names: Vec<String> =
        (0..dijkwacht::metrics::FEEDS_MAX + 5).map(|number| format!("feed-{number}")).collect();
    registry.register_feeds(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    registry.retried("late");
    registry.retried("later");
    registry.gave_up("feed-0");
    let page = registry.render();
    let told = series(&page);
    assert_eq!(told["dijkwacht_retries_total{feed=\"other\"}"], 2.0);
    assert_eq!(told["dijkwacht_given_up_total{feed=\"feed-0\"}"], 1.0);
    let feeds = told.keys().filter(|series| series.starts_with("dijkwacht_given_up_total")).count();
    assert_eq!(feeds, dijkwacht::metrics::FEEDS_MAX + 1);
}

#[test]
fn an_index_is_told_by_family_with_its_moment() {
    let text =
        "owner_id,network,domain,asn\na,192.0.2.0/24,,\na,2001:db8::/32,,\na,,example.nl,\nb,,,64496\n";
    let read = dijkwacht::register::Register::read_bytes(&[("r.csv", text.as_bytes())], &Default::default());
    let index = dijkwacht::index::Index::build(&read.unwrap().0).unwrap();
    let registry = daemon();
    let built = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
    registry.index_is(&index.counts(), built, Some(Duration::from_millis(250)));
    let page = registry.render();
    let told = series(&page);
    for family in ["ipv4", "ipv6", "domain", "asn"] {
        assert_eq!(told[&*format!("dijkwacht_index_registrations{{family=\"{family}\"}}")], 1.0, "{family}");
    }
    assert_eq!(told["dijkwacht_index_owners"], 2.0);
    assert_eq!(told["dijkwacht_index_size_bytes"], index.counts().bytes as f64);
    assert_eq!(told["dijkwacht_index_built_timestamp_seconds"], 1.5);
    assert_eq!(told["dijkwacht_index_build_seconds"], 0.25);
}
