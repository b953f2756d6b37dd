//! One alert as one line of JSON.

use super::found_by::FoundBy;
use super::gate::{self, Key, put, put_extra, put_word};
use super::id::{Ids, push_address, push_display, push_number, push_prefix, push_uuid};
use super::reference::ReferenceKey;
use crate::index::{Assignment, OwnerView, Registered};
use crate::moment::Moment;
use crate::net::Address;
use crate::policy::{
    Catalogue, Entry, Hold, Line, Provenance, Redaction, Removable, SenderName, Severity, SourceProtection,
    Tlp,
};
use crate::register::{Constituency, Ground, Scope, SharedKind};
use crate::scan::{Finding, Subject};
use crate::text::{host_name, says_nothing};
use std::borrow::Cow;
use std::sync::Arc;

/// Longest `event_description.text`, CVE or tag, in characters; a longer one ends in `…` there.
pub const TEXT_CHARS_MAX: usize = 4_000;
/// Most CVEs, and most tags, of one alert; after them stands `…`.
pub const LIST_ITEMS_MAX: usize = 1_000;

/// What a report beside a dump tells recipients. Who reported it is not in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReportWords {
    /// A line that says what is wrong.
    pub title: Option<String>,
    /// What is wrong and what to do.
    pub text: Option<String>,
    /// A page about it.
    pub url: Option<String>,
    /// Numbers that all its findings have.
    pub cves: Vec<String>,
    /// Where the record has none.
    pub severity: Option<String>,
}

/// What every alert of a run says.
#[derive(Clone, Copy, Debug)]
pub struct RunFacts<'a> {
    /// The feed's name, which enters ids.
    pub feed: &'a str,
    /// What a recipient reads for it; absent: its name.
    pub label: Option<&'a str>,
    /// Where the feed comes from.
    pub provider: Option<&'a str>,
    /// The run's name.
    pub run: &'a str,
    /// When the run counts as *now*.
    pub run_time: Moment,
    /// `--observed`: the instant, and the text as given. For records without a time.
    pub observed: Option<(Moment, &'a str)>,
    /// Where the findings come from, and their label.
    pub provenance: Provenance,
    /// The feed's classification; replaces what the format says.
    pub classification: Option<&'a str>,
    /// The feed's severity; where neither the record nor the catalogue says one.
    pub severity: Option<&'a str>,
    /// What is known of kinds of trouble.
    pub catalogue: &'a Arc<Catalogue>,
    /// What the report beside the dump says, if it has one.
    pub report: Option<&'a Arc<ReportWords>>,
    /// The index that was asked.
    pub index_id: [u8; 32],
}

/// What every alert of a run says, rendered once.
#[derive(Clone, Debug)]
pub struct Context {
    feed: String,
    observed_text: String,
    /// The instant that `observed_text` is the id text of, if it is one's.
    observed_in_ids: Option<Moment>,
    provenance: Provenance,
    classification: Option<String>,
    severity: Option<String>,
    catalogue: Arc<Catalogue>,
    report: Arc<ReportWords>,
    /// `feed.name` and `feed.provider`
    feed_pairs: Vec<u8>,
    /// `time.source` of a record without a time
    observed_pair: Vec<u8>,
    /// `time.observation`
    observation_pair: Vec<u8>,
    /// `classification.taxonomy` and `classification.type` of what nothing else is said of.
    classification_pairs: Vec<u8>,
    /// `extra.match.index`
    index_pair: Vec<u8>,
    /// `extra.run`, and the key of `extra.record`
    run_pair: Vec<u8>,
    run: String,
    protection: SourceProtection,
    reference_key: Option<ReferenceKey>,
}

/// The classification where neither feed nor format says another.
pub const CLASSIFICATION_DEFAULT: &str = "vulnerable-system";
/// Bytes of the index id that a line shows, as twice as many digits.
const INDEX_ID_BYTES_SHOWN: usize = 8;

impl Context {
    /// Renders what is the same in all lines.
    pub fn new(facts: &RunFacts<'_>) -> Self {
        let mut feed_pairs = Vec::new();
        put(&mut feed_pairs, &gate::FEED_NAME, facts.label.unwrap_or(facts.feed));
        put(&mut feed_pairs, &gate::FEED_PROVIDER, facts.provider.unwrap_or_default());
        let mut observed_pair = Vec::new();
        if let Some((moment, _)) = facts.observed {
            put_time(&mut observed_pair, TIME_SOURCE, moment);
        }
        let mut observation_pair = Vec::new();
        put_time(&mut observation_pair, TIME_OBSERVATION, facts.run_time.whole_seconds());
        let mut index_pair = Vec::new();
        put_index(&mut index_pair, facts.index_id);
        let mut run_pair = Vec::new();
        put_extra(&mut run_pair, ",\"extra.run\":", facts.run);
        run_pair.extend_from_slice(b",\"extra.record\":");
        let mut classification_pairs = Vec::new();
        put_type(&mut classification_pairs, facts.classification.unwrap_or(CLASSIFICATION_DEFAULT));
        Self {
            feed: facts.feed.to_owned(),
            observed_text: facts.observed.map_or_else(String::new, |(_, text)| text.to_owned()),
            observed_in_ids: (facts.observed)
                .filter(|(moment, text)| moment.id_text() == *text)
                .map(|(moment, _)| moment),
            provenance: facts.provenance,
            classification: facts.classification.map(str::to_owned),
            severity: facts.severity.map(str::to_owned),
            catalogue: Arc::clone(facts.catalogue),
            report: facts.report.cloned().unwrap_or_default(),
            feed_pairs,
            observed_pair,
            observation_pair,
            classification_pairs,
            index_pair,
            run_pair,
            run: facts.run.to_owned(),
            protection: SourceProtection::default(),
            reference_key: None,
        }
    }

    /// The same, not telling what is protected. Without a key there is nothing to refer by: then run and record are not told,
    /// and no reference either.
    #[must_use]
    pub fn protecting(self, protection: SourceProtection, reference_key: Option<ReferenceKey>) -> Self {
        Self { protection, reference_key, ..self }
    }

    /// What is known of a finding's kind of trouble.
    pub fn entry(&self, finding: &Finding<'_>) -> Option<&Entry> {
        self.catalogue.find(finding, &self.report.cves)
    }

    /// How bad an alert says that a finding is: as the record says, else its report, else the catalogue, else the feed.
    pub fn severity(&self, finding: &Finding<'_>, entry: Option<&Entry>) -> Severity {
        Severity::read(self.severity_text(finding, entry))
    }

    /// How far a finding may go: the stricter of what its record and its feed say.
    pub fn tlp(&self, finding: &Finding<'_>) -> Tlp {
        Tlp::of(finding.tlp.as_deref(), self.provenance.tlp)
    }

    /// How far an alert of it may go: never further.
    pub fn notice_tlp(&self, finding: &Finding<'_>) -> Tlp {
        self.provenance.notice_tlp_of(self.tlp(finding))
    }

    /// Where the findings come from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The RSIT type that an alert bears: as report or feed say, else the catalogue, else the format.
    pub fn classification<'f>(&'f self, finding: &Finding<'_>, entry: Option<&'f Entry>) -> &'f str {
        let known = entry.and_then(|entry| entry.classification.as_deref());
        self.classification.as_deref().or(known).or(finding.classification).unwrap_or(CLASSIFICATION_DEFAULT)
    }

    /// The RSIT type of [`Context::classification_pairs`].
    fn classification_usual(&self) -> &str {
        self.classification.as_deref().unwrap_or(CLASSIFICATION_DEFAULT)
    }

    /// What may be told of it: what only what is taken out leads to is not.
    fn entry_told<'a>(&'a self, alert: &Alert<'a>) -> Option<&'a Entry> {
        match alert.redaction.is_none() {
            true => alert.entry,
            false => self.entry(alert.finding).filter(|entry| alert.entry == Some(*entry)),
        }
    }

    fn severity_text<'f>(&'f self, finding: &'f Finding<'_>, entry: Option<&Entry>) -> &'f str {
        let own = Some(text(&finding.severity)).filter(|severity| !says_nothing(severity));
        let known = || entry.and_then(|entry| entry.severity).map(Severity::as_str);
        own.or(self.report.severity.as_deref())
            .or_else(known)
            .or(self.severity.as_deref())
            .unwrap_or_default()
    }

    pub(super) fn feed(&self) -> &str {
        &self.feed
    }

    /// Whether a time enters ids as the text of `--observed` does.
    pub(super) fn is_observed(&self, time: Moment) -> bool {
        self.observed_in_ids == Some(time)
    }

    pub(super) fn observed_text(&self) -> &str {
        &self.observed_text
    }
}

const TIME_SOURCE: &str = ",\"time.source\":";
const TIME_OBSERVATION: &str = ",\"time.observation\":";

/// What every alert for one owner says.
#[derive(Clone, Copy, Debug)]
pub struct RecipientFacts<'a> {
    /// As the register first writes it.
    pub id: &'a str,
    /// The organisation's name.
    pub name: Option<&'a str>,
    /// None counts as `business`.
    pub constituency: Option<Constituency>,
    /// In order of appearance.
    pub contacts: &'a [&'a str],
    /// Who warns it.
    pub sender: &'a SenderName,
}

/// What every alert for one owner says, rendered once.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// `source.abuse_contact`
    contact_pair: Vec<u8>,
    /// `constituency`
    constituency_pair: Vec<u8>,
    /// `extra.owner.id`, `extra.owner.name`, `extra.sender`
    owner_pairs: Vec<u8>,
    id: String,
}

impl Recipient {
    /// Of an owner of the index, warned by `sender`.
    pub fn of(owner: &OwnerView<'_>, sender: &SenderName) -> Self {
        let contacts: Vec<&str> = owner.contacts().collect();
        let (id, name, constituency) = (owner.id, owner.name, owner.constituency);
        Self::new(&RecipientFacts { id, name, constituency, contacts: &contacts, sender })
    }

    /// Renders what is the same in all of an owner's lines.
    pub fn new(facts: &RecipientFacts<'_>) -> Self {
        let mut contact_pair = Vec::new();
        let contacts = join(facts.contacts.iter().map(|contact| Cow::Owned(contact.to_lowercase())), ',');
        put(&mut contact_pair, &gate::SOURCE_ABUSE_CONTACT, &contacts);
        let mut constituency_pair = Vec::new();
        let constituency = facts.constituency.unwrap_or(Constituency::Business);
        put(&mut constituency_pair, &gate::CONSTITUENCY, constituency.as_str());
        let mut owner_pairs = Vec::new();
        put_extra(&mut owner_pairs, ",\"extra.owner.id\":", facts.id);
        put_extra(&mut owner_pairs, ",\"extra.owner.name\":", facts.name.unwrap_or_default());
        put_extra(&mut owner_pairs, ",\"extra.sender\":", facts.sender.as_str());
        Self { contact_pair, constituency_pair, owner_pairs, id: facts.id.to_owned() }
    }

    /// Its owner_id, as the register first writes it.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn contact_pair(&self) -> &[u8] {
        &self.contact_pair
    }

    pub(super) fn constituency_pair(&self) -> &[u8] {
        &self.constituency_pair
    }

    pub(super) fn owner_pairs(&self) -> &[u8] {
        &self.owner_pairs
    }
}

/// CVEs and tags of the records whose alerts are equal to one that is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Merged {
    cves: Vec<String>,
    tags: Vec<String>,
    /// The strictest of their labels.
    tlp: Option<Tlp>,
    /// One of them has a label that cannot be read.
    is_tlp_unknown: bool,
}

impl Merged {
    /// Adds those of one more record, and the label that an alert of it bears alone. The line does not depend on how often, but
    /// on the order of different ones.
    pub fn add(&mut self, finding: &Finding<'_>, tlp: Tlp) {
        add_new(&mut self.cves, finding.cves.iter().map(|cve| Cow::Owned(cve.to_lowercase())));
        add_new(&mut self.tags, finding.tags.iter().map(|tag| Cow::Borrowed(&**tag)));
        self.tlp = self.tlp.max(Some(tlp));
        self.is_tlp_unknown |= Tlp::is_unknown(finding.tlp.as_deref());
    }

    fn tlp(&self) -> Tlp {
        self.tlp.unwrap_or(Tlp::Clear)
    }

    /// Adds what later records gave: the same as adding those records one by one.
    pub fn append(&mut self, later: &Self) {
        add_new(&mut self.cves, later.cves.iter().map(|cve| Cow::Borrowed(cve.as_str())));
        add_new(&mut self.tags, later.tags.iter().map(|tag| Cow::Borrowed(tag.as_str())));
        self.tlp = self.tlp.max(later.tlp);
        self.is_tlp_unknown |= later.is_tlp_unknown;
    }
}

/// One more than a line shows is kept, so that the line can say that there are more.
fn add_new<'t>(list: &mut Vec<String>, items: impl Iterator<Item = Cow<'t, str>>) {
    for item in items {
        if list.len() > LIST_ITEMS_MAX {
            return;
        }
        let item = shorten(&item);
        if !list.iter().any(|known| *known == *item) {
            list.push(item.into_owned());
        }
    }
}

/// What the register knows about the place that an alert is about, beside whose it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Background<'a> {
    /// How the registration comes to be in a Dutch register.
    pub scope: Scope,
    /// Which of the recipient's customers it is.
    pub assignment: Option<Assignment<'a>>,
    /// Why its address serves many, if it does.
    pub shared: Option<SharedKind>,
}

/// What one alert says of its own.
#[derive(Clone, Copy, Debug)]
pub struct Alert<'a> {
    /// What was found, as far as it is told.
    pub finding: &'a Finding<'a>,
    /// What is known of its kind of trouble.
    pub entry: Option<&'a Entry>,
    /// What is not told of it.
    pub redaction: Redaction,
    /// The record's number in the dump, from 1.
    pub record: u64,
    /// Why this recipient.
    pub line: &'a Line,
    /// The registration that says so.
    pub registered: Registered<'a>,
    /// The owner_id of the member on whose behalf a link organisation is told.
    pub member: Option<&'a str>,
    /// What else the recipient is told about the place.
    pub background: Background<'a>,
    /// Why this recipient may be told.
    pub ground: Ground,
    /// The code of the rule by which it goes or waits, if one fits.
    pub assessment: Option<&'a str>,
    /// Why a person must decide, of a held one.
    pub hold: Option<Hold>,
    /// Who is told.
    pub recipient: &'a Recipient,
    /// Of this finding and recipient.
    pub ids: &'a Ids,
    /// What equal alerts add.
    pub also: Option<&'a Merged>,
}

/// Appends one alert and a line end.
pub fn write_line(out: &mut Vec<u8>, context: &Context, alert: &Alert<'_>) {
    write_line_found_by(out, context, alert, &FoundBy::new(alert.line, alert.registered));
}

/// As [`write_line`], with what all alerts of its registration say.
pub fn write_line_found_by(out: &mut Vec<u8>, context: &Context, alert: &Alert<'_>, found_by: &FoundBy) {
    let start = out.len();
    // Each pair brings its comma; the first one becomes the opening brace.
    put_source(out, context, alert, found_by);
    put_classification(out, context, alert);
    put_ours(out, context, alert, found_by);
    out[start] = b'{';
    out.extend_from_slice(b"}\n");
}

/// Feed, times and what IntelMQ has under `source.` and `protocol.`.
fn put_source(out: &mut Vec<u8>, context: &Context, alert: &Alert<'_>, found_by: &FoundBy) {
    let finding = alert.finding;
    if !context.protection.hides_source(label(context, alert), is_label_unknown(context, alert)) {
        out.extend_from_slice(&context.feed_pairs);
    }
    match finding.time {
        Some(time) => put_time(out, TIME_SOURCE, time),
        None => out.extend_from_slice(&context.observed_pair),
    }
    out.extend_from_slice(&context.observation_pair);
    put_address(out, finding);
    found_by.put_network(out, finding.subject, alert.line);
    if let Some(asn) = finding.asn {
        // AS 0 is no number to IntelMQ.
        put_number(out, if asn.0 == 0 { ",\"extra.source.asn\":" } else { ",\"source.asn\":" }, asn.0.into());
    }
    let own = finding.shown.iter().filter(|name| is_registered(name, alert));
    put_name(out, &gate::SOURCE_FQDN, finding.stated.iter().chain(own).chain(&finding.shown));
    put_name(out, &gate::SOURCE_REVERSE_DNS, &finding.reverse);
    out.extend_from_slice(&alert.recipient.contact_pair);
    put(out, &gate::PROTOCOL_TRANSPORT, text(&finding.transport));
    put(out, &gate::PROTOCOL_APPLICATION, text(&finding.application));
}

fn put_address(out: &mut Vec<u8>, finding: &Finding<'_>) {
    if let Some(Subject::Address(address)) = finding.subject {
        // 0.0.0.0 is no address to IntelMQ.
        let is_refused = address == Address::v4(0);
        let key: &[u8] = if is_refused { b",\"extra.source.ip\":\"" } else { b",\"source.ip\":\"" };
        out.extend_from_slice(key);
        push_address(out, address);
        out.push(b'"');
    }
    if let Some(port) = finding.port {
        put_number(out, ",\"source.port\":", port.into());
    }
}

/// The registered or announced prefix; of a range the CIDR piece that holds the address; of a record that names a prefix, that
/// prefix.
pub(super) fn put_network(out: &mut Vec<u8>, subject: Option<Subject>, line: &Line) {
    let network = match subject {
        Some(Subject::Address(address)) => line.claim.key.range().and_then(|range| range.piece_of(address)),
        Some(Subject::Prefix(prefix)) => Some(prefix),
        None => None,
    };
    if let Some(network) = network {
        out.extend_from_slice(b",\"source.network\":\"");
        push_prefix(out, network);
        out.push(b'"');
    }
}

/// Whether a name is below the domain by which the recipient was found: of several, that is the one to tell.
fn is_registered(name: &str, alert: &Alert<'_>) -> bool {
    let Registered::Domain(domain) = alert.registered else { return false };
    host_name(name).is_some_and(|host| {
        host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

/// The host of the first that names one; text that is meant as a name and is none goes to `extra.` as it is.
fn put_name<'n>(out: &mut Vec<u8>, key: &Key, names: impl IntoIterator<Item = &'n Cow<'n, str>>) {
    let stated = names.into_iter().map(|name| &**name).find(|name| !says_nothing(name) && !is_address(name));
    let Some(name) = stated else { return };
    match host_name(name) {
        Some(host) => put(out, key, &host),
        None => put(out, key, name),
    }
}

/// Whether the host of a URL, `host:port` or bare text is an IP literal, which is no name.
fn is_address(text: &str) -> bool {
    let text = text.trim_ascii();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let is_literal = |text: &str| Address::read(text.as_bytes()).is_some();
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => is_literal(inside),
        None => is_literal(host) || host.split_once(':').is_some_and(|(host, _)| is_literal(host)),
    }
}

/// What is wrong, and how bad.
fn put_classification(out: &mut Vec<u8>, context: &Context, alert: &Alert<'_>) {
    let finding = alert.finding;
    let classification = context.classification(finding, alert.entry);
    match classification == context.classification_usual() {
        true => out.extend_from_slice(&context.classification_pairs),
        false => put_type(out, classification),
    }
    put(out, &gate::CLASSIFICATION_IDENTIFIER, text(&finding.identifier));
    put(out, &gate::SEVERITY, context.severity_text(finding, alert.entry));
    out.extend_from_slice(&alert.recipient.constituency_pair);
    let merged = alert.also.map_or(&[][..], |also| &also.cves);
    let is_taken = alert.redaction.takes(Removable::Vulnerabilities);
    let of_report = if is_taken { &[][..] } else { &context.report.cves };
    if !finding.cves.is_empty() || !merged.is_empty() || !of_report.is_empty() {
        let own = finding.cves.iter().map(|cve| Cow::Owned(cve.to_lowercase()));
        let own = own.chain(merged.iter().map(|cve| Cow::Borrowed(cve.as_str())));
        let cves = own.chain(of_report.iter().map(|cve| Cow::Owned(cve.to_lowercase())));
        put(out, &gate::PRODUCT_VULNERABILITIES, &join(cves, ';'));
    }
    put_description(out, context, alert);
}

/// RSIT type and its taxonomy.
fn put_type(out: &mut Vec<u8>, classification: &str) {
    let taxonomy = gate::taxonomy(&lower(classification)).unwrap_or_default();
    put_word(out, ",\"classification.taxonomy\":", taxonomy);
    put(out, &gate::CLASSIFICATION_TYPE, classification);
}

/// What the reader is told: the record's own words, else those of its report, else what is known of such trouble.
fn put_description(out: &mut Vec<u8>, context: &Context, alert: &Alert<'_>) {
    let (finding, report, entry) = (alert.finding, &*context.report, context.entry_told(alert));
    // What is taken out of the record does not come back from elsewhere.
    let is_told = |field| !alert.redaction.takes(field);
    let text_known = report.text.as_deref().or_else(|| entry?.text.as_deref());
    let text_known = text_known.filter(|_| is_told(Removable::Text));
    let url_known = report.url.as_deref().or_else(|| entry?.url.as_deref());
    let url_known = url_known.filter(|_| is_told(Removable::Url));
    let title = report.title.as_deref().or_else(|| entry?.title.as_deref());
    put(out, &gate::EVENT_DESCRIPTION_TEXT, &shorten(first(text(&finding.text), text_known)));
    put(out, &gate::EVENT_DESCRIPTION_URL, first(text(&finding.url), url_known));
    put_extra(out, ",\"extra.finding\":", entry.map_or("", |entry| &entry.name));
    put_extra(out, ",\"extra.title\":", &shorten(title.unwrap_or_default()));
}

/// A text that says something, else the other.
fn first<'t>(own: &'t str, other: Option<&'t str>) -> &'t str {
    if says_nothing(own) { other.unwrap_or_default() } else { own }
}

/// What is ours.
fn put_ours(out: &mut Vec<u8>, context: &Context, alert: &Alert<'_>, found_by: &FoundBy) {
    let finding = alert.finding;
    let tlp = label(context, alert);
    put_word(out, ",\"tlp\":", tlp.as_tlp1());
    out.extend_from_slice(b",\"extra.alert_id\":\"");
    push_uuid(out, alert.ids.alert);
    out.extend_from_slice(b"\",\"extra.finding_id\":\"");
    push_uuid(out, alert.ids.finding);
    out.push(b'"');
    out.extend_from_slice(&alert.recipient.owner_pairs);
    put_extra(out, ",\"extra.for.owner\":", alert.member.unwrap_or_default());
    found_by.put_match(out);
    put_word(out, ",\"extra.ground\":", alert.ground.as_str());
    put_extra(out, ",\"extra.assessment\":", alert.assessment.unwrap_or_default());
    put_background(out, alert.background);
    out.extend_from_slice(&context.index_pair);
    put_run(out, context, alert);
    let merged = alert.also.map_or(&[][..], |also| &also.tags);
    if !finding.tags.is_empty() || !merged.is_empty() {
        let own = finding.tags.iter().map(|tag| Cow::Borrowed(&**tag));
        let tags = own.chain(merged.iter().map(|tag| Cow::Borrowed(tag.as_str())));
        put_extra(out, ",\"extra.tag\":", &join(tags, ';'));
    }
    put_word(out, ",\"extra.tlp\":", tlp.as_str());
    if let Some(hold) = alert.hold {
        put_word(out, ",\"extra.held.reason\":", hold.as_str());
    }
}

/// The label that it bears: the strictest of all records that it tells.
fn label(context: &Context, alert: &Alert<'_>) -> Tlp {
    context.notice_tlp(alert.finding).max(alert.also.map_or(Tlp::Clear, Merged::tlp))
}

fn is_label_unknown(context: &Context, alert: &Alert<'_>) -> bool {
    context.provenance.is_tlp_unknown
        || Tlp::is_unknown(alert.finding.tlp.as_deref())
        || alert.also.is_some_and(|also| also.is_tlp_unknown)
}

/// Run and record, or what stands for them.
fn put_run(out: &mut Vec<u8>, context: &Context, alert: &Alert<'_>) {
    if !context.protection.hides_run(label(context, alert), is_label_unknown(context, alert)) {
        out.extend_from_slice(&context.run_pair);
        push_number(out, alert.record);
        return;
    }
    if let Some(key) = &context.reference_key {
        out.extend_from_slice(b",\"extra.reference\":\"");
        push_display(out, key.reference(&context.run, alert.record, &alert.recipient.id));
        out.push(b'"');
    }
}

/// `extra.match.index`.
pub(super) fn put_index(out: &mut Vec<u8>, index_id: [u8; 32]) {
    out.extend_from_slice(b",\"extra.match.index\":\"");
    for byte in &index_id[..INDEX_ID_BYTES_SHOWN] {
        push_display(out, format_args!("{byte:02x}"));
    }
    out.push(b'"');
}

/// Which customer it is, and that the place alone makes it Dutch.
fn put_background(out: &mut Vec<u8>, background: Background<'_>) {
    if let Some(Assignment { range, netname, .. }) = background.assignment {
        let shown = format!("{range} {netname}");
        put_extra(out, ",\"extra.assignment\":", &shorten(shown.trim_end()));
    }
    put_word(out, ",\"extra.shared\":", background.shared.map_or("", SharedKind::as_str));
    if background.scope == Scope::Located {
        put_word(out, ",\"extra.scope\":", background.scope.as_str());
    }
}

fn text<'t>(value: &'t Option<Cow<'_, str>>) -> &'t str {
    value.as_deref().unwrap_or_default()
}

/// In lower case, as far as it is ASCII.
fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

fn put_time(out: &mut Vec<u8>, key: &'static str, time: Moment) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'"');
    time.push_intelmq_text(out);
    out.push(b'"');
}

#[inline]
fn put_number(out: &mut Vec<u8>, key: &'static str, number: u64) {
    out.extend_from_slice(key.as_bytes());
    push_number(out, number);
}

/// Each item once, in order of appearance, none longer than a text; what says nothing is left out.
fn join<'t>(items: impl Iterator<Item = Cow<'t, str>>, between: char) -> String {
    let mut seen: Vec<Cow<'t, str>> = Vec::new();
    let mut joined = String::new();
    for item in items {
        let item = match item {
            Cow::Borrowed(item) => shorten(item),
            Cow::Owned(item) => Cow::Owned(shorten(&item).into_owned()),
        };
        if says_nothing(&item) || seen.contains(&item) {
            continue;
        }
        if !joined.is_empty() {
            joined.push(between);
        }
        if seen.len() == LIST_ITEMS_MAX {
            joined.push('…');
            break;
        }
        joined.push_str(&item);
        seen.push(item);
    }
    joined
}

/// Cuts a text that is too long, visibly.
fn shorten(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_CHARS_MAX {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
