//! What an index holds besides addresses: owners, sources, domains, AS numbers, counts.

use zerocopy::little_endian::U32;

use super::Index;
use super::layout::{KeyRow, OwnerRow, Row4, Row6, Section, TermsRow, VERSION};
use super::lookup::Terms;
use crate::moment::Day;
use crate::net::Asn;
use crate::register::{Constituency, Ground, Role, Scope};

/// Position of an owner in the index's canonical order (by lower-cased owner_id).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OwnerIx(pub u32);

/// An owner as the index holds it.
#[derive(Clone, Copy)]
pub struct OwnerView<'i> {
    /// The owner_id, as first written.
    pub id: &'i str,
    /// What people call it.
    pub name: Option<&'i str>,
    /// Which decides who sends.
    pub constituency: Option<Constituency>,
    /// Why it may be told, where not for its role.
    pub ground: Option<Ground>,
    /// In the register's own words.
    pub sector: Option<&'i str>,
    /// Lowest [`OwnerIx`] of the united group; equal means one organisation.
    pub organisation: OwnerIx,
    /// Where it first stands.
    pub source: u16,
    /// Where it first stands.
    pub line: u32,
    index: &'i Index,
    row: OwnerRow,
}

impl<'i> OwnerView<'i> {
    /// Addresses of mail, in order of appearance, each once.
    pub fn contacts(&self) -> impl Iterator<Item = &'i str> + use<'i> {
        self.index.texts(Section::Contacts, self.row.contacts_start, self.row.contacts_count)
    }

    /// owner_ids of its link organisations, which need not be in the index.
    pub fn links(&self) -> impl Iterator<Item = &'i str> + use<'i> {
        self.index.texts(Section::Links, self.row.links_start, self.row.links_count)
    }
}

/// A domain that is registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DomainClaim<'i> {
    /// The domain, as the register has it.
    pub domain: &'i str,
    /// Whose it is.
    pub owner: OwnerIx,
    /// As what it is registered.
    pub role: Role,
    /// First day, if any.
    pub valid_from: Option<Day>,
    /// Last day, if any.
    pub valid_until: Option<Day>,
    /// When somebody last made sure of it.
    pub verified: Option<Day>,
    /// How it comes to be in a Dutch register.
    pub scope: Scope,
    /// The source that it is from.
    pub source: u16,
    /// The line it stands in.
    pub line: u32,
}

/// An AS number that is registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AsnClaim {
    /// The number.
    pub asn: Asn,
    /// Whose it is.
    pub owner: OwnerIx,
    /// As what it is registered.
    pub role: Role,
    /// First day, if any.
    pub valid_from: Option<Day>,
    /// Last day, if any.
    pub valid_until: Option<Day>,
    /// When somebody last made sure of it.
    pub verified: Option<Day>,
    /// How it comes to be in a Dutch register.
    pub scope: Scope,
    /// The source that it is from.
    pub source: u16,
    /// The line it stands in.
    pub line: u32,
}

/// How much an index holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Version of the format.
    pub version: u32,
    /// Owners.
    pub owners: u64,
    /// Registrations of all kinds.
    pub registrations: u64,
    /// Registrations of IPv4 addresses.
    pub ipv4: u64,
    /// Registrations of IPv6 addresses.
    pub ipv6: u64,
    /// Registrations of domains.
    pub domains: u64,
    /// Registrations of AS numbers.
    pub asns: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of all texts in it: ids, names, contacts, sectors, domains, file names.
    pub text_bytes: u64,
}

impl Index {
    /// How much it holds; what AS numbers announce is counted as the AS number. Looks at each registration.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let terms = self.section::<TermsRow>(Section::Terms);
        let is_registered = |at: u32| terms.get(at as usize).is_some_and(|terms| terms.asn.get() == 0);
        let rows4 = self.section::<Row4>(Section::Registrations4).iter();
        let rows6 = self.section::<Row6>(Section::Registrations6).iter();
        let ipv4 = rows4.filter(|row| is_registered(row.terms.get())).count() as u64;
        let ipv6 = rows6.filter(|row| is_registered(row.terms_and_length.get() >> 8)).count() as u64;
        let domains = self.section::<KeyRow>(Section::Domains).len() as u64;
        let asns = self.section::<KeyRow>(Section::Asns).len() as u64;
        Counts {
            version: VERSION,
            owners: self.section::<OwnerRow>(Section::Owners).len() as u64,
            registrations: ipv4 + ipv6 + domains + asns,
            ipv4,
            ipv6,
            domains,
            asns,
            bytes: self.map.len() as u64,
            text_bytes: self.section::<u8>(Section::Texts).len() as u64,
        }
    }

    /// The owner of a claim.
    ///
    /// # Panics
    /// When the position is not from this index.
    #[must_use]
    pub fn owner(&self, owner: OwnerIx) -> OwnerView<'_> {
        let row = self.section::<OwnerRow>(Section::Owners)[owner.0 as usize];
        OwnerView {
            id: self.text(row.id.get()),
            name: self.filled_text(row.name.get()),
            constituency: Constituency::ALL.get(usize::from(row.constituency)).copied(),
            ground: ground_of(&row),
            sector: self.filled_text(row.sector.get()),
            organisation: OwnerIx(row.organisation.get()),
            source: row.source.get(),
            line: row.line.get(),
            index: self,
            row,
        }
    }

    /// The organisation of an owner: [`OwnerView::organisation`], without reading any text.
    ///
    /// # Panics
    /// When the position is not from this index.
    #[must_use]
    pub fn organisation(&self, owner: OwnerIx) -> OwnerIx {
        OwnerIx(self.section::<OwnerRow>(Section::Owners)[owner.0 as usize].organisation.get())
    }

    /// Which constituency an owner is in and why it may be told, without reading any text.
    ///
    /// # Panics
    /// When the position is not from this index.
    #[must_use]
    pub fn constituency_and_ground(&self, owner: OwnerIx) -> (Option<Constituency>, Option<Ground>) {
        let row = &self.section::<OwnerRow>(Section::Owners)[owner.0 as usize];
        (Constituency::ALL.get(usize::from(row.constituency)).copied(), ground_of(row))
    }

    /// Whether an owner has a contact of its own, without reading any text.
    ///
    /// # Panics
    /// When the position is not from this index.
    #[must_use]
    pub fn has_contact(&self, owner: OwnerIx) -> bool {
        self.section::<OwnerRow>(Section::Owners)[owner.0 as usize].contacts_count.get() > 0
    }

    /// All owners, in canonical order.
    pub fn owners(&self) -> impl ExactSizeIterator<Item = OwnerIx> + use<> {
        (0..self.section::<OwnerRow>(Section::Owners).len() as u32).map(OwnerIx)
    }

    /// The owner with this id, in any case.
    #[must_use]
    pub fn owner_of_id(&self, id: &str) -> Option<OwnerIx> {
        let lower = |text: &str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
        let wanted = lower(id);
        let owners = self.section::<OwnerRow>(Section::Owners);
        let found = owners.binary_search_by(|row| lower(self.text(row.id.get())).cmp(&wanted)).ok()?;
        Some(OwnerIx(found as u32))
    }

    /// The owners of an organisation, in order of appearance (source, then line). Any of its owners may be given.
    ///
    /// # Panics
    /// When the position is not from this index.
    pub fn united(&self, organisation: OwnerIx) -> impl ExactSizeIterator<Item = OwnerIx> + '_ {
        let row = self.section::<OwnerRow>(Section::Owners)[organisation.0 as usize];
        let start = row.members_start.get() as usize;
        let members = &self.section::<U32>(Section::Members)[start..start + row.members_count.get() as usize];
        members.iter().map(|member| OwnerIx(member.get()))
    }

    /// The file name of a source.
    ///
    /// # Panics
    /// When the number is not from this index.
    #[must_use]
    pub fn source_name(&self, source: u16) -> &str {
        self.text(self.section::<U32>(Section::Sources)[usize::from(source)].get())
    }

    /// The file names of all sources, in order of precedence.
    pub fn source_names(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.section::<U32>(Section::Sources).iter().map(|text| self.text(text.get()))
    }

    /// The registered domains, ascending.
    pub fn domains(&self) -> impl ExactSizeIterator<Item = DomainClaim<'_>> + '_ {
        self.section::<KeyRow>(Section::Domains).iter().map(|row| {
            let Terms { role, source, valid_from, valid_until, verified, scope, .. } =
                self.terms(row.terms.get());
            let domain = self.text(row.key.get());
            let owner = OwnerIx(row.owner.get());
            DomainClaim {
                domain,
                owner,
                role,
                valid_from,
                valid_until,
                verified,
                scope,
                source,
                line: row.line.get(),
            }
        })
    }

    /// The registered AS numbers, ascending.
    pub fn asns(&self) -> impl ExactSizeIterator<Item = AsnClaim> + '_ {
        self.section::<KeyRow>(Section::Asns).iter().map(|row| {
            let Terms { role, source, valid_from, valid_until, verified, scope, .. } =
                self.terms(row.terms.get());
            let asn = Asn(row.key.get());
            let owner = OwnerIx(row.owner.get());
            AsnClaim {
                asn,
                owner,
                role,
                valid_from,
                valid_until,
                verified,
                scope,
                source,
                line: row.line.get(),
            }
        })
    }

    fn terms(&self, terms: u32) -> Terms {
        Terms::read(&self.section::<TermsRow>(Section::Terms)[terms as usize])
    }

    /// A text by its number.
    pub(super) fn text(&self, text: u32) -> &str {
        let ends = self.section::<U32>(Section::TextEnds);
        let end = |text: u32| ends.get(text as usize).map_or(0, |end| end.get() as usize);
        let start = text.checked_sub(1).map_or(0, end);
        let bytes = self.section::<u8>(Section::Texts).get(start..end(text)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn filled_text(&self, text: u32) -> Option<&str> {
        (text != 0).then(|| self.text(text))
    }

    fn texts(&self, section: Section, start: U32, count: U32) -> impl ExactSizeIterator<Item = &str> {
        let start = start.get() as usize;
        let texts = self.section::<U32>(section).get(start..start + count.get() as usize).unwrap_or_default();
        texts.iter().map(|text| self.text(text.get()))
    }
}

fn ground_of(row: &OwnerRow) -> Option<Ground> {
    Ground::ALL.get(usize::from(row.ground).checked_sub(1)?).copied()
}
