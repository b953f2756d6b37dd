//! Checks of an opened index: after them no lookup can go astray.
//!
//! The checksum tells that the bytes are those that were written; this tells that what was written is an index. It is one pass over
//! each section. Not checked here, since no lookup can go wrong beyond a wrong answer: that lists and bitmaps tell
//! the truth about the registrations ([`Index::verify`](super::Index::verify) does).

use zerocopy::little_endian::{U16, U32, U64};

use super::layout::{
    self, BITMAP6_WORDS, BLOCKS4_WORDS, BlockRow, DIRECTORY_BITS, DIRECTORY_ENTRIES, ELEMENT_BYTES, Header,
    IN_WIDE, KEY_BITS, KeyRow, LEAF_KEYS_MAX, NO_CONSTITUENCY, NO_DAY, NetsRow, NodeRow, OwnerRow, Place,
    Row4, Row6, SECTIONS, Section, TABLE, TermsRow, WideRow,
};
use super::walk::{self, Table};
use super::{Index, assignments, shared};
use crate::register::Ground;

/// What is wrong, if anything.
type Verdict = Result<(), &'static str>;

fn check(holds: bool, what: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(what) }
}

/// Sections lie in order, aligned, inside the file, and hold whole elements.
pub(super) fn extents(header: &Header) -> Verdict {
    let mut end = layout::aligned(size_of::<Header>()) as u64;
    for (extent, element) in header.extents.iter().zip(ELEMENT_BYTES) {
        let (offset, bytes) = (extent.offset.get(), extent.bytes.get());
        check(offset == end, "a section is not where it should be")?;
        check(bytes.is_multiple_of(element as u64), "a section has a part of an element")?;
        check(bytes / (element as u64) < u64::from(u32::MAX), "a section has too many elements")?;
        end = offset
            .checked_add(bytes)
            .and_then(|end| end.checked_next_multiple_of(layout::ALIGNMENT as u64))
            .ok_or("a section lies outside the file")?;
        check(end <= header.file_bytes.get(), "a section lies outside the file")?;
    }
    check(end == header.file_bytes.get() && SECTIONS == ELEMENT_BYTES.len(), "bytes after the last section")
}

/// Everything else.
pub(super) fn contents(index: &Index) -> Verdict {
    texts(index)?;
    owners(index)?;
    terms(index)?;
    keys(index)?;
    let owners = index.section::<OwnerRow>(Section::Owners).len();
    assignments::validate(index, owners, index.section::<U32>(Section::TextEnds).len())?;
    shared::validate(index)?;
    let ranges = Ranges::read(index)?;
    ranges.lists(index)?;
    Layout::new(index, &ranges).check()
}

fn texts(index: &Index) -> Verdict {
    let bytes = index.section::<u8>(Section::Texts);
    let text = std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")?;
    let ends = index.section::<U32>(Section::TextEnds);
    check(ends.first() == Some(&U32::new(0)), "the empty text is missing")?;
    check(
        ends.last().map(|end| end.get() as usize) == Some(text.len()),
        "texts do not end where they should",
    )?;
    check(ends.is_sorted_by_key(|end| end.get()), "texts are out of order")?;
    check(
        ends.iter().all(|end| text.is_char_boundary(end.get() as usize)),
        "a text ends inside a character",
    )?;
    let count = ends.len();
    let known = |section| index.section::<U32>(section).iter().all(|text| (text.get() as usize) < count);
    check(known(Section::Sources) && known(Section::Contacts) && known(Section::Links), "a text is missing")
}

fn owners(index: &Index) -> Verdict {
    let owners = index.section::<OwnerRow>(Section::Owners);
    let texts = index.section::<U32>(Section::TextEnds).len();
    let sources = index.section::<U32>(Section::Sources).len();
    let contacts = index.section::<U32>(Section::Contacts).len() as u64;
    let links = index.section::<U32>(Section::Links).len() as u64;
    let members = index.section::<U32>(Section::Members);
    check(members.len() == owners.len(), "members are missing")?;
    check(members.iter().all(|member| (member.get() as usize) < owners.len()), "a member is no owner")?;
    let within = |start: U32, count: U32, len: u64| u64::from(start.get()) + u64::from(count.get()) <= len;
    for owner in owners {
        let text = |text: U32| (text.get() as usize) < texts;
        check(text(owner.id) && text(owner.name) && text(owner.sector), "a text of an owner is missing")?;
        check((owner.organisation.get() as usize) < owners.len(), "an organisation is no owner")?;
        check(within(owner.contacts_start, owner.contacts_count, contacts), "a contact is missing")?;
        check(within(owner.links_start, owner.links_count, links), "a link is missing")?;
        check(within(owner.members_start, owner.members_count, members.len() as u64), "a member is missing")?;
        check(usize::from(owner.source.get()) < sources, "the source of an owner is missing")?;
        check(usize::from(owner.ground) <= Ground::ALL.len(), "a ground is unknown")?;
        check(owner.constituency <= 4 || owner.constituency == NO_CONSTITUENCY, "a constituency is unknown")?;
    }
    let id = |position: u32| {
        index.text(owners[position as usize].id.get()).bytes().map(|byte| byte.to_ascii_lowercase())
    };
    let ascending = (1..owners.len() as u32).all(|position| id(position - 1).le(id(position)));
    check(ascending, "owners are out of order")
}

/// Days that can be told as dates: 0001-01-01 to 9999-12-31.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

fn terms(index: &Index) -> Verdict {
    let sources = index.section::<U32>(Section::Sources).len();
    for terms in index.section::<TermsRow>(Section::Terms) {
        check(terms.role <= 2, "a role is unknown")?;
        check(terms.scope <= 3, "a scope is unknown")?;
        check(usize::from(terms.source.get()) < sources, "the source of a registration is missing")?;
        for day in [terms.valid_from, terms.valid_until, terms.verified] {
            check(day.get() == NO_DAY || DAYS.contains(&day.get()), "a date is out of range")?;
        }
    }
    Ok(())
}

fn keys(index: &Index) -> Verdict {
    let owners = index.section::<OwnerRow>(Section::Owners).len();
    let terms = index.section::<TermsRow>(Section::Terms).len();
    let texts = index.section::<U32>(Section::TextEnds).len();
    let domains = index.section::<KeyRow>(Section::Domains);
    check(domains.iter().all(|row| (row.key.get() as usize) < texts), "a domain is missing")?;
    let asns = index.section::<KeyRow>(Section::Asns);
    check(asns.is_sorted_by_key(|row| row.key.get()), "AS numbers are out of order")?;
    for row in domains.iter().chain(asns) {
        check((row.owner.get() as usize) < owners, "the owner of a registration is missing")?;
        check((row.terms.get() as usize) < terms, "the terms of a registration are missing")?;
    }
    names(index.section(Section::Names), domains.len())
}

/// A search in the table ends, and finds what is there.
fn names(table: &[U64], domains: usize) -> Verdict {
    check((domains == 0) == table.is_empty(), "the table of names is missing")?;
    if table.is_empty() {
        return Ok(());
    }
    check(table.len().is_power_of_two(), "the table of names has another size")?;
    check(table.contains(&U64::ZERO), "the table of names has no empty place")?;
    let position = |place: &U64| place.get() as u32 as usize;
    check(
        table.iter().all(|place| *place == U64::ZERO || (1..=domains).contains(&position(place))),
        "a name is missing",
    )
}

/// The registrations of addresses.
struct Ranges {
    /// IPv4 ones, which come first.
    v4: usize,
    all: usize,
    nodes: usize,
}

impl Ranges {
    /// Registrations are in order and refer to what is there.
    fn read(index: &Index) -> Result<Self, &'static str> {
        let owners = index.section::<OwnerRow>(Section::Owners).len();
        let terms = index.section::<TermsRow>(Section::Terms).len();
        let rows4 = index.section::<Row4>(Section::Registrations4);
        let rows6 = index.section::<Row6>(Section::Registrations6);
        let mut before = (0, 0);
        for row in rows4 {
            let ends = (row.first.get(), row.last.get());
            check(ends.0 <= ends.1, "a registration ends before it starts")?;
            check(before <= ends, "registrations are out of order")?;
            check((row.owner.get() as usize) < owners, "the owner of a registration is missing")?;
            check((row.terms.get() as usize) < terms, "the terms of a registration are missing")?;
            before = ends;
        }
        let mut before = (0, 0);
        for row in rows6 {
            let ends = ends6(index, row).ok_or("the range of a registration is missing")?;
            check(ends.0 <= ends.1, "a registration ends before it starts")?;
            check(before <= ends, "registrations are out of order")?;
            check(!is_mapped(ends.0) && !is_mapped(ends.1), "a registration of IPv6 is one of IPv4")?;
            check((row.owner.get() as usize) < owners, "the owner of a registration is missing")?;
            check(
                ((row.terms_and_length.get() >> 8) as usize) < terms,
                "the terms of a registration are missing",
            )?;
            before = ends;
        }
        let all = rows4.len() + rows6.len();
        let nodes = all + index.section::<NodeRow>(Section::Nodes).len();
        check(nodes < TABLE as usize, "too many nodes")?;
        Ok(Self { v4: rows4.len(), all, nodes })
    }

    /// Each list goes from fewer addresses to more, then by source, line and number: so none returns to itself.
    fn lists(&self, index: &Index) -> Verdict {
        let order = Order::new(index);
        let extra = index.section::<NodeRow>(Section::Nodes);
        let registration = |node: u32| -> Option<usize> {
            let at = (node as usize).checked_sub(1)?;
            if at < self.all {
                return Some(at);
            }
            extra.get(at - self.all).map(|node| node.registration.get() as usize).filter(|&at| at < self.all)
        };
        let link = |at: usize, next: u32| -> Verdict {
            if next == 0 {
                return Ok(());
            }
            let next = registration(next).ok_or("a node is missing")?;
            check((at < self.v4) == (next < self.v4), "a list mixes IPv4 and IPv6")?;
            check(order.precedes(at, next), "a list is out of order")
        };
        let nexts = index.section::<U32>(Section::Nexts);
        check(nexts.len() == self.all, "nexts are missing")?;
        for (next, at) in nexts.iter().zip(0..) {
            link(at, next.get())?;
        }
        for (node, number) in extra.iter().zip(self.all as u32 + 1..) {
            let at = registration(number).ok_or("a node has no registration")?;
            link(at, node.next.get())?;
        }
        Ok(())
    }

    /// Whether a node is one of a family, or none.
    fn is_of(&self, extra: &[NodeRow], node: u32, v4: bool) -> bool {
        let Some(at) = (node as usize).checked_sub(1) else { return true };
        match at.checked_sub(self.all) {
            None => (at < self.v4) == v4,
            Some(at) => {
                extra.get(at).is_some_and(|node| ((node.registration.get() as usize) < self.v4) == v4)
            }
        }
    }
}

fn is_mapped(bits: u128) -> bool {
    bits >> 32 == 0xffff
}

fn ends6(index: &Index, row: &Row6) -> Option<(u128, u128)> {
    match row.terms_and_length.get() & 0xff {
        IN_WIDE => {
            let wide = index.section::<WideRow>(Section::Wide).get(usize::try_from(row.high.get()).ok()?)?;
            Some((wide.first.get(), wide.last.get()))
        }
        length if length <= 64 => {
            let (first, last) = layout::prefix6(row.high.get(), length);
            (last - first == u128::MAX.checked_shr(length).unwrap_or(0) && first & (last - first) == 0)
                .then_some((first, last))
        }
        _ => None,
    }
}

/// What lists are ordered by.
struct Order<'i> {
    index: &'i Index,
    rows4: &'i [Row4],
    rows6: &'i [Row6],
    terms: &'i [TermsRow],
}

impl<'i> Order<'i> {
    fn new(index: &'i Index) -> Self {
        Self {
            index,
            rows4: index.section(Section::Registrations4),
            rows6: index.section(Section::Registrations6),
            terms: index.section(Section::Terms),
        }
    }

    fn precedes(&self, a: usize, b: usize) -> bool {
        let (size_a, size_b) = (self.size(a), self.size(b));
        if size_a != size_b {
            return size_a < size_b;
        }
        self.rest(a) < self.rest(b)
    }

    fn size(&self, at: usize) -> Option<u128> {
        match self.rows4.get(at) {
            Some(row) => Some(u128::from(row.last.get() - row.first.get())),
            None => {
                let (first, last) = ends6(self.index, self.rows6.get(at - self.rows4.len())?)?;
                Some(last - first)
            }
        }
    }

    fn rest(&self, at: usize) -> Option<(u16, u32, usize)> {
        let (terms, line) = match self.rows4.get(at) {
            Some(row) => (row.terms.get(), row.line.get()),
            None => {
                let row = self.rows6.get(at - self.rows4.len())?;
                (row.terms_and_length.get() >> 8, row.line.get())
            }
        };
        Some((self.terms.get(terms as usize)?.source.get(), line, at))
    }
}

/// Directories, tables and bitmaps. Tables stand in the order in which they are met, without gaps, so no two share a place.
struct Layout<'i> {
    ranges: &'i Ranges,
    index: &'i Index,
    extra: &'i [NodeRow],
    /// Where the next leaf, fan and detail begin.
    leaf: usize,
    fan: usize,
    detail: usize,
}

impl<'i> Layout<'i> {
    fn new(index: &'i Index, ranges: &'i Ranges) -> Self {
        Self { ranges, index, extra: index.section(Section::Nodes), leaf: 0, fan: 0, detail: 0 }
    }

    fn check(mut self) -> Verdict {
        let blocks4 = self.index.section::<U64>(Section::Blocks4).len();
        check(blocks4 == BLOCKS4_WORDS, "the bitmap of IPv4 has a wrong size")?;
        self.nets4()?;
        let directory4 = self.index.section::<U32>(Section::Directory4);
        check(directory4.len() == DIRECTORY_ENTRIES, "the directory of IPv4 has a wrong size")?;
        for head in directory4 {
            self.head(head.get(), Place::IPV4.behind(DIRECTORY_BITS))?;
        }
        self.blocks6()?;
        let elements = |section| self.index.section::<U32>(section).len();
        check(
            elements(Section::Leaves) == self.leaf + layout::leaf_words(LEAF_KEYS_MAX),
            "leaves do not end where they should",
        )?;
        check(elements(Section::Fans) == self.fan, "fans do not end where they should")?;
        check(elements(Section::Details) == self.detail + 1, "details do not end where they should")?;
        self.details()
    }

    /// Each bit of the bitmap of IPv4 has its row.
    fn nets4(&self) -> Verdict {
        let ranks = self.index.section::<U32>(Section::Ranks4);
        let nets = self.index.section::<NetsRow>(Section::Nets4);
        check(ranks.len() == BLOCKS4_WORDS, "the ranks of IPv4 have a wrong size")?;
        let mut before = 0;
        for (word, rank) in self.index.section::<U64>(Section::Blocks4).iter().zip(ranks) {
            check(rank.get() == before, "a rank of IPv4 is wrong")?;
            before += word.get().count_ones();
        }
        check(nets.len() == before as usize, "the /24s of IPv4 have a wrong size")
    }

    /// A node of the family, or none.
    fn node(&self, head: u32, place: Place) -> Verdict {
        let is_node = head as usize <= self.ranges.nodes;
        let is_v4 = place.length == Place::IPV4.length;
        check(is_node && self.ranges.is_of(self.extra, head, is_v4), "a head is no node")
    }

    /// A head is a node, or the next table, for which there are bits left.
    fn head(&mut self, head: u32, place: Place) -> Verdict {
        if head & TABLE == 0 {
            return self.node(head, place);
        }
        match walk::table(self.index, head).ok_or("a table is missing")? {
            Table::Leaf(words, keys, heads) => {
                check(place.bits_left() > 0, "a table is for no bits")?;
                check(words.start == self.leaf, "a table is not where it should be")?;
                self.leaf = words.end;
                check((2..=LEAF_KEYS_MAX).contains(&keys.len()), "a leaf has a wrong size")?;
                check(keys[1].get() > 0, "keys are out of order")?;
                check(keys[1..].is_sorted_by(|a, b| a.get() < b.get()), "keys are out of order")?;
                let behind = (1u16 << KEY_BITS.saturating_sub(place.bits_left())) - 1;
                check(keys[1..].iter().all(|key| key.get() & behind == 0), "a key has bits too many")?;
                heads.iter().try_for_each(|head| self.head(head.get(), place.behind(KEY_BITS)))
            }
            Table::Fan(places, bits, heads) => {
                check(bits <= place.bits_left(), "a table is for no bits")?;
                check(places.start == self.fan, "a table is not where it should be")?;
                self.fan = places.end;
                heads.iter().try_for_each(|head| self.head(head.get(), place.behind(bits)))
            }
            Table::Detail(detail) => {
                check(place == Place::IPV6.behind(u64::BITS), "a detail stands too early")?;
                check(detail == self.detail, "a table is not where it should be")?;
                self.detail += 1;
                Ok(())
            }
        }
    }

    fn blocks6(&mut self) -> Verdict {
        let directory = self.index.section::<U16>(Section::Directory6);
        let blocks = self.index.section::<BlockRow>(Section::Blocks6);
        let bitmap_words = self.index.section::<U64>(Section::Bitmaps6).len();
        check(directory.len() == DIRECTORY_ENTRIES, "the directory of IPv6 has a wrong size")?;
        check(bitmap_words.is_multiple_of(BITMAP6_WORDS), "a bitmap of IPv6 has a wrong size")?;
        for block in blocks {
            check((block.bitmap.get() as usize) < bitmap_words / BITMAP6_WORDS, "a bitmap is missing")?;
            self.head(block.head.get(), Place::IPV6.behind(DIRECTORY_BITS))?;
        }
        let mut nested = vec![false; blocks.len()];
        for block in directory {
            let at = usize::from(block.get());
            let block = blocks.get(at).ok_or("a block is missing")?;
            if block.head.get() & TABLE != 0 {
                check(!std::mem::replace(&mut nested[at], true), "a block is used twice")?;
            }
        }
        Ok(())
    }

    fn details(&mut self) -> Verdict {
        let details = self.index.section::<U32>(Section::Details);
        let keys = self.index.section::<U64>(Section::Keys64);
        let heads = self.index.section::<U32>(Section::Heads64);
        check(keys.len() == heads.len(), "keys and heads differ in number")?;
        check(details.first().map(|start| start.get()) == Some(0), "details do not start where they should")?;
        check(
            details.last().map(|end| end.get() as usize) == Some(keys.len()),
            "details do not end where they should",
        )?;
        for ends in details.windows(2) {
            let keys =
                keys.get(ends[0].get() as usize..ends[1].get() as usize).ok_or("details are out of order")?;
            check(keys.first() == Some(&U64::new(0)), "a detail does not start with 0")?;
            check(keys.is_sorted_by(|a, b| a.get() < b.get()), "keys are out of order")?;
        }
        heads.iter().try_for_each(|head| self.node(head.get(), Place::IPV6))
    }
}
