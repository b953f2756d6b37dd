//! Records from dumps: sources, formats.
//!
//! A dump is a [`Source`]: mapped, or a [`Stream`] that is unpacked and transcoded in pieces. [`open_format`] finds the
//! [`Format`] that it is in, which knows where records begin and end, what their key fields are, and what a whole record
//! says. A format knows no owners: what it may skip as *unmatched* is proven by a [`Filter`] that the matcher gives it.
//!
//! | what | modules |
//! |---|---|
//! | where bytes come from | `source`, `mapped` (the mmap), `stream`, `packed` (gzip, zstd), `zip`, `encoding` |
//! | what a format and a record are | `format`, `record`, `detect` |
//! | delimited text | `delimited`, `columns`, `leap`, `others`; `csv`, `zmap`, `shadowserver` |
//! | hosts of URLs, defanged or not | `authority`, `fangs` |
//! | JSON | `json`; `ndjson`, `zgrab2`, `shodan`, `masscan`, `nuclei`, `intelmq`, `n6` |
//! | lines | `lines`; `list`, `masscan_list`, `credentials` |
//!
//! Adding a format is one file and one line in [`FORMATS`].

mod authority;
mod columns;
mod credentials;
mod csv;
mod delimited;
mod detect;
mod encoding;
mod fangs;
mod format;
mod intelmq;
mod json;
mod leap;
mod lines;
mod list;
mod mapped;
mod masscan;
mod masscan_list;
mod n6;
mod ndjson;
mod nuclei;
mod others;
mod packed;
mod parts;
mod record;
mod shadowserver;
mod shadowserver_types;
mod shodan;
mod simd;
mod source;
mod stream;
mod zgrab2;
mod zip;
mod zmap;

pub use columns::is_cve;
pub use delimited::COLUMNS_MAX;
pub use detect::{DetectError, Opened, format_by_name, open_format};
pub use encoding::Encoding;
pub use format::{
    BYTE_ORDER_MARK, Column, Description, FORMATS, Field, Filter, Format, FormatError, FormatOptions,
    FormatSpec, Frame, HEAD_BYTES_MAX, Head, KeyKinds, Keys, Names, OpenFormat, RECORD_BYTES_MAX,
    REJECTS_KEPT, RejectedRecord, Sink, Take, Tally, Window,
};
pub use mapped::{MAPS_MAX, Mapped};
pub use packed::{FlawKind, Foreign, Packing, ZSTD_WINDOW_LOG_MAX};
pub use record::{Finding, Findings, Kind, Reject, Side, Skip, Subject};
pub use shadowserver::{ReportFacts, is_report_type, report_type_of, report_types};
pub(crate) use simd::{count_newlines, prefetch};
pub use source::{
    Change, Content, DECOMPRESSED_BYTES_MAX, Input, Io, Source, SourceError, SourceErrorKind, SourceOptions,
};
pub use stream::{RATIO_FREE_BYTES, Stream};
