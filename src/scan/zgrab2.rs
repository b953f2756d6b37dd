//! ZGrab2: a line a target, with what each module of the scan found there.
//!
//! `{"ip":"192.0.2.1","domain":"a.example","data":{"http":{"status":"success","protocol":"http","port":443,…}}}`.
//! Each module whose `status` is `success` is a finding; the others are no exposure (`no-success`). A target that was
//! given by name has that in `domain`: the finding is about it. `ip` is absent where only the name was known.
//!
//! The transport is not recorded: it is TCP but for the modules that speak UDP. Of what a module found nothing is
//! copied.

use super::authority::first_name;
use super::json::{
    Dialect, Found, JsonFormat, KeyFields, Path, Places, Reader, Schema, Slot, Syntax, head_has, identifier,
    read_record, skim, some_or_skipped, subject_of,
};
use super::{
    Finding, Findings, Format, FormatError, FormatOptions, FormatSpec, Head, KeyKinds, Keys, Kind, Reject,
    Side, Skip, Take,
};
use std::borrow::Cow;

/// The format `zgrab2`.
pub(super) const SPEC: FormatSpec = FormatSpec { name: "zgrab2", fits, open };

/// Most modules of a record; one with more is `too-long`.
const MODULES_MAX: usize = 1024;

/// Modules that speak UDP (zgrab2:modules/*/scanner.go, `TransportUDP`).
const UDP_MODULES: [&str; 2] = ["ntp", "bacnet"];

fn fits(head: &Head<'_>) -> bool {
    head_has(head, Dialect::Json, None, &["data.*.status"])
}

fn open(head: &Head<'_>, options: &FormatOptions) -> Result<Box<dyn Format>, FormatError> {
    let paths = [Path::key("ip"), Path::key("domain")];
    JsonFormat::open(head, options, None, Zgrab2 { paths, options: options.clone() })
}

struct Zgrab2 {
    paths: [Path; 2],
    options: FormatOptions,
}

/// What is read of a record.
#[derive(Default)]
struct Grab<'r> {
    ip: Slot<'r>,
    domain: Slot<'r>,
    port: Slot<'r>,
    data_seen: bool,
    modules: Vec<Module<'r>>,
}

/// What is read of a module.
#[derive(Default)]
struct Module<'r> {
    name: &'r str,
    status: Slot<'r>,
    protocol: Slot<'r>,
    port: Slot<'r>,
    timestamp: Slot<'r>,
}

impl Schema for Zgrab2 {
    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        let mut found = [Found::Missing; 2];
        let asked = if kinds.names { 0b11 } else { 0b01 };
        let sound = skim(record, Self::DIALECT, &self.paths, asked, &mut found);
        KeyFields { address: &found[..1], stated: &found[1..], ..KeyFields::default() }.read(kinds, sound)
    }

    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: true, asns: false }
    }

    fn places(&self) -> Option<Places<'_>> {
        Some(Places { address: &self.paths[0], names: &self.paths[1..], asns: &[] })
    }

    fn findings<'r>(&self, record: &'r [u8]) -> Result<Findings<'r>, Reject> {
        let mut grab = Grab::default();
        read_record(record, Self::DIALECT, |reader, key| grab.read(reader, key))?;
        if grab.modules.len() > MODULES_MAX {
            return Err(Reject::TooLong);
        }
        self.judge(grab)
    }

    fn columns(&self) -> Vec<(String, &'static str)> {
        let columns = [
            ("ip", "address"),
            ("domain", "name"),
            ("data.*.status", "status"),
            ("data.*.port", "port"),
            ("data.*.protocol", "application"),
            ("data.*.timestamp", "time"),
        ];
        columns.map(|(path, taken_for)| (path.to_owned(), taken_for)).into()
    }
}

impl<'r> Grab<'r> {
    fn read(&mut self, reader: &mut Reader<'r>, key: &str) -> Result<(), Syntax> {
        match key {
            "ip" => reader.fill(&mut self.ip),
            "domain" => reader.fill(&mut self.domain),
            "port" => reader.fill(&mut self.port),
            "data" if reader.is_second(&mut self.data_seen) || !reader.is_object() => reader.skip(),
            "data" => {
                reader.object(|reader, name| match self.modules.len() {
                    // One more than may be is enough to know.
                    0..=MODULES_MAX => Module::read(reader, name).map(|module| self.modules.push(module)),
                    _ => reader.skip(),
                })?;
                if has_twins(&self.modules) {
                    reader.note_duplicate();
                }
                Ok(())
            }
            _ => reader.skip(),
        }
    }
}

impl<'r> Module<'r> {
    fn read(reader: &mut Reader<'r>, name: &'r str) -> Result<Self, Syntax> {
        let mut module = Self { name, ..Self::default() };
        if !reader.is_object() {
            return reader.skip().map(|()| module);
        }
        reader.object(|reader, key| match key {
            "status" => reader.fill(&mut module.status),
            "protocol" => reader.fill(&mut module.protocol),
            "port" => reader.fill(&mut module.port),
            "timestamp" => reader.fill(&mut module.timestamp),
            _ => reader.skip(),
        })?;
        Ok(module)
    }

    /// Why it is no exposure; `None`: it is one.
    fn skipped_by(&self, take: Take) -> Option<Skip> {
        if self.status.as_str() != Some("success") {
            return Some(Skip::NoSuccess);
        }
        Kind::Exposed.skipped_by(take)
    }

    fn transport(&self) -> &'static str {
        let protocol = self.protocol.as_str().unwrap_or(self.name);
        if UDP_MODULES.contains(&protocol) { "udp" } else { "tcp" }
    }
}

fn has_twins(modules: &[Module<'_>]) -> bool {
    let mut names: Vec<&str> = modules.iter().map(|module| module.name).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

impl Zgrab2 {
    fn judge<'r>(&self, grab: Grab<'r>) -> Result<Findings<'r>, Reject> {
        let subject = subject_of(grab.ip.value(), &[grab.domain.as_str()], false)?.0;
        let stated = first_name([grab.domain.text()]);
        let skipped_by = |module: &Module<'_>| module.skipped_by(self.options.take);
        let first = grab.modules.first().map_or(Some(Skip::NoSuccess), skipped_by);
        let parts: Vec<_> =
            (0..).zip(grab.modules).filter(|(_, module)| skipped_by(module).is_none()).collect();

        let mut findings = Vec::with_capacity(parts.len());
        for (part, module) in &parts {
            let port = module.port.port()?;
            let finding = Finding::new(*part, Kind::Exposed, Side::Exposed);
            findings.push(Finding { port: if port.is_none() { grab.port.port()? } else { port }, ..finding });
        }
        for (finding, (_, module)) in findings.iter_mut().zip(parts) {
            finding.time = module.timestamp.time(self.options.time_style.as_deref())?;
            finding.subject = subject;
            finding.stated.clone_from(&stated);
            finding.transport = Some(Cow::Borrowed(module.transport()));
            finding.identifier = identifier(None, &self.options, Some(module.name));
            finding.application = module.protocol.text();
        }
        Ok(some_or_skipped(findings, first))
    }
}
