//! Addresses and names that an analyst made unclickable: `192[.]0[.]2[.]1`, `hxxp://example[.]nl`.
//!
//! Lists are read so at all times, since nothing else could be meant there; `csv` and `ndjson` only where the operator says
//! so ([`FormatOptions::refang`](super::FormatOptions)).

use std::borrow::Cow;

/// As it was before it was made unclickable.
pub(super) fn refang(text: Cow<'_, str>) -> Cow<'_, str> {
    let scheme = text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("hxxp"));
    if !scheme && !["[.]", "(.)", "[:]"].iter().any(|fang| text.contains(fang)) {
        return text;
    }
    let plain = text.replace("[.]", ".").replace("(.)", ".").replace("[:]", ":");
    Cow::Owned(if scheme { format!("http{}", &plain[4..]) } else { plain })
}

/// The same of a cell, which may be no text and is then left as it is.
pub(super) fn refang_cell(cell: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    let plain = |text| match refang(Cow::Borrowed(text)) {
        Cow::Owned(plain) => Some(plain.into_bytes()),
        Cow::Borrowed(_) => None,
    };
    match std::str::from_utf8(&cell).ok().and_then(plain) {
        Some(plain) => Cow::Owned(plain),
        None => cell,
    }
}
