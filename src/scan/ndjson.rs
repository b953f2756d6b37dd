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

use super::authority::{all_names, first_name};
use super::columns::{is_alike, push_words, read_asn, read_port};
use super::csv::usual;
use super::fangs::refang;
use super::json::{
    Found, JsonFormat, KeyFields, PATHS_MAX, Path, Places, Reader, Scalar, Schema, Syntax, head_is_json,
    head_paths, identifier, moment, read_moment, read_record, says, skim, subject_of,
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
        let place = |path: Path| Place { is_seen: head.contains(&path), path, node: 0 };
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
    /// The number of the node in the tree; two roles may share one.
    node: usize,
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
        let mut places: Vec<Place> = Vec::new();
        let ranges = ROLES.map(|role| {
            let start = places.len();
            places.extend(role.places(&head, options));
            start..places.len()
        });
        let mut tree = Tree::default();
        let mut nodes = 0;
        for place in &mut places {
            place.node = tree.insert(place.path.steps(), &mut nodes);
        }
        let key_paths = places[..ranges[KEY_ROLES - 1].end].iter().map(|place| place.path.clone()).collect();
        Self { places, key_paths, ranges, tree, options: options.clone() }
    }

    fn range(&self, role: Role) -> Range<usize> {
        let found = ROLES.iter().position(|candidate| *candidate == role);
        found.map_or(0..0, |i| self.ranges[i].clone())
    }

    fn places(&self, role: Role) -> &[Place] {
        &self.places[self.range(role)]
    }

    /// The places of the address but the best one: `network` may as well be an object, and is no address then.
    fn stand_ins(&self) -> Range<usize> {
        let address = self.range(Role::Field(Field::Address));
        address.start + 1..address.end
    }

    fn key_fields<'f, 'r>(&self, found: &'f [Found<'r>]) -> KeyFields<'f, 'r> {
        let of = |field| &found[self.range(Role::Field(field))];
        KeyFields {
            address: of(Field::Address),
            stated: of(Field::Name),
            shown: of(Field::ShownName),
            asn: of(Field::Asn),
            is_endpoint: true,
            is_defanged: self.options.refang,
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
                let address = &found[..1];
                let places = self.key_fields(&found);
                let best = KeyFields { address, stated: &[], shown: &[], asn: &[], ..places };
                return best.read(kinds, sound);
            }
        }
        let sound = skim(record, Self::DIALECT, &self.key_paths, !0, &mut found);
        for found in &mut found[self.stand_ins()] {
            if found.is_nested() {
                *found = Found::Missing;
            }
        }
        self.key_fields(&found).read(kinds, sound)
    }

    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: true, asns: true }
    }

    fn places(&self) -> Option<Places<'_>> {
        let paths = |field| &self.key_paths[self.range(Role::Field(field))];
        let names = self.range(Role::Field(Field::Name)).start..self.range(Role::Field(Field::ShownName)).end;
        Some(Places { address: &self.key_paths[0], names: &self.key_paths[names], asns: paths(Field::Asn) })
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
    /// Its number among all nodes.
    id: usize,
    below: Tree,
}

impl Tree {
    /// Returns the number of the node at the end of the path, or of the root, which no value has.
    fn insert(&mut self, steps: &[Box<[u8]>], nodes: &mut usize) -> usize {
        let Some((step, rest)) = steps.split_first() else { return *nodes };
        let at = self.0.binary_search_by(|(key, _)| key.cmp(step)).unwrap_or_else(|at| {
            self.0.insert(at, (step.clone(), Node { id: *nodes, below: Self::default() }));
            *nodes += 1;
            at
        });
        let node = &mut self.0[at].1;
        if rest.is_empty() { node.id } else { node.below.insert(rest, nodes) }
    }

    fn read<'r>(&self, reader: &mut Reader<'r>, key: &str, values: &mut Values<'r>) -> Result<(), Syntax> {
        let Ok(at) = self.0.binary_search_by(|(name, _)| (**name).cmp(key.as_bytes())) else {
            return reader.skip();
        };
        let Node { id, below } = &self.0[at].1;
        if values.0.iter().any(|value| value.node == *id) {
            reader.note_duplicate();
            return reader.skip();
        }
        let mut value = Value { node: *id, scalar: Scalar::Nested, list: Vec::new() };
        if reader.is_object() && !below.0.is_empty() {
            values.0.push(value);
            return reader.object(|reader, key| below.read(reader, key, values));
        }
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
    /// What stands there; nested for an array.
    scalar: Scalar<'r>,
    /// The strings of an array.
    list: Vec<Cow<'r, str>>,
}

impl<'r> Value<'r> {
    /// Its string or number, or the first string of its array.
    fn text(&self) -> Option<Cow<'r, str>> {
        match &self.scalar {
            Scalar::Text(text) => Some(text.clone()),
            Scalar::Number(number) => Some(Cow::Borrowed(number)),
            Scalar::Nested => self.list.first().cloned(),
            _ => None,
        }
    }

    /// Its string or number, or all strings of its array.
    fn texts(&self) -> Vec<Cow<'r, str>> {
        if self.list.is_empty() { self.text().into_iter().collect() } else { self.list.clone() }
    }
}

impl<'r> Values<'r> {
    /// What stands at a place, if anything does.
    fn at(&self, place: &Place) -> Option<&Value<'r>> {
        let value = self.0.iter().find(|value| value.node == place.node)?;
        (value.scalar != Scalar::Absent).then_some(value)
    }

    /// The first of the places that is filled.
    fn filled<'p>(&self, places: &'p [Place]) -> Option<(&'p Place, &Value<'r>)> {
        places.iter().find_map(|place| Some((place, self.at(place)?)))
    }

    fn text(&self, places: &[Place]) -> Option<Cow<'r, str>> {
        self.filled(places)?.1.text()
    }

    /// The strings at the places, in order.
    fn strings(&self, places: &[Place]) -> Vec<Option<Cow<'r, str>>> {
        let string = |place| match &self.at(place)?.scalar {
            Scalar::Text(text) => Some(text.clone()),
            _ => None,
        };
        places.iter().map(string).collect()
    }

    fn texts(&self, places: &[Place]) -> Vec<Cow<'r, str>> {
        self.filled(places).map_or(Vec::new(), |(_, value)| value.texts())
    }
}

impl Ndjson {
    fn judge<'r>(&self, values: Values<'r>) -> Result<Findings<'r>, Reject> {
        let places = |field| self.places(Role::Field(field));
        let text = |field| values.text(places(field));
        let stated = self.names(&values, Field::Name);
        let hosts: Vec<_> = stated.iter().map(Option::as_deref).collect();
        let address = self.address(&values);
        let scalar = address.map_or(Scalar::Absent, |(_, value)| self.plain(value.scalar.clone()));
        let (subject, endpoint_port) = subject_of(&scalar, &hosts, true)?;

        let is_zmap = address.is_some_and(|(place, _)| place.path == Path::key(ZMAP_ADDRESS));
        let refused = if is_zmap { self.refused(&values) } else { None };
        let given = identifier(text(Field::Identifier), &self.options, None);
        let kind = if given.is_some() && !is_zmap { Kind::Vulnerable } else { Kind::Exposed };
        if let Some(skip) = refused.or(kind.skipped_by(self.options.take)) {
            return Ok(Findings::Skipped(skip));
        }
        let mut finding = Finding::new(0, kind, Side::Exposed);
        finding.subject = subject;
        finding.port = match values.filled(places(Field::Port)) {
            Some((_, value)) => port(value)?,
            None => endpoint_port,
        };
        finding.time = self.time(&values)?;
        finding.identifier = identifier(given, &self.options, Some("open"));
        let protocol = values.text(self.places(Role::Protocol));
        let is_transport = protocol.as_deref().is_some_and(is_transport);
        let (transport, application) = if is_transport { (protocol, None) } else { (None, protocol) };
        finding.transport = text(Field::Transport).or(transport);
        finding.application = text(Field::Application).or(application);
        finding.severity = text(Field::Severity);
        finding.tlp = text(Field::Tlp);
        let asn = values.filled(places(Field::Asn));
        finding.asn = asn.and_then(|(_, value)| read_asn(value.scalar.token()?.as_bytes()));
        finding.stated = first_name(stated);
        finding.shown = all_names(self.names(&values, Field::ShownName)).into_vec();
        finding.reverse =
            self.plain(text(Field::ReverseName).map_or(Scalar::Absent, Scalar::Text)).into_text();
        for text in values.texts(places(Field::Cve)) {
            push_words(&mut finding, text, is_between_cves);
        }
        for text in values.texts(places(Field::Tag)) {
            push_words(&mut finding, text, |c| c == ';');
        }
        Ok(Findings::Some(vec![finding]))
    }

    /// What stands in the places of a name.
    fn names<'r>(&self, values: &Values<'r>, field: Field) -> Vec<Option<Cow<'r, str>>> {
        let names = values.strings(self.places(Role::Field(field))).into_iter();
        names.map(|name| name.map(|name| if self.options.refang { refang(name) } else { name })).collect()
    }

    /// A value as it was before it was defanged, where that is asked for.
    fn plain<'r>(&self, value: Scalar<'r>) -> Scalar<'r> {
        match value {
            Scalar::Text(text) if self.options.refang => Scalar::Text(refang(text)),
            value => value,
        }
    }

    /// The address, as the search for key fields finds it.
    fn address<'v, 'r>(&'v self, values: &'v Values<'r>) -> Option<(&'v Place, &'v Value<'r>)> {
        let stand_in = || {
            let mut places = self.places[self.stand_ins()].iter();
            places.find_map(|place| {
                values.at(place).filter(|value| value.scalar != Scalar::Nested).map(|value| (place, value))
            })
        };
        values.filled(&self.places[..1]).or_else(stand_in)
    }

    /// Why a reply to ZMap is no exposure.
    fn refused(&self, values: &Values<'_>) -> Option<Skip> {
        let scalar = |role| values.filled(self.places(role)).map(|(_, value)| &value.scalar);
        if scalar(Role::Repeat).is_some_and(|repeat| !says(repeat, "0", "false")) {
            return Some(Skip::Repeat);
        }
        if values.text(self.places(Role::Classification)).is_some_and(|text| is_refusal(&text)) {
            return Some(Skip::Closed);
        }
        scalar(Role::Success).filter(|success| !says(success, "1", "true")).map(|_| Skip::NoSuccess)
    }

    fn time(&self, values: &Values<'_>) -> Result<Option<Moment>, Reject> {
        let Some((place, value)) = values.filled(self.places(Role::Field(Field::Time))) else {
            return Ok(None);
        };
        let text = value.text().ok_or(Reject::Time)?;
        let style = self.options.time_style.as_deref();
        match values.text(self.places(Role::Microseconds)) {
            Some(micros) if style.is_none() && place.path == Path::key(ZMAP_SECONDS) => {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_places_of_key_fields_fit_into_one_search() {
        let names: Vec<String> = Field::ALL
            .iter()
            .flat_map(|field| usual(*field))
            .map(|name| format!("\"{}\":1", name.to_uppercase()))
            .collect();
        let text = format!("{{{}}}", names.join(","));
        let head = Head { bytes: text.as_bytes(), at_end: true };
        let ndjson = Ndjson::new(&head, &FormatOptions::default());
        assert!(ndjson.key_paths.len() <= PATHS_MAX, "{}", ndjson.key_paths.len());
        assert_eq!(ndjson.columns()[0], ("IP".to_owned(), "address"));
    }
}
