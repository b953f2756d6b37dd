//! The dashboard: one an operator keeps open. What is happening and what is wrong stands on top, how the machine does below.

use serde_json::{Value, json};

/// A panel: what it shows, in which unit of Grafana's, from which queries.
struct Panel {
    title: &'static str,
    /// What to do when it looks wrong.
    says: &'static str,
    kind: Kind,
    unit: &'static str,
    queries: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One number; red from the first bound on, or below it if the second says so.
    Number(Good),
    /// Lines over time.
    Lines,
    /// Areas on top of each other over time.
    Areas,
    /// A row for each series.
    Table,
    /// Bars from 0 to 1.
    Gauges,
}

/// When a number is good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Good {
    Always,
    /// Below this.
    Below(u32),
    /// From this on.
    From(u32),
}

const DAY: u32 = 86_400;

use Good::{Always, Below, From};
use Kind::{Areas, Gauges, Lines, Number, Table};

const fn panel(
    title: &'static str,
    kind: Kind,
    unit: &'static str,
    queries: &'static [(&'static str, &'static str)],
    says: &'static str,
) -> Panel {
    Panel { title, says, kind, unit, queries }
}

/// Rows, each with its panels. `$f` stands for the selected feeds.
const ROWS: &[(&str, &[Panel])] = &[
    (
        "What is happening",
        &[
            panel(
                "Daemon",
                Number(From(1)),
                "bool_on_off",
                &[("", "up{job=\"dijkwacht\"}")],
                "Off: systemctl status dijkwacht. Dumps wait in the inbox; nothing is lost.",
            ),
            panel(
                "Since the last dump",
                Number(Below(26 * 3600)),
                "s",
                &[("", "time() - (max(dijkwacht_last_success_timestamp_seconds) > 0)")],
                "Of any feed. Look whether dumps arrive.",
            ),
            panel(
                "In progress",
                Number(Always),
                "short",
                &[("", "sum(dijkwacht_runs_in_progress)")],
                "Runs now: at most one large and one small.",
            ),
            panel(
                "Waiting in the inbox",
                Number(Below(1000)),
                "short",
                &[("", "sum(dijkwacht_inbox_files{state=~\"arriving|waiting|unreported|again\"})")],
                "Dumps that no run has taken yet.",
            ),
            panel(
                "Alerts today",
                Number(Always),
                "short",
                &[("", "sum(increase(dijkwacht_alerts_total{$f}[24h]))")],
                "Lines in notices of the last 24 hours.",
            ),
            panel(
                "Held",
                Number(Below(1)),
                "short",
                &[("", "sum(dijkwacht_held_runs)")],
                "Runs of which something waits for a person: dijkwacht held list.",
            ),
            panel(
                "Failed",
                Number(Below(1)),
                "short",
                &[(
                    "",
                    "sum(increase(dijkwacht_given_up_total[24h])) + sum(dijkwacht_spool_claims{state=\"failed\"})",
                )],
                "Dumps given up today and claims not sent: a person looks into failed/.",
            ),
            panel(
                "Index age",
                Number(Below(8 * DAY)),
                "s",
                &[("", "time() - (max(dijkwacht_index_built_timestamp_seconds) > 0)")],
                "Build it again: dijkwacht index build, then systemctl reload dijkwacht.",
            ),
            panel(
                "Progress",
                Gauges,
                "percentunit",
                &[(
                    "{{feed}}",
                    "dijkwacht_run_progress_ratio{$f} and on (feed, instance) dijkwacht_runs_in_progress > 0",
                )],
                "Runs in progress; a dump of unknown size stays at 0.",
            ),
            panel(
                "Feeds",
                Table,
                "s",
                &[(
                    "{{feed}}",
                    "sort_desc(time() - (max by (feed) (dijkwacht_last_success_timestamp_seconds{$f}) > 0))",
                )],
                "How long ago each feed's last dump was processed.",
            ),
            panel(
                "Runs",
                Areas,
                "short",
                &[("{{state}}", "sum by (state) (increase(dijkwacht_runs_total{$f}[$__rate_interval]))")],
                "Failed ones publish nothing and are tried again; see the reasons below.",
            ),
        ],
    ),
    (
        "The books",
        &[
            panel(
                "Records by outcome",
                Areas,
                "short",
                &[(
                    "{{outcome}}",
                    "sum by (outcome) (increase(dijkwacht_records_total{$f}[$__rate_interval]))",
                )],
                "records = matched + unmatched + skipped + rejected.",
            ),
            panel(
                "Matched, by feed, per day",
                Lines,
                "short",
                &[(
                    "{{feed}}",
                    "sum by (feed) (increase(dijkwacht_records_total{$f,outcome=\"matched\"}[1d]))",
                )],
                "Against its own history: a drop is a partial dump or a lost registration.",
            ),
            panel(
                "Decisions by outcome",
                Areas,
                "short",
                &[(
                    "{{outcome}}",
                    "sum by (outcome) (increase(dijkwacht_decisions_total{$f}[$__rate_interval]))",
                )],
                "decisions = alerts + duplicates + held + dropped + excepted.",
            ),
            panel(
                "Alerts by severity",
                Areas,
                "short",
                &[(
                    "{{severity}}",
                    "sum by (severity) (increase(dijkwacht_alerts_total{$f}[$__rate_interval]))",
                )],
                "none: neither record nor feed says one.",
            ),
            panel(
                "Alerts by sender",
                Areas,
                "short",
                &[("{{sender}}", "sum by (sender) (increase(dijkwacht_alerts_total{$f}[$__rate_interval]))")],
                "Who warns.",
            ),
            panel(
                "Owners told",
                Lines,
                "short",
                &[("{{feed}}", "sum by (feed) (increase(dijkwacht_notices_total{$f}[1d]))")],
                "Notices per day.",
            ),
        ],
    ),
    (
        "Held, rejected, skipped, failed",
        &[
            panel(
                "Rejected, of all records",
                Lines,
                "percentunit",
                &[(
                    "{{feed}}",
                    "sum by (feed) (increase(dijkwacht_rejected_records_total{$f}[1d])) / on (feed) (sum by (feed) \
                   (increase(dijkwacht_records_total{$f}[1d])) > 0)",
                )],
                "Above 1 %: the producer changed its columns, or map is wrong. See dijkwacht match --dry-run --rejects.",
            ),
            panel(
                "Rejected by reason",
                Areas,
                "short",
                &[(
                    "{{reason}}",
                    "sum by (reason) (increase(dijkwacht_rejected_records_total{$f}[$__rate_interval])) > 0",
                )],
                "Their owners are not warned.",
            ),
            panel(
                "Held by reason",
                Areas,
                "short",
                &[(
                    "{{reason}}",
                    "sum by (reason) (increase(dijkwacht_held_alerts_total{$f}[$__rate_interval])) > 0",
                )],
                "no-finding: give the feed an identifier. conflict: two owners claim the same space.",
            ),
            panel(
                "Blown fuses",
                Areas,
                "short",
                &[(
                    "{{feed}} {{limit}}",
                    "sum by (feed, limit) (increase(dijkwacht_fuses_blown_total{$f}[$__rate_interval])) > 0",
                )],
                "Runs of which everything is held: dijkwacht held list --reason fuse.",
            ),
            panel(
                "Skipped by reason",
                Areas,
                "short",
                &[(
                    "{{reason}}",
                    "sum by (reason) (increase(dijkwacht_skipped_records_total{$f}[$__rate_interval])) > 0",
                )],
                "A registration is found, but the row is no exposure.",
            ),
            panel(
                "Failed runs by reason",
                Areas,
                "short",
                &[(
                    "{{feed}} {{reason}}",
                    "sum by (feed, reason) (increase(dijkwacht_run_failures_total{$f}[$__rate_interval])) > 0",
                )],
                "full: the disk. damaged: ask for the dump again. changed: its writer was not done.",
            ),
            panel(
                "Tried again, given up",
                Lines,
                "short",
                &[
                    (
                        "{{feed}} again",
                        "sum by (feed) (increase(dijkwacht_retries_total{$f}[$__rate_interval])) > 0",
                    ),
                    (
                        "{{feed}} given up",
                        "sum by (feed) (increase(dijkwacht_given_up_total{$f}[$__rate_interval])) > 0",
                    ),
                ],
                "A dump is tried three times.",
            ),
        ],
    ),
    (
        "How fast",
        &[
            panel(
                "From arrival to notice",
                Lines,
                "s",
                &[
                    (
                        "median",
                        "histogram_quantile(0.5, sum by (le) (rate(dijkwacht_lag_seconds_bucket[$__rate_interval])))",
                    ),
                    (
                        "99 %",
                        "histogram_quantile(0.99, sum by (le) (rate(dijkwacht_lag_seconds_bucket[$__rate_interval])))",
                    ),
                ],
                "What recipients wait for.",
            ),
            panel(
                "Stages of a run, mean",
                Areas,
                "s",
                &[(
                    "{{stage}}",
                    "sum by (stage) (rate(dijkwacht_run_stage_seconds_sum[$__rate_interval])) / sum by (stage) \
                   (rate(dijkwacht_run_stage_seconds_count[$__rate_interval]))",
                )],
                "publish grows with a slow disk, scan with a busy processor, render with many matches.",
            ),
            panel(
                "Last run",
                Table,
                "s",
                &[("{{feed}}", "sort_desc(max by (feed) (dijkwacht_last_run_seconds{$f}))")],
                "How long each feed's last run took.",
            ),
            panel(
                "Input",
                Areas,
                "Bps",
                &[(
                    "{{feed}}",
                    "sum by (feed) (rate(dijkwacht_input_bytes_total{$f}[$__rate_interval])) > 0",
                )],
                "Decompressed bytes of published dumps.",
            ),
        ],
    ),
    (
        "Inbox and spool",
        &[
            panel(
                "Inbox",
                Areas,
                "short",
                &[("{{state}}", "sum by (state) (dijkwacht_inbox_files)")],
                "It grows while a large dump runs, and while nobody empties the spool.",
            ),
            panel(
                "Oldest that waits",
                Lines,
                "s",
                &[
                    ("dump in the inbox", "time() - (dijkwacht_inbox_oldest_timestamp_seconds > 0)"),
                    (
                        "notices without a mailer",
                        "time() - (dijkwacht_spool_unclaimed_oldest_timestamp_seconds > 0)",
                    ),
                    ("held for a person", "time() - (dijkwacht_held_oldest_timestamp_seconds > 0)"),
                ],
                "Notices: look at the mailers. Held: dijkwacht held list.",
            ),
            panel(
                "Claims",
                Lines,
                "short",
                &[("{{state}}", "sum by (state) (dijkwacht_spool_claims)")],
                "unclaimed falls when mailers work; failed waits for a person.",
            ),
            panel(
                "Waiting",
                Lines,
                "bytes",
                &[
                    ("inbox", "dijkwacht_inbox_size_bytes"),
                    ("notices", "dijkwacht_spool_unclaimed_size_bytes"),
                    ("held", "dijkwacht_held_size_bytes"),
                ],
                "Bytes that wait.",
            ),
            panel(
                "Room on the spool's disk",
                Lines,
                "percentunit",
                &[(
                    "left",
                    "dijkwacht_spool_filesystem_avail_bytes / (dijkwacht_spool_filesystem_size_bytes > 0)",
                )],
                "Below 10 %: dijkwacht spool prune --older-than DAYS.",
            ),
        ],
    ),
    (
        "Register",
        &[
            panel(
                "Registrations",
                Lines,
                "short",
                &[("{{family}}", "max by (family) (dijkwacht_index_registrations)")],
                "A step down is a source that lost rows: dijkwacht index diff OLD NEW.",
            ),
            panel(
                "Owners",
                Lines,
                "short",
                &[("owners", "max(dijkwacht_index_owners)")],
                "In the index that is used.",
            ),
            panel(
                "Index",
                Lines,
                "bytes",
                &[("size", "max(dijkwacht_index_size_bytes)")],
                "Of the index that is used.",
            ),
            panel(
                "Loads",
                Table,
                "dateTimeFromNow",
                &[("{{what}}", "max by (what) (dijkwacht_reload_last_success_timestamp_seconds > 0) * 1000")],
                "When configuration and index were last loaded well.",
            ),
            panel(
                "Loads that failed",
                Number(Below(1)),
                "short",
                &[("", "sum(increase(dijkwacht_reloads_total{outcome=\"failure\"}[24h]))")],
                "What was loaded before is still used: dijkwacht check-config.",
            ),
            panel(
                "Build or open",
                Number(Always),
                "s",
                &[("", "max(dijkwacht_index_build_seconds)")],
                "How long it took to have the index.",
            ),
        ],
    ),
    (
        "Process",
        &[
            panel(
                "Processors",
                Lines,
                "short",
                &[("{{instance}}", "rate(dijkwacht_process_cpu_seconds_total[$__rate_interval])")],
                "Nearly 0 when idle.",
            ),
            panel(
                "Memory",
                Areas,
                "bytes",
                &[("{{kind}}", "sum by (kind) (dijkwacht_process_memory_bytes)")],
                "file is the mapped dump, which the system takes back when it needs it.",
            ),
            panel(
                "Page faults",
                Lines,
                "ops",
                &[(
                    "{{kind}}",
                    "sum by (kind) (rate(dijkwacht_process_page_faults_total[$__rate_interval]))",
                )],
                "major ones wait for the disk: a dump that is not in memory yet.",
            ),
            panel(
                "Descriptors and threads",
                Lines,
                "short",
                &[
                    ("descriptors", "sum(dijkwacht_process_open_fds)"),
                    ("threads", "sum(dijkwacht_process_threads)"),
                ],
                "Flat over days.",
            ),
            panel(
                "Up for",
                Number(Always),
                "s",
                &[("", "time() - max(dijkwacht_process_start_timestamp_seconds)")],
                "Short again and again: systemctl status dijkwacht, journalctl -u dijkwacht.",
            ),
        ],
    ),
    (
        "Batches",
        &[
            panel(
                "Since the last success",
                Table,
                "s",
                &[("{{batch}}", "time() - max by (batch) (dijkwacht_batch_last_success_timestamp_seconds)")],
                "Of match --metrics-file, through node_exporter.",
            ),
            panel(
                "Exit code",
                Table,
                "short",
                &[("{{batch}}", "max by (batch) (dijkwacht_batch_exit_code)")],
                "0 is good; dijkwacht match --help tells the others.",
            ),
            panel(
                "Took",
                Lines,
                "s",
                &[("{{batch}}", "max by (batch) (dijkwacht_batch_seconds)")],
                "The whole batch.",
            ),
        ],
    ),
];

const COLUMNS: usize = 24;

/// The dashboard as JSON that Grafana imports (10 or newer). It asks for a Prometheus data source.
pub fn dashboard() -> String {
    let mut panels = Vec::new();
    let mut top = 0;
    for (title, row) in ROWS {
        let place = json!({ "h": 1, "w": COLUMNS, "x": 0, "y": top });
        panels.push(
            json!({ "type": "row", "title": title, "collapsed": false, "gridPos": place, "panels": [] }),
        );
        top = lay_out(row, top + 1, &mut panels);
    }
    for (number, panel) in panels.iter_mut().enumerate() {
        panel["id"] = json!(number + 1);
    }
    let board = json!({
        "title": "dijkwacht",
        "uid": "dijkwacht",
        "description": "Dumps in, notices out: what is happening, what waits, and what a person must look at.",
        "tags": ["dijkwacht"],
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": { "from": "now-24h", "to": "now" },
        "timezone": "browser",
        "templating": { "list": [source_variable(), feed_variable()] },
        "annotations": { "list": [] },
        "panels": panels,
    });
    let mut text = serde_json::to_string_pretty(&board).expect("it has text keys");
    text.push('\n');
    text
}

/// Places panels from left to right, and returns where the next row begins.
fn lay_out(row: &[Panel], mut top: usize, panels: &mut Vec<Value>) -> usize {
    let (mut left, mut height) = (0, 0);
    for panel in row {
        let (w, h) = panel.size();
        if left + w > COLUMNS {
            (left, top, height) = (0, top + height, 0);
        }
        panels.push(panel.json(json!({ "h": h, "w": w, "x": left, "y": top })));
        (left, height) = (left + w, height.max(h));
    }
    top + height
}

impl Panel {
    fn size(&self) -> (usize, usize) {
        match self.kind {
            Number(_) => (3, 4),
            Lines | Areas | Table | Gauges => (8, 8),
        }
    }

    fn json(&self, place: Value) -> Value {
        let targets: Vec<Value> =
            self.queries.iter().zip('A'..).map(|(query, letter)| self.target(query, letter)).collect();
        json!({
            "type": self.kind.grafana(),
            "title": self.title,
            "description": self.says,
            "datasource": source(),
            "gridPos": place,
            "fieldConfig": { "defaults": self.defaults(), "overrides": [] },
            "options": self.options(),
            "targets": targets,
        })
    }

    fn target(&self, (legend, query): &(&str, &str), letter: char) -> Value {
        let now = matches!(self.kind, Table | Gauges);
        json!({
            "refId": letter.to_string(),
            "datasource": source(),
            "expr": query.replace("$f", "feed=~\"$feed\""),
            "legendFormat": if legend.is_empty() { self.title } else { legend },
            "instant": now,
            "range": !now,
        })
    }

    fn defaults(&self) -> Value {
        let mut defaults = json!({ "unit": self.unit, "min": 0 });
        match self.kind {
            Number(good) => {
                defaults["thresholds"] = json!({ "mode": "absolute", "steps": good.steps() });
                defaults["color"] = json!({ "mode": "thresholds" });
            }
            Gauges => defaults["max"] = json!(1),
            Areas => {
                defaults["custom"] = json!({ "fillOpacity": 40, "lineWidth": 1, "stacking": { "mode": "normal" }, "showPoints": "never" });
            }
            Lines => defaults["custom"] = json!({ "fillOpacity": 0, "lineWidth": 1, "showPoints": "never" }),
            Table => {}
        }
        defaults
    }

    fn options(&self) -> Value {
        let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        match self.kind {
            Number(_) => json!({ "reduceOptions": last, "colorMode": "background", "graphMode": "area" }),
            Table | Gauges => {
                json!({ "reduceOptions": last, "orientation": "horizontal", "displayMode": "basic", "showUnfilled": true })
            }
            Lines | Areas => {
                json!({ "legend": { "displayMode": "list", "placement": "bottom" }, "tooltip": { "mode": "multi", "sort": "desc" } })
            }
        }
    }
}

impl Kind {
    fn grafana(self) -> &'static str {
        match self {
            Number(_) => "stat",
            Lines | Areas => "timeseries",
            Table | Gauges => "bargauge",
        }
    }
}

impl Good {
    fn steps(self) -> Value {
        let step = |color: &str, from: Option<u32>| json!({ "color": color, "value": from });
        match self {
            Always => json!([step("blue", None)]),
            Below(bound) => json!([step("green", None), step("red", Some(bound))]),
            From(bound) => json!([step("red", None), step("green", Some(bound))]),
        }
    }
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${source}" })
}

fn source_variable() -> Value {
    json!({ "name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus" })
}

fn feed_variable() -> Value {
    let query = "label_values(dijkwacht_runs_total, feed)";
    json!({
        "name": "feed",
        "label": "Feed",
        "type": "query",
        "datasource": source(),
        "definition": query,
        "query": { "query": query, "refId": "feed" },
        "refresh": 2,
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "allValue": ".*",
        "current": { "text": "All", "value": "$__all" },
    })
}
