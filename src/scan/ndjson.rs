//! JSON objects by whomever, a line each or in an array: keys are taken by `--map` or by their usual names.
//!
//! A key is a name, or a path with dots between names: `source.ip` is the key of that very spelling, else `ip` in the
//! object `source`. The usual names are those of delimited text. The first records of the dump tell how they are
//! written here, without regard to case and to `-`, `_`, `.` or space between words; a key that none of them has is
//! found by the usual spelling only. Where a record fills several keys of a field, one that the first records have
//! comes before one that they have not, and then the order of the usual names decides.
//!
//! Of an array that is no list of CVE numbers or tags the first string counts; an address or a name in an array is
//! none, since nobody says which is meant. `protocol` is the transport where it is one (`tcp`, `udp`, …), else the
//! application. ZMap's records (`saddr`) are judged by `repeat`, `classification` and `success`. A record is
//! vulnerable if a key or the operator says what is wrong, else exposed.

use super::columns::{is_alike, push_words, read_asn, read_port};
use super::csv::usual;
use super::json::{
    Found, JsonFormat, KeyFields, PATHS_MAX, Path, Reader, Scalar, Schema, Syntax, first_name, head_is_json,
    head_paths, identifier, moment, read_moment, read_record, skim, subject_of,
};
use super::zmap::is_refusal;
use super::{
    Field, Finding, Findings, Format, FormatError, FormatOptions, FormatSpec, Head, KeyKinds, Keys, Kind,
    Reject, Side, Skip,
};
use crate::moment::{Moment, read_unix};
use std::borrow::Cow;
use std::ops::Range;

/// The format `ndjson`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "ndjson", fits: head_is_json, open };

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    JsonFormat::open(head, options, None, Ndjson::new(head, options))
}

/// What a key is taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    Field(Field),
    /// `protocol`: the transport or the application.
    Protocol,
    /// `timestamp_us`, beside Unix seconds.
    Microseconds,
    Repeat,
    Classification,
    Success,
}

/// How many of [`ROLES`] are key fields.
const KEY_ROLES: usize = 4;

/// Where ZMap writes the address that answered.
const ZMAP_ADDRESS: &str = "saddr";

/// Where ZMap writes Unix seconds, whose microseconds stand apart.
const ZMAP_SECONDS: &str = "timestamp_ts";

/// The roles in the order of their places; the key fields first.
const ROLES: [Role; 19] = [
    Role::Field(Field::Address),
    Role::Field(Field::Name),
    Role::Field(Field::ShownName),
    Role::Field(Field::Asn),
    Role::Field(Field::Port),
    Role::Field(Field::Transport),
    Role::Field(Field::Time),
    Role::Field(Field::Identifier),
    Role::Field(Field::Severity),
    Role::Field(Field::Cve),
    Role::Field(Field::Tlp),
    Role::Field(Field::Application),
    Role::Field(Field::ReverseName),
    Role::Field(Field::Tag),
    Role::Protocol,
    Role::Microseconds,
    Role::Repeat,
    Role::Classification,
    Role::Success,
];

impl Role {
    fn usual(self) -> Vec<&'static str> {
        match self {
            Self::Field(field) => usual(field).iter().copied().filter(|name| *name != "protocol").collect(),
            Self::Protocol => vec!["protocol"],
            Self::Microseconds => vec!["timestamp_us"],
            Self::Repeat => vec!["repeat"],
            Self::Classification => vec!["classification"],
            Self::Success => vec!["success"],
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Field(field) => field.as_str(),
            Self::Protocol => "transport or application",
            Self::Microseconds => "microseconds",
            Self::Repeat => "repeat",
            Self::Classification => "classification",
            Self::Success => "success",
        }
    }

    /// Where it may stand, best first: as mapped; else the usual names that the head has, then the others.
    fn places(self, head: &[Path], options: &FormatOptions) -> Vec<Place> {
        let place = |path: Path| Place { is_seen: head.contains(&path), path };
        let mapped = match self {
            Self::Field(field) => options.map.get(&field),
            _ => None,
        };
        let paths: Vec<Path> = match mapped {
            Some(name) => vec![Path::key(name.trim()), Path::dotted(name.trim())],
            None => self.usual_paths(head),
        };
        let mut places: Vec<Place> = Vec::new();
        for path in paths {
            if places.iter().all(|earlier| earlier.path != path) {
                places.push(place(path));
            }
        }
        places.sort_by_key(|place| !place.is_seen);
        places
    }

    /// The usual names, each as the head writes it and as it is usual.
    fn usual_paths(self, head: &[Path]) -> Vec<Path> {
        let mut paths = Vec::new();
        for name in self.usual() {
            let exact = head.iter().find(|path| path.joined() == name);
            let alike = || head.iter().find(|path| is_alike(&path.joined(), name));
            paths.extend(exact.or_else(alike).cloned());
            paths.push(Path::key(name));
        }
        paths
    }
}

/// Where a value may stand.
#[derive(Clone, Debug)]
struct Place {
    path: Path,
    /// One of the first records has it.
    is_seen: bool,
}

struct Ndjson {
    /// The places of all roles, those of key fields first.
    places: Vec<Place>,
    key_paths: Vec<Path>,
    /// Which of `places` are for which of [`ROLES`].
    ranges: [Range<usize>; ROLES.len()],
    tree: Tree,
    options: FormatOptions,
}

impl Ndjson {
    fn new(head: &Head<'_>, options: &FormatOptions) -> Self {
        let head = head_paths(head);
        let mut places = Vec::new();
        let ranges = ROLES.map(|role| {
            let start = places.len();
            places.extend(role.places(&head, options));
            start..places.len()
        });
        let mut tree = Tree::default();
        let mut nodes = 0;
        for (i, place) in places.iter().enumerate() {
            tree.insert(place.path.steps(), i, &mut nodes);
        }
        let key_paths = places[..ranges[KEY_ROLES - 1].end].iter().map(|place| place.path.clone()).collect();
        Self { places, key_paths, ranges, tree, options: options.clone() }
    }

    fn range(&self, role: Role) -> Range<usize> {
        let found = ROLES.iter().position(|candidate| *candidate == role);
        found.map_or(0..0, |i| self.ranges[i].clone())
    }

    fn key_fields<'f, 'r>(&self, found: &'f [Found<'r>]) -> KeyFields<'f, 'r> {
        let of = |field| &found[self.range(Role::Field(field))];
        KeyFields {
            address: of(Field::Address),
            stated: of(Field::Name),
            shown: of(Field::ShownName),
            asn: of(Field::Asn),
            is_endpoint: true,
        }
    }
}

impl Schema for Ndjson {
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let mut found = [Found::Missing; PATHS_MAX];
        if !kinds.names && !kinds.asns {
            // Most records need no more than the address at its best place.
            let sound = skim(record, Self::DIALECT, &self.key_paths[..1], 1, &mut found);
            if found[0].is_filled() {
                let best = KeyFields { address: &found[..1], is_endpoint: true, ..KeyFields::default() };
                return best.read(kinds, sound);
            }
        }
        let sound = skim(record, Self::DIALECT, &self.key_paths, !0, &mut found);
        self.key_fields(&found).read(kinds, sound)
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let mut values = Values::default();
        read_record(record, Self::DIALECT, |reader, key| self.tree.read(reader, key, &mut values))?;
        self.judge(values)
    }

    fn columns(&self) -> Vec<(String, &'static str)> {
        let of = |(role, range): (&Role, &Range<usize>)| {
            let seen = self.places[range.clone()].iter().filter(|place| place.is_seen);
            seen.map(|place| (place.path.joined(), role.as_str())).collect::<Vec<_>>()
        };
        ROLES.iter().zip(&self.ranges).flat_map(of).collect()
    }
}

/// The keys of an object that are read, sorted.
#[derive(Debug, Default)]
struct Tree(Vec<(Box<[u8]>, Node)>);

#[derive(Debug)]
struct Node {
    /// Its number among all nodes, to know twins.
    id: usize,
    /// The place whose value stands here.
    place: Option<usize>,
    below: Tree,
}

impl Tree {
    fn insert(&mut self, steps: &[Box<[u8]>], place: usize, nodes: &mut usize) {
        let Some((step, rest)) = steps.split_first() else { return };
        let at = self.0.binary_search_by(|(key, _)| key.cmp(step)).unwrap_or_else(|at| {
            self.0.insert(at, (step.clone(), Node { id: *nodes, place: None, below: Self::default() }));
            *nodes += 1;
            at
        });
        let node = &mut self.0[at].1;
        match rest {
            [] => node.place = node.place.or(Some(place)),
            rest => node.below.insert(rest, place, nodes),
        }
    }

    fn read<'r>(&self, reader: &mut Reader<'r>, key: &str, values: &mut Values<'r>) -> Result<(), Syntax> {
        let Ok(at) = self.0.binary_search_by(|(name, _)| (**name).cmp(key.as_bytes())) else {
            return reader.skip();
        };
        let node = &self.0[at].1;
        if values.0.iter().any(|value| value.node == node.id) {
            reader.note_duplicate();
            return reader.skip();
        }
        let (node_id, place) = (node.id, node.place);
        if reader.is_object() && !node.below.0.is_empty() {
            values.0.push(Value { node: node_id, place, scalar: Scalar::Nested, list: Vec::new() });
            return reader.object(|reader, key| node.below.read(reader, key, values));
        }
        let mut value = Value { node: node_id, place, scalar: Scalar::Nested, list: Vec::new() };
        if reader.is_array() {
            reader.array(|reader| reader.scalar().map(|item| value.list.extend(item.into_text())))?;
        } else {
            value.scalar = reader.scalar()?;
        }
        values.0.push(value);
        Ok(())
    }
}

/// What is read of a record.
#[derive(Default)]
struct Values<'r>(Vec<Value<'r>>);

struct Value<'r> {
    node: usize,
    place: Option<usize>,
    /// What stands there; nested for an array.
    scalar: Scalar<'r>,
    /// The strings of an array.
    list: Vec<Cow<'r, str>>,
}

impl<'r> Values<'r> {
    /// The first of the places that is filled.
    fn filled(&self, mut places: Range<usize>) -> Option<&Value<'r>> {
        places.find_map(|place| {
            let value = self.0.iter().find(|value| value.place == Some(place));
            value.filter(|value| value.scalar != Scalar::Absent)
        })
    }

    /// Its string or number, or the first string of its array.
    fn text(&self, places: Range<usize>) -> Option<Cow<'r, str>> {
        let value = self.filled(places)?;
        match &value.scalar {
            Scalar::Text(text) => Some(text.clone()),
            Scalar::Number(number) => Some(Cow::Borrowed(number)),
            Scalar::Nested => value.list.first().cloned(),
            _ => None,
        }
    }

    /// The strings at these places, in order.
    fn strings(&self, places: Range<usize>) -> impl Iterator<Item = Option<Cow<'r, str>>> {
        places.map(|place| match &self.0.iter().find(|value| value.place == Some(place))?.scalar {
            Scalar::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// All words at the first filled place.
    fn words(&self, places: Range<usize>) -> Vec<Cow<'r, str>> {
        let Some(value) = self.filled(places.clone()) else { return Vec::new() };
        if value.list.is_empty() { self.text(places).into_iter().collect() } else { value.list.clone() }
    }
}

impl Ndjson {
    fn judge<'r>(&self, values: Values<'r>) -> Result<Findings<'r>, Reject> {
        let field = |field| self.range(Role::Field(field));
        let text = |role| values.text(self.range(role));
        let stated: Vec<_> = values.strings(field(Field::Name)).collect();
        let address = values.filled(field(Field::Address));
        let hosts: Vec<_> = stated.iter().map(Option::as_deref).collect();
        let scalar = address.map_or(&Scalar::Absent, |value| &value.scalar);
        let (subject, endpoint_port) = subject_of(scalar, &hosts, true)?;

        let is_zmap = address.is_some_and(|value| self.is_at(value, ZMAP_ADDRESS));
        let refused = if is_zmap { self.refused(&values) } else { None };
        let own = text(Role::Field(Field::Identifier));
        let given = identifier(own, &self.options, None);
        let kind = if given.is_some() && !is_zmap { Kind::Vulnerable } else { Kind::Exposed };
        if let Some(skip) = refused.or(kind.skipped_by(self.options.take)) {
            return Ok(Findings::Skipped(skip));
        }
        let mut finding = Finding::new(0, kind, Side::Exposed);
        finding.subject = subject;
        finding.port = match values.filled(field(Field::Port)) {
            Some(value) => port(value)?,
            None => endpoint_port,
        };
        finding.time = self.time(&values)?;
        finding.identifier = identifier(given, &self.options, Some("open"));
        let protocol = text(Role::Protocol);
        let is_transport = protocol.as_deref().is_some_and(is_transport);
        let (transport, application) = if is_transport { (protocol, None) } else { (None, protocol) };
        finding.transport = text(Role::Field(Field::Transport)).or(transport);
        finding.application = text(Role::Field(Field::Application)).or(application);
        finding.severity = text(Role::Field(Field::Severity));
        finding.tlp = text(Role::Field(Field::Tlp));
        finding.asn = text(Role::Field(Field::Asn)).and_then(|text| read_asn(text.as_bytes()));
        finding.stated = first_name(stated);
        finding.shown = first_name(values.strings(field(Field::ShownName)));
        finding.reverse = text(Role::Field(Field::ReverseName));
        values
            .words(field(Field::Cve))
            .into_iter()
            .for_each(|text| push_words(&mut finding, text, is_between_cves));
        values
            .words(field(Field::Tag))
            .into_iter()
            .for_each(|text| push_words(&mut finding, text, |c| c == ';'));
        Ok(Findings::Some(vec![finding]))
    }

    /// Whether the value stands at the key of that spelling.
    fn is_at(&self, value: &Value<'_>, key: &str) -> bool {
        value.place.is_some_and(|place| self.places[place].path == Path::key(key))
    }

    /// Why a reply to ZMap is no exposure.
    fn refused(&self, values: &Values<'_>) -> Option<Skip> {
        let value = |role| values.filled(self.range(role)).map(|value| &value.scalar);
        let is = |scalar: &Scalar<'_>, word: bool, digit: &str| match scalar {
            Scalar::Bool(is) => *is == word,
            Scalar::Number(number) => *number == digit,
            Scalar::Text(text) => {
                text == digit || text.eq_ignore_ascii_case(if word { "true" } else { "false" })
            }
            _ => false,
        };
        if value(Role::Repeat).is_some_and(|repeat| !is(repeat, false, "0")) {
            return Some(Skip::Repeat);
        }
        if values.text(self.range(Role::Classification)).is_some_and(|text| is_refusal(&text)) {
            return Some(Skip::Closed);
        }
        value(Role::Success).filter(|success| !is(success, true, "1")).map(|_| Skip::NoSuccess)
    }

    fn time(&self, values: &Values<'_>) -> Result<Option<Moment>, Reject> {
        let places = self.range(Role::Field(Field::Time));
        let Some(value) = values.filled(places.clone()) else { return Ok(None) };
        let text = values.text(places).ok_or(Reject::Time)?;
        let style = self.options.time_style.as_deref();
        match values.text(self.range(Role::Microseconds)) {
            Some(micros) if style.is_none() && self.is_at(value, ZMAP_SECONDS) => {
                moment(read_unix(text.as_bytes(), micros.as_bytes()))
            }
            _ => read_moment(text.as_bytes(), style),
        }
    }
}

fn port(value: &Value<'_>) -> Result<Option<u16>, Reject> {
    match &value.scalar {
        Scalar::Text(text) => read_port(text.as_bytes()),
        Scalar::Number(number) => read_port(number.as_bytes()),
        _ => None,
    }
    .ok_or(Reject::Port)
}

fn is_transport(protocol: &str) -> bool {
    ["tcp", "udp", "icmp", "icmp6", "icmpv6", "sctp", "dccp"]
        .iter()
        .any(|name| protocol.eq_ignore_ascii_case(name))
}

fn is_between_cves(c: char) -> bool {
    matches!(c, ';' | ',' | '|') || c.is_ascii_whitespace()
}
