//! masscan: `-oJ`, an array of hosts with `ports`, and `-oD`, a line a port.
//!
//! ```text
//! {   "ip": "192.0.2.1",   "timestamp": "1390380064", "ports": [ {"port": 80, "proto": "tcp", "status": "open"} ] }
//! {"ip":"192.0.2.1","timestamp":"1390380064","port":80,"proto":"tcp","rec_type":"status","data":{"status":"open"}}
//! ```
//!
//! An open port is a finding; `closed` is what is not open. What a service said stands in records of its own
//! (`banner`), which are not joined to their ports. Older versions wrote keys without quotes, a comma after the last
//! record, `{finished: 1}`, and no `]` when they were killed (robertdavidgraham/masscan issues 122, 147, 288, 314, 493,
//! 726): all of that is read, here only.

use super::json::{
    Dialect, Found, JsonFormat, KeyFields, Path, Places, Reader, Schema, Slot, Syntax, head_has, identifier,
    read_record, skim, some_or_skipped, subject_of,
};
use super::{
    Finding, Findings, Format, FormatError, FormatOptions, FormatSpec, Head, KeyKinds, Keys, Kind, Reject,
    Side, Skip, Take,
};
use crate::moment::Moment;

/// The format `masscan`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "masscan", fits, open };

/// Most ports of a record; one with more is `too-long`. masscan itself writes one.
const PORTS_MAX: usize = 4096;

fn fits(head: &Head<'_>) -> bool {
    head_has(head, Dialect::Masscan, None, &["ports[].status", "ports[].service", "rec_type"])
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    JsonFormat::open(head, options, None, Masscan { ip: Path::key("ip"), options: options.clone() })
}

struct Masscan {
    ip: Path,
    options: FormatOptions,
}

/// What is read of a record.
#[derive(Default)]
struct Host<'r> {
    ip: Slot<'r>,
    timestamp: Slot<'r>,
    ports_seen: bool,
    ports: Vec<Port<'r>>,
    /// `-oD`: the port is the record.
    only: Port<'r>,
    rec_type: Slot<'r>,
    data_seen: bool,
}

/// What is read of a port.
#[derive(Default)]
struct Port<'r> {
    port: Slot<'r>,
    proto: Slot<'r>,
    status: Slot<'r>,
    service: Slot<'r>,
}

impl Schema for Masscan {
    const DIALECT: Dialect = Dialect::Masscan;

    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let mut found = [Found::Missing];
        let sound = skim(record, Self::DIALECT, std::slice::from_ref(&self.ip), 1, &mut found);
        KeyFields { address: &found, ..KeyFields::default() }.read(kinds, sound)
    }

    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: false, asns: false }
    }

    fn places(&self) -> Option<Places<'_>> {
        Some(Places { address: &self.ip, names: &[], asns: &[] })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let mut host = Host::default();
        read_record(record, Self::DIALECT, |reader, key| host.read(reader, key))?;
        if host.ports.len() > PORTS_MAX {
            return Err(Reject::TooLong);
        }
        self.judge(host)
    }

    fn columns(&self) -> Vec<(String, &'static str)> {
        let columns = [
            ("ip", "address"),
            ("timestamp", "time"),
            ("ports[].port", "port"),
            ("ports[].proto", "transport"),
            ("ports[].status", "status"),
            ("port", "port"),
            ("proto", "transport"),
            ("rec_type", "status"),
            ("data.status", "status"),
        ];
        columns.map(|(path, taken_for)| (path.to_owned(), taken_for)).into()
    }
}

impl<'r> Host<'r> {
    fn read(&mut self, reader: &mut Reader<'r>, key: &str) -> Result<(), Syntax> {
        match key {
            "ip" => reader.fill(&mut self.ip),
            "timestamp" => reader.fill(&mut self.timestamp),
            "rec_type" => reader.fill(&mut self.rec_type),
            "ports" if reader.is_second(&mut self.ports_seen) || !reader.is_array() => reader.skip(),
            "ports" => reader.array(|reader| match self.ports.len() {
                // One more than may be is enough to know.
                0..=PORTS_MAX => Port::read(reader).map(|port| self.ports.push(port)),
                _ => reader.skip(),
            }),
            "data" => reader.inside(&mut self.data_seen, |reader, key| match key {
                "status" => reader.fill(&mut self.only.status),
                _ => reader.skip(),
            }),
            _ => self.only.read_key(reader, key),
        }
    }

    /// Its ports: of `-oJ` those of the list, of `-oD` the one.
    fn into_ports(self) -> Vec<Port<'r>> {
        if self.ports_seen { self.ports } else { vec![self.only] }
    }
}

impl<'r> Port<'r> {
    fn read(reader: &mut Reader<'r>) -> Result<Self, Syntax> {
        let mut port = Self::default();
        if !reader.is_object() {
            return reader.skip().map(|()| port);
        }
        reader.object(|reader, key| match key {
            "status" => reader.fill(&mut port.status),
            "service" => reader.fill(&mut port.service),
            _ => port.read_key(reader, key),
        })?;
        Ok(port)
    }

    fn read_key(&mut self, reader: &mut Reader<'r>, key: &str) -> Result<(), Syntax> {
        match key {
            "port" => reader.fill(&mut self.port),
            "proto" => reader.fill(&mut self.proto),
            _ => reader.skip(),
        }
    }

    /// Why it is no exposure; `None`: it is one.
    fn skipped_by(&self, take: Take) -> Option<Skip> {
        match self.status.as_str() {
            Some("open") => Kind::Exposed.skipped_by(take),
            None if !self.service.is_absent() => Some(Skip::Banner),
            _ => Some(Skip::Closed),
        }
    }
}

impl Masscan {
    fn judge<'r>(&self, host: Host<'r>) -> Result<Findings<'r>, Reject> {
        let subject = subject_of(host.ip.value(), &[], false)?.0;
        if host.rec_type.as_str() == Some("banner") {
            return Ok(Findings::Skipped(Skip::Banner));
        }
        let timestamp = host.timestamp.clone();
        let time =
            || -> Result<Option<Moment>, Reject> { timestamp.time(self.options.time_style.as_deref()) };
        let ports = host.into_ports();
        let skipped_by = |port: &Port<'_>| port.skipped_by(self.options.take);
        let first = ports.first().map_or(Some(Skip::Closed), skipped_by);

        let mut findings = Vec::new();
        for (part, port) in (0..).zip(ports).filter(|(_, port)| skipped_by(port).is_none()) {
            let mut finding = Finding::new(part, Kind::Exposed, Side::Exposed);
            finding.subject = subject;
            finding.port = port.port.port()?;
            finding.identifier = identifier(None, &self.options, Some("open"));
            finding.transport = port.proto.text();
            findings.push(finding);
        }
        if !findings.is_empty() {
            let time = time()?;
            findings.iter_mut().for_each(|finding| finding.time = time);
        }
        Ok(some_or_skipped(findings, first))
    }
}
