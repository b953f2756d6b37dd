//! Prometheus' text format: sorting a page, and adding a page to the one before it.

use super::table::{ALL, Kind, Metric};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A page, sorted: families by name, series by labels, a histogram's lines as they stood.
pub(super) fn sort(page: &str) -> String {
    let mut families: Vec<&str> =
        page.split("\n\n").map(str::trim).filter(|family| !family.is_empty()).collect();
    families.sort_unstable_by_key(|family| name_of(family));
    families.into_iter().map(sort_family).collect()
}

/// `# HELP name text`, or `# TYPE name kind`.
fn name_of(family: &str) -> &str {
    family.split(' ').nth(2).unwrap_or_default()
}

fn sort_family(family: &str) -> String {
    let (head, mut samples): (Vec<&str>, Vec<&str>) = family.lines().partition(|line| line.starts_with('#'));
    // Stable, and by all but the bucket's bound: buckets stay in their order.
    samples.sort_by_key(|sample| series_of(sample));
    head.into_iter().chain(samples).fold(String::new(), |text, line| text + line + "\n")
}

/// The labels of a sample without `le`. A histogram's buckets, sum and count have the same.
fn series_of(sample: &str) -> &str {
    let labels =
        sample.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(labels, _)| labels);
    let before_bound = labels.find("le=\"").filter(|at| *at == 0 || labels[..*at].ends_with(','));
    before_bound.map_or(labels, |at| labels[..at].trim_end_matches(','))
}

/// Adds what an earlier page counted to this one, so that counters go on where they were.
///
/// Counters and histograms add up; a moment in `keeps` is the earlier one where this page has none. Series that only the
/// earlier page has are kept if they are of such a metric: a feed that has no dump tonight is not forgotten.
pub(super) fn go_on_from(page: &str, earlier: &str, keeps: &[&Metric]) -> String {
    let mut before: BTreeMap<&str, f64> = earlier.lines().filter_map(sample_of).collect();
    before.retain(|series, _| family_of(series).is_some_and(|metric| goes_on(metric, keeps)));
    let mut text = String::new();
    for line in page.lines() {
        let kept = sample_of(line).and_then(|(series, value)| Some((series, value, before.remove(series)?)));
        match kept {
            Some((series, value, earlier)) => {
                let is_moment = family_of(series).is_some_and(|metric| metric.kind == Kind::Gauge);
                let value = if is_moment { value.max(earlier) } else { value + earlier };
                writeln!(text, "{series} {value}")
            }
            None => writeln!(text, "{line}"),
        }
        .expect("a string takes all");
    }
    insert(text, &before)
}

fn goes_on(metric: &Metric, keeps: &[&Metric]) -> bool {
    let counts = metric.kind != Kind::Gauge && !metric.name.starts_with("dijkwacht_process_");
    counts || keeps.iter().any(|kept| kept.name == metric.name)
}

/// Puts series beside the others of their family.
fn insert(text: String, series: &BTreeMap<&str, f64>) -> String {
    let mut families: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("# HELP") {
            families.push(String::new());
        }
        if let Some(family) = families.last_mut() {
            *family += line;
            *family += "\n";
        }
    }
    for (series, value) in series {
        let Some(metric) = family_of(series) else { continue };
        let found = families.iter().position(|family| name_of(family) == metric.name);
        let at = found.unwrap_or_else(|| {
            families.push(head_of(metric));
            families.len() - 1
        });
        writeln!(families[at], "{series} {value}").expect("a string takes all");
    }
    sort(&families.join("\n"))
}

/// The lines that a family begins with.
pub(super) fn head_of(Metric { name, kind, help, .. }: &Metric) -> String {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n")
}

/// A sample line's series and value. Only lines as we write them count.
fn sample_of(line: &str) -> Option<(&str, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    Some((series, value.parse().ok().filter(|value: &f64| value.is_finite())?))
}

/// The metric that a series is of.
fn family_of(series: &str) -> Option<&'static Metric> {
    let name = series.split('{').next().unwrap_or_default();
    let parts = ["_bucket", "_sum", "_count"];
    ALL.iter().copied().find(|metric| match metric.kind {
        Kind::Histogram(_) => name.strip_prefix(metric.name).is_some_and(|part| parts.contains(&part)),
        Kind::Counter | Kind::Gauge => name == metric.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::table::LAST_SUCCESS_AT;

    const PAGE: &str = "\
# HELP dijkwacht_notices_total N.
# TYPE dijkwacht_notices_total counter
dijkwacht_notices_total{feed=\"b\"} 2
dijkwacht_notices_total{feed=\"a\"} 1

# HELP dijkwacht_lag_seconds L.
# TYPE dijkwacht_lag_seconds histogram
dijkwacht_lag_seconds_bucket{le=\"5\"} 0
dijkwacht_lag_seconds_bucket{le=\"10\"} 1
dijkwacht_lag_seconds_bucket{le=\"+Inf\"} 1
dijkwacht_lag_seconds_sum 7.5
dijkwacht_lag_seconds_count 1

# HELP dijkwacht_last_success_timestamp_seconds A.
# TYPE dijkwacht_last_success_timestamp_seconds gauge
dijkwacht_last_success_timestamp_seconds{feed=\"a\"} 0

";

    #[test]
    fn a_page_is_sorted_and_buckets_keep_their_order() {
        let sorted = sort(PAGE);
        let lines: Vec<&str> = sorted.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE dijkwacht_lag_seconds histogram",
                "dijkwacht_lag_seconds_bucket{le=\"5\"} 0",
                "dijkwacht_lag_seconds_bucket{le=\"10\"} 1",
                "dijkwacht_lag_seconds_bucket{le=\"+Inf\"} 1",
                "dijkwacht_lag_seconds_sum 7.5",
                "dijkwacht_lag_seconds_count 1",
                "# TYPE dijkwacht_last_success_timestamp_seconds gauge",
                "dijkwacht_last_success_timestamp_seconds{feed=\"a\"} 0",
                "# TYPE dijkwacht_notices_total counter",
                "dijkwacht_notices_total{feed=\"a\"} 1",
                "dijkwacht_notices_total{feed=\"b\"} 2",
            ]
        );
        assert_eq!(sort(&sorted.replace("# HELP", "\n# HELP")), sorted);
    }

    #[test]
    fn counters_go_on_and_a_feed_without_a_dump_is_not_forgotten() {
        let page = sort(PAGE);
        let earlier = "\
dijkwacht_notices_total{feed=\"a\"} 40
dijkwacht_notices_total{feed=\"c\"} 7
dijkwacht_lag_seconds_bucket{le=\"10\"} 2
dijkwacht_lag_seconds_sum 1.25
dijkwacht_last_success_timestamp_seconds{feed=\"a\"} 1000
dijkwacht_inbox_files{state=\"failed\"} 9
dijkwacht_process_cpu_seconds_total 5
another_total 3
# dijkwacht_notices_total{feed=\"d\"} 1
dijkwacht_notices_total{feed=\"e\"} many
";
        let after = go_on_from(&page, earlier, &[&LAST_SUCCESS_AT]);
        for (series, value) in [
            ("dijkwacht_notices_total{feed=\"a\"}", "41"),
            ("dijkwacht_notices_total{feed=\"b\"}", "2"),
            ("dijkwacht_notices_total{feed=\"c\"}", "7"),
            ("dijkwacht_lag_seconds_bucket{le=\"5\"}", "0"),
            ("dijkwacht_lag_seconds_bucket{le=\"10\"}", "3"),
            ("dijkwacht_lag_seconds_sum", "8.75"),
            ("dijkwacht_last_success_timestamp_seconds{feed=\"a\"}", "1000"),
        ] {
            assert!(after.contains(&format!("\n{series} {value}\n")), "{series} {value} in\n{after}");
        }
        assert_eq!(after.lines().count(), page.lines().count() + 1, "{after}");
        assert_eq!(go_on_from(&page, "", &[]), page);
    }
}
