//! `lookup`: who owns an address or prefix, and why.

use super::failure::Failure;
use super::output::note;
use super::setup::{Setup, run_time};
use crate::index::{Claim, Index};
use crate::moment::Moment;
use crate::net::{Address, Asn, Prefix, PrefixError};
use crate::policy::{
    AGE_DAYS_MAX, Case, Copies, Decision, Evidence, Explanation, Hold, InOffice, Outcome, decide, explain,
};
use crate::text::{self, host_name, show};
use serde::Serialize;
use std::fmt;
use std::io::{self, BufRead, BufWriter, Write};

/// What `lookup` is asked.
pub struct LookupRequest {
    /// Configuration and register.
    pub setup: Setup,
    /// `--run-time`.
    pub run_time: Option<String>,
    /// `--json`.
    pub json: bool,
    /// What is looked up; `-` reads more from standard input.
    pub inputs: Vec<String>,
}

/// One input, read.
enum Input {
    Address(Address),
    Prefix(Prefix),
    HostName(String),
    Asn(Asn),
}

impl Input {
    /// Reads what an operator may mean; else what is wrong and the remedy, as for a register's row.
    fn read(text: &str) -> Result<Self, String> {
        let bytes = text.as_bytes();
        if let Some(address) = Address::read(bytes) {
            return Ok(Self::Address(address));
        }
        let prefix = Prefix::read(bytes);
        if let Ok(prefix) = prefix {
            return Ok(Self::Prefix(prefix));
        }
        let is_asn = text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("as"));
        if let Some(asn) = Asn::read(bytes).filter(|_| is_asn) {
            return Ok(Self::Asn(asn));
        }
        let is_network = text.contains('/') && !text.contains("://");
        if let Some(host) = host_name(text).filter(|_| !is_network) {
            return Ok(Self::HostName(host));
        }
        Err(match prefix {
            Ok(_) | Err(PrefixError::NotAPrefix { .. }) => format!(
                "\"{}\" is no address, prefix, host name or AS number (such as 192.0.2.1, 192.0.2.0/24, www.example.nl, \
                 AS64496)",
                show(bytes, 128)
            ),
            Err(error) => show(error.to_string().as_bytes(), 512),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Prefix(_) => "prefix",
            Self::HostName(_) => "hostname",
            Self::Asn(_) => "asn",
        }
    }
}

/// One answer, as `--json` prints it.
#[derive(Serialize)]
struct Answer<'i> {
    input: &'i str,
    kind: &'static str,
    owner: Option<&'i str>,
    rule: Option<&'static str>,
    sender: Option<&'i str>,
    conflict: bool,
    covering: Vec<Covering<'i>>,
}

/// One registration and what it contributes to the choice, as `lookup` and `explain` print it.
#[derive(Serialize)]
pub(super) struct Covering<'i> {
    registration: String,
    owner_id: &'i str,
    role: &'static str,
    valid_from: Option<String>,
    valid_until: Option<String>,
    source: &'i str,
    line: u32,
    wins: bool,
    reason: String,
}

struct Lookup<'a> {
    index: &'a Index,
    senders: &'a InOffice,
    at: Moment,
    json: bool,
    out: BufWriter<io::Stdout>,
    without_owner: bool,
    unreadable: bool,
}

/// Looks all inputs up: 0, 1 if any has no owner, 65 if any cannot be read.
pub fn lookup(request: LookupRequest) -> Result<u8, Failure> {
    let config = request.setup.read_config()?;
    let at = run_time(request.run_time.as_deref())?;
    let index = request.setup.load_index(&config)?;
    let senders = config.senders.in_office(at.day());
    let out = BufWriter::new(io::stdout());
    let mut lookup = Lookup {
        index: &index,
        senders: &senders,
        at,
        json: request.json,
        out,
        without_owner: false,
        unreadable: false,
    };
    for input in &request.inputs {
        match input.as_str() {
            "-" => lookup.all_of_stdin()?,
            input => lookup.one(input)?,
        }
    }
    lookup.out.flush().map_err(Failure::Output)?;
    Ok(match (lookup.unreadable, lookup.without_owner) {
        (true, _) => 65,
        (false, true) => 1,
        (false, false) => 0,
    })
}

impl Lookup<'_> {
    /// An answer is flushed before the next line is waited for: a person may be typing.
    fn all_of_stdin(&mut self) -> Result<(), Failure> {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).map_err(Failure::Output)? > 0 {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            line.clear();
            if !text.is_empty() && !text.starts_with('#') {
                self.one(&text)?;
            }
            if !input.fill_buf().is_ok_and(|more| more.contains(&b'\n')) {
                self.out.flush().map_err(Failure::Output)?;
            }
        }
        Ok(())
    }

    /// A record that names a prefix is held where other organisations have a part of it.
    fn tell_inside(&self, text: &str, prefix: Prefix, claims: &[Claim]) {
        let inside: Vec<Claim> = self.index.inside(prefix).collect();
        let case = Case {
            evidence: Evidence::of_address(claims),
            inside: &inside,
            time: None,
            run_time: self.at,
            unknown_type: false,
            has_identifier: true,
            copies: Copies::default(),
            age_days_max: AGE_DAYS_MAX,
        };
        let Decision::Hold(Hold::Prefix, lines) = decide(&case, self.index) else { return };
        let owners: Vec<&str> = lines.iter().map(|line| self.index.owner(line.owner).id).collect();
        note(format_args!(
            "{text}: a record of this prefix is held (prefix), since parts of it belong to others: {}",
            owners.join(", ")
        ));
    }

    fn one(&mut self, text: &str) -> Result<(), Failure> {
        let input = match Input::read(text) {
            Ok(input) => input,
            Err(problem) => {
                self.unreadable = true;
                note(format_args!("error: {problem}"));
                return Ok(());
            }
        };
        let claims: Vec<Claim> = match &input {
            Input::Address(address) => self.index.covering(*address).collect(),
            Input::Prefix(prefix) => self.index.covering_prefix(*prefix).collect(),
            Input::HostName(host) => self.index.finder().covering_name(host),
            Input::Asn(asn) => self.index.finder().claims_of_asn(*asn),
        };
        let evidence = match &input {
            Input::Prefix(prefix) => {
                self.tell_inside(text, *prefix, &claims);
                Evidence::of_address(&claims)
            }
            Input::Address(_) => Evidence::of_address(&claims),
            Input::HostName(_) => Evidence { stated: &claims, ..Evidence::default() },
            Input::Asn(_) => Evidence { asn: &claims, ..Evidence::default() },
        };
        let (outcome, explanations) = explain(evidence, self.at.day(), self.index);
        let covering = explanations.iter().map(|explanation| covering(self.index, explanation)).collect();
        let mut answer = Answer {
            input: text,
            kind: input.kind(),
            owner: None,
            rule: None,
            sender: None,
            conflict: matches!(outcome, Outcome::Conflict(_)),
            covering,
        };
        if let Outcome::Winner(line) = &outcome {
            let owner = self.index.owner(line.owner);
            answer.owner = Some(owner.id);
            answer.rule = Some(line.rule.as_str());
            answer.sender = Some(self.senders.sender(owner.constituency).as_str());
        }
        self.without_owner |= answer.owner.is_none();
        let written =
            if self.json { write_json(&mut self.out, &answer) } else { write_text(&mut self.out, &answer) };
        written.map_err(Failure::Output)
    }
}

pub(super) fn covering<'i>(index: &'i Index, explanation: &Explanation) -> Covering<'i> {
    let claim = &explanation.claim;
    Covering {
        registration: index.registered(claim).to_string(),
        owner_id: index.owner(claim.owner).id,
        role: claim.role.as_str(),
        valid_from: claim.valid_from.map(|day| day.to_string()),
        valid_until: claim.valid_until.map(|day| day.to_string()),
        source: index.source_name(claim.source),
        line: claim.line,
        wins: explanation.wins,
        reason: explanation.reason.to_string(),
    }
}

fn write_json(out: &mut impl Write, answer: &Answer<'_>) -> io::Result<()> {
    text::write_json(&mut *out, answer)?;
    writeln!(out)
}

fn write_text(out: &mut impl Write, answer: &Answer<'_>) -> io::Result<()> {
    let verdict = match (answer.owner, answer.rule, answer.sender, answer.conflict) {
        (Some(owner), Some(rule), Some(sender), _) => format!("{owner} ({rule}, warned by {sender})"),
        (_, _, _, true) => "a conflict: held for a person".to_owned(),
        _ => "no owner".to_owned(),
    };
    writeln!(out, "{}: {verdict}", answer.input)?;
    for covering in &answer.covering {
        writeln!(out, "  {covering}")?;
    }
    Ok(())
}

impl fmt::Display for Covering<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let valid = match (&self.valid_from, &self.valid_until) {
            (None, None) => String::new(),
            (from, until) => {
                let day = |day: &Option<String>| day.clone().unwrap_or_default();
                format!(", valid {}..{}", day(from), day(until))
            }
        };
        let Self { registration, owner_id, role, line, reason, .. } = self;
        let source = show(self.source.as_bytes(), 256);
        write!(f, "{registration} {owner_id} as {role}{valid} ({source}:{line}): {reason}")
    }
}
