//! Which format a dump is in: as named, else as the file name tells, else as the content looks.
//!
//! 1. A format that is named (`--format`, the feed's `format`) is taken as it is.
//! 2. A file name of Shadowserver's is a Shadowserver report; nothing else makes one.
//! 3. Else [`FORMATS`] is asked in its order, the surest sign first, and the first that fits is taken. A header row is
//!    one with a column of a usual name, or with several columns of which none could be a key or a number; a `--map`
//!    says that there is one. What has none is a list, if at least half of its first lines are items.
//!
//! A dump of 0 bytes is a quiet night if its format is named; else it could be anything that went wrong.

use super::format::{FORMATS, Format, FormatError, FormatOptions, FormatSpec, Head};
use super::shadowserver::report_type_of;
use std::fmt;

/// A dump's format, opened.
pub struct Opened {
    /// Its name.
    pub name: &'static str,
    /// The report type that the file name tells, if it is Shadowserver's: a feed without a name is called so.
    pub report_type: Option<String>,
    /// Reads the dump.
    pub format: Box<dyn Format>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The format of that name.
pub fn format_by_name(name: &str) -> Option<&'static FormatSpec> {
    FORMATS.iter().find(|spec| spec.name == name)
}

/// Opens a dump in the format that is `named`, or that its file name (without directory) or its content tells.
///
/// `options` are of the operator; a report type in the file name replaces theirs.
pub fn open_format(
    head: &Head<'_>,
    file_name: Option<&str>,
    named: Option<&str>,
    mut options: FormatOptions,
) -> Result<Opened, DetectError> {
    let report_type = file_name.and_then(report_type_of).map(str::to_owned);
    let spec = match named {
        Some(name) => format_by_name(name).ok_or_else(|| DetectError::unknown(name))?,
        None if head.text().is_empty() => return Err(DetectError::Empty),
        None if report_type.is_some() => by_name_of_file()?,
        None => by_content(head, &options)?,
    };
    let report_type = report_type.filter(|_| spec.name == SHADOWSERVER);
    options.report_type = report_type.clone().or(options.report_type);
    let format = (spec.open)(head, &options).map_err(DetectError::Format)?;
    Ok(Opened { name: spec.name, report_type, format })
}

const SHADOWSERVER: &str = "shadowserver";

fn by_name_of_file() -> Result<&'static FormatSpec, DetectError> {
    format_by_name(SHADOWSERVER).ok_or(DetectError::NothingFits)
}

fn by_content(head: &Head<'_>, options: &FormatOptions) -> Result<&'static FormatSpec, DetectError> {
    let found = FORMATS.iter().find(|spec| (spec.fits)(head)).ok_or(DetectError::NothingFits);
    match found {
        // A list has no columns that a map could name: the header is one that we do not recognise.
        Ok(FormatSpec { name: "list", .. }) | Err(_) if !options.map.is_empty() => {
            format_by_name("csv").ok_or(DetectError::NothingFits)
        }
        found => found,
    }
}

/// Why no format could be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetectError {
    /// No format has the name that was given.
    Unknown {
        /// The name that was given.
        name: String,
        /// The name that may be meant.
        likely: Option<&'static str>,
    },
    /// 0 bytes, and nobody says of what.
    Empty,
    /// The content looks like no format that we know.
    NothingFits,
    /// The format cannot read the dump's header.
    Format(FormatError),
}

/// How like a name must be to be suggested (Jaro-Winkler; a guess that reads well).
const LIKENESS_MIN: f64 = 0.8;

impl DetectError {
    fn unknown(name: &str) -> Self {
        let likeness = |spec: &FormatSpec| strsim::jaro_winkler(spec.name, name);
        let likely = FORMATS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let likely = likely.filter(|spec| likeness(spec) >= LIKENESS_MIN).map(|spec| spec.name);
        Self::Unknown { name: name.to_owned(), likely }
    }
}

fn format_names() -> String {
    FORMATS.iter().map(|spec| spec.name).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for DetectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, likely } => {
                write!(f, "no format is called \"{}\"", crate::text::show(name.as_bytes(), 64))?;
                if let Some(likely) = likely {
                    write!(f, "; did you mean \"{likely}\"")?;
                }
                write!(f, " (there are {})", format_names())
            }
            Self::Empty => f.write_str(
                "the dump has 0 bytes (if that is a quiet night, name its format with --format or its feed)",
            ),
            Self::NothingFits => {
                write!(
                    f,
                    "the content looks like no known format (CSV needs a header row, such as ip,port; or name the format with \
                     --format: {})",
                    format_names()
                )
            }
            Self::Format(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DetectError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Field;

    fn detect(text: &str, file_name: &str, named: Option<&str>) -> Result<&'static str, DetectError> {
        let head = Head { bytes: text.as_bytes(), at_end: true };
        open_format(&head, Some(file_name), named, FormatOptions::default()).map(|opened| opened.name)
    }

    #[test]
    fn every_format_is_found_by_its_name_and_names_are_unique() {
        for (place, spec) in FORMATS.iter().enumerate() {
            let found = format_by_name(spec.name).unwrap();
            assert!(std::ptr::eq(found, &FORMATS[place]));
        }
        assert!(format_by_name("CSV").is_none());
    }

    #[test]
    fn the_content_tells_the_format() {
        let check =
            |text: &str, expected: &str| assert_eq!(detect(text, "dump", None), Ok(expected), "{text:?}");
        check("saddr,sport,success\n192.0.2.1,80,1\n", "zmap");
        check("192.0.2.1\n192.0.2.2\n", "list");
        check(r#"{"ip_str":"192.0.2.1","port":80}"#, "shodan");
        check(r#"{"ip":"192.0.2.1","data":{"http":{"status":"success"}}}"#, "zgrab2");
        check(r#"{"template-id":"x","ip":"192.0.2.1"}"#, "nuclei");
        check("[\n{\"ip\":\"192.0.2.1\",\"ports\":[{\"port\":80,\"status\":\"open\"}]}\n]\n", "masscan");
        check("#masscan\nopen tcp 80 192.0.2.1 1390380064\n# end\n", "masscan-list");
        check(r#"{"ip":"192.0.2.1","port":80}"#, "ndjson");
        check("ip;port\n192.0.2.1;80\n", "csv");
        check("timestamp,severity,ip,protocol\n2026-11-22 01:02:03,high,192.0.2.1,tcp\n", "csv");
        check("www.example.nl\n", "list");
        check("# only a comment\n", "list");
    }

    #[test]
    fn a_name_is_stronger_than_the_file_name_and_that_than_the_content() {
        let text = "timestamp,severity,ip,protocol\n";
        let check = |file: &str, named, expected: &str| assert_eq!(detect(text, file, named), Ok(expected));
        check("2026-11-22-scan_rdp-example.csv", None, "shadowserver");
        check("2026-11-22-scan_rdp-example.csv.gz", None, "shadowserver");
        check("scan_rdp.csv", None, "shadowserver");
        check("2026-11-22-scan_rdp-example.csv", Some("csv"), "csv");
        check("report.csv", None, "csv");
        check("report.csv", Some("shadowserver"), "shadowserver");
    }

    #[test]
    fn an_empty_dump_is_a_quiet_night_only_if_it_is_named() {
        for text in ["", "\u{feff}"] {
            assert_eq!(detect(text, "dump", None), Err(DetectError::Empty));
            for spec in FORMATS {
                assert_eq!(detect(text, "dump", Some(spec.name)), Ok(spec.name));
            }
        }
    }

    #[test]
    fn what_fits_nothing_says_what_to_do() {
        for text in ["<?xml version=\"1.0\"?>\n<nmaprun/>\n", "192.0.2.1,80\n192.0.2.2,80\n", "hello\n"] {
            let error = detect(text, "dump", None).unwrap_err();
            assert_eq!(error, DetectError::NothingFits, "{text:?}");
            assert!(error.to_string().contains("--format"));
        }
        let error = detect("", "dump", Some("shadowsrever")).unwrap_err();
        assert!(error.to_string().contains("did you mean \"shadowserver\""), "{error}");
    }

    #[test]
    fn a_map_says_that_there_is_a_header() {
        let head = Head { bytes: b"machine\n192.0.2.1\n", at_end: true };
        let map = [(Field::Address, "machine".to_owned())].into();
        let opened = open_format(&head, None, None, FormatOptions { map, ..Default::default() }).unwrap();
        assert_eq!(opened.name, "csv");
    }
}
