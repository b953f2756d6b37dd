//! Who is told where not everybody may be: whole small spaces against an oracle that takes registrations away.
//!
//! The oracle asks who would be told; takes all registrations of that organisation out of the register; asks again who would be told of
//! what is left; and so on until nobody is. Of all that were asked, the first who may be told is told. It decides each time with a register
//! that has never heard of the others, so it knows nothing of how the program leaves organisations out.

use super::*;
use dijkwacht::policy::{
    Answer, Assessment, AssessmentRule, Inquiry, LinkMode, Notify, Permission, Provenance, Recipients,
    Severity, Terms, Then, Tlp, When, permit,
};
use dijkwacht::register::{Constituency, Ground, Scope};
use dijkwacht::scan::Side;

impl Recipients for Entries {
    /// Of each owner another, so that a rule can name it.
    fn constituency_and_ground(&self, owner: OwnerIx) -> (Option<Constituency>, Option<Ground>) {
        (Some(Constituency::ALL[owner.0 as usize]), None)
    }
}

/// What is said of each owner in each role.
#[derive(Clone, Copy, Debug)]
struct Said([[Then; ROLES.len()]; OWNERS as usize]);

impl Said {
    /// The same in each role.
    fn of_owners(said: [Then; OWNERS as usize]) -> Self {
        Self(said.map(|then| [then; ROLES.len()]))
    }

    /// A rule for each owner and role, in that order.
    fn table(&self) -> Assessment {
        let rule = |owner: usize, role: usize| AssessmentRule {
            code: format!("rule-{owner}-{role}"),
            when: When {
                constituency: vec![Constituency::ALL[owner]],
                role: vec![ROLES[role]],
                ..When::default()
            },
            then: self.0[owner][role],
            nl: String::new(),
            en: String::new(),
        };
        let rules =
            (0..OWNERS as usize).flat_map(|owner| (0..ROLES.len()).map(move |role| rule(owner, role)));
        Assessment { rules: rules.collect() }
    }

    /// What the rule of a line says, and the line with its number.
    fn of(&self, line: &Line) -> (Then, Line) {
        let owner = line.owner.0 as usize;
        let role = ROLES.iter().position(|role| *role == line.rule.role()).unwrap();
        let number = (owner * ROLES.len() + role) as u16;
        (self.0[owner][role], Line { assessed: Assessed::Rule(number), ..*line })
    }
}

/// The registrations of a finding, owned, so that some can be taken away.
#[derive(Clone)]
struct Register {
    lists: [Vec<Claim>; 4],
    shown: Vec<Vec<Claim>>,
    entries: Entries,
}

impl Register {
    fn new(case: &Case<'_>, entries: &Entries) -> Self {
        let Evidence { address, stated, asn, shown, .. } = case.evidence;
        let lists = [address, stated, asn, case.inside].map(<[Claim]>::to_vec);
        Self { lists, shown: shown.to_vec(), entries: entries.clone() }
    }

    /// As if an organisation had never registered anything: no claim of its entries is left, and nobody knows it as a link.
    fn forget(&mut self, organisation: u32) {
        let Self { lists, shown, entries } = self;
        let of = |owner: u32| entries.organisation[owner as usize] == organisation;
        lists.iter_mut().chain(shown).for_each(|claims| claims.retain(|claim| !of(claim.owner.0)));
        let mut links = std::mem::take(&mut entries.links);
        links.iter_mut().for_each(|links| links.retain(|link| !of(*link)));
        self.entries.links = links;
    }

    fn decide(&self, case: &Case<'_>) -> Decision {
        let [address, stated, asn, inside] = &self.lists;
        let evidence = Evidence { address, stated, asn, shown: &self.shown, ..case.evidence };
        decide(&Case { evidence, inside, ..*case }, &self.entries)
    }
}

/// Who is told, by the oracle, and everybody who was asked for, in turn.
fn permitted(case: &Case<'_>, entries: &Entries, said: &Said) -> (Decision, Vec<Line>) {
    let mut register = Register::new(case, entries);
    let mut turns: Vec<Vec<Line>> = Vec::new();
    let last = loop {
        let decision = register.decide(case);
        if !matches!(decision, Decision::Share(_) | Decision::ShareWith(..)) {
            break decision;
        }
        let first = decision.lines()[0];
        register.forget(entries.organisation[first.owner.0 as usize]);
        turns.push(decision.lines().to_vec());
    };
    let asked: Vec<Line> = turns.iter().map(|lines| lines[0]).collect();
    let Some(first) = asked.first() else { return (last, asked) };
    let goes = |line: &Line| matches!(said.of(line).0, Then::Share | Then::Redact(_));
    if said.of(first).0 == Then::Drop {
        return (Decision::Drop(said.of(first).1), asked[..1].to_vec());
    }
    let Some(turn) = asked.iter().position(goes) else {
        return (Decision::Hold(Hold::Assessment, vec![said.of(first).1]), asked);
    };
    let told: Vec<Line> = turns[turn].iter().filter(|line| goes(line)).map(|line| said.of(line).1).collect();
    let mut all_asked = asked[..turn].to_vec();
    all_asked.extend(&turns[turn]);
    let decision = if told.len() == 1 { Decision::Share(told[0]) } else { Decision::ShareWith(told, 0) };
    (decision, all_asked)
}

/// Which way each decision went, so that a walk that misses one fails.
#[derive(Default)]
struct Ways(std::collections::BTreeMap<&'static str, u64>);

impl Ways {
    fn check(&mut self, case: &Case<'_>, entries: &Entries, said: &Said) {
        let provenance = Provenance::default();
        let inquiry = Inquiry {
            provenance: &provenance,
            tlp: Tlp::Clear,
            classification: "vulnerable-system",
            identifier: "open-rdp",
            severity: Severity::None,
            age_days: 0,
            part: Side::Exposed,
        };
        let assessment = said.table();
        let terms = Terms { assessment: &assessment, inquiry, is_tlp_unknown: false };
        let chosen = decide(case, entries);
        let mut asked = Vec::new();
        let found = permit(chosen.clone(), case, &terms, entries, &mut |it| asked.push(it.line));
        let expected = permitted(case, entries, said);
        if (&found, &asked) != (&expected.0, &expected.1) {
            let Entries { organisation, has_contact, links, .. } = entries;
            panic!(
                "organisations {organisation:?}, contacts {has_contact:?}, links {links:?}, {said:?}\n{case:#?}\n\
                 found {found:#?}, asked {asked:#?}\nexpected {expected:#?}"
            );
        }
        let way = match &found {
            Decision::Drop(_) => "dropped",
            Decision::ShareWith(..) if found.lines()[0].owner != chosen.lines()[0].owner => {
                "the next, with copies"
            }
            Decision::ShareWith(..) => "the first, with copies",
            Decision::Share(line) if line.owner != chosen.lines()[0].owner => "the next",
            Decision::Share(_) if chosen.lines().len() > 1 => "without its copies",
            Decision::Share(_) => "the first",
            Decision::Hold(..) if asked.len() > 1 => "held, and others were asked",
            Decision::Hold(..) if !asked.is_empty() => "held alone",
            _ => "not asked",
        };
        *self.0.entry(way).or_default() += 1;
    }

    fn assert_all(&self) {
        println!("{:?}", self.0);
        assert_eq!(self.0.len(), 9, "{:?}", self.0);
    }
}

/// Everything but registrations: copies, whether the address is shared, what is said of each owner.
fn all_circumstances() -> Vec<(Copies, bool, Said)> {
    let thens = [Then::Share, Then::Hold, Then::Drop];
    let mut all = Vec::new();
    for notify in Notify::ALL {
        for link_mode in LinkMode::ALL {
            for is_shared in [false, true] {
                for number in 0..27 {
                    let said = [number / 9, number / 3 % 3, number % 3].map(|at| thens[at]);
                    all.push((Copies { notify, link_mode }, is_shared, Said::of_owners(said)));
                }
            }
        }
    }
    all
}

/// All ways in which three owners are united, have links, and one or none of them no contact.
fn all_linked_entries() -> Vec<Entries> {
    let links: [&[&[u32]]; 5] =
        [&[], &[&[1], &[2], &[0]], &[&[1, 2], &[], &[]], &[&[2], &[2], &[]], &[&[2, 1], &[0, 2], &[1, 0]]];
    let mut all = Vec::new();
    for entries in all_entries() {
        let speaking = entries.has_contact.iter().filter(|has| **has).count();
        if speaking < 2 || entries.appearance[0] != 0 {
            continue;
        }
        for links in links {
            let links = links.iter().map(|links| links.to_vec()).collect();
            all.push(Entries { links, ..entries.clone() });
        }
    }
    all
}

fn case_of<'c>(lists: &'c [Vec<Claim>; 5], (copies, is_shared, _): &(Copies, bool, Said)) -> Case<'c> {
    let [stated, address, asn, shown @ ..] = lists;
    let evidence = Evidence { address, stated, shown, asn, is_shared: *is_shared };
    Case { evidence, copies: *copies, ..toy_case(&[]) }
}

#[test]
fn of_all_pairs_of_claims_the_first_who_may_be_told_is_told() {
    let (claims, entries, circumstances) = (ladder(), all_linked_entries(), all_circumstances());
    let (mut ways, mut turn) = (Ways::default(), 0);
    let step = if is_sweep() { 1 } else { 149 };
    for (at, &one) in claims.iter().enumerate() {
        for &other in &claims[at..] {
            let picked = lists(&[one, other]);
            turn += 1;
            // In the default run each pair meets a part of the circumstances, all of them in turn.
            let some = circumstances.iter().enumerate().skip(turn % step).step_by(step);
            for (number, it) in some {
                ways.check(&case_of(&picked, it), &entries[(turn * 7 + number) % entries.len()], &it.2);
            }
        }
    }
    println!("{:?}", ways.0);
    assert!(ways.0.len() >= 8, "{:?}", ways.0);
}

#[test]
fn of_all_sets_of_three_prefixes_the_first_who_may_be_told_is_told() {
    let claims = Toy {
        ranges: vec![(2, 2), (0, 3)],
        roles: ROLES.to_vec(),
        sources: vec![0],
        validities: vec![[None, None]],
    }
    .claims();
    let (entries, circumstances) = (all_linked_entries(), all_circumstances());
    let (mut ways, mut turn) = (Ways::default(), 0);
    for (first, &one) in claims.iter().enumerate() {
        for (second, &two) in claims.iter().enumerate().skip(first) {
            for &three in &claims[second..] {
                let picked = ranked(vec![one, two, three]);
                for (copies, is_shared, said) in &circumstances {
                    turn += 1;
                    let evidence = Evidence { is_shared: *is_shared, ..Evidence::of_address(&picked) };
                    let case = Case { evidence, copies: *copies, ..toy_case(&[]) };
                    ways.check(&case, &entries[turn % entries.len()], said);
                }
            }
        }
    }
    ways.assert_all();
}

#[test]
fn of_random_claims_the_first_who_may_be_told_is_told() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (claims, ranges) = (ladder(), Toy::whole().claims());
    let (entries, circumstances) = (all_linked_entries(), all_circumstances());
    let validities = [[None, None], [None, Some(day("2026-11-21"))], [Some(day("2026-11-22")), None]];
    let mut ways = Ways::default();
    for _ in 0..if is_sweep() { 5_000_000 } else { 100_000 } {
        let picked: Vec<(usize, Claim)> = (0..random.usize(1..=7))
            .map(|_| {
                let (list, claim) = claims[random.usize(..claims.len())];
                let [valid_from, valid_until] = validities[random.usize(..8).saturating_sub(5)];
                (list, Claim { valid_from, valid_until, ..claim })
            })
            .collect();
        let mut inside: Vec<Claim> =
            (0..random.usize(..3)).map(|_| ranges[random.usize(..ranges.len())]).collect();
        if random.u8(..3) > 0 {
            inside.clear();
        }
        let inside = ranked(inside);
        let mut it = circumstances[random.usize(..circumstances.len())];
        // Sometimes by role too.
        if random.bool() {
            let then = |_| [Then::Share, Then::Hold, Then::Hold, Then::Drop][random.usize(..4)];
            it.2 = Said(std::array::from_fn::<_, 9, _>(then).as_chunks::<3>().0.try_into().unwrap());
        }
        let picked = lists(&picked);
        let case = Case { inside: &inside, ..case_of(&picked, &it) };
        ways.check(&case, &entries[random.usize(..entries.len())], &it.2);
    }
    ways.assert_all();
}

/// Whoever may be told of what has a label, may be told of the same with any less strict one: in each role, place, ground, by any
/// permission.
#[test]
fn who_may_be_told_at_a_label_may_be_told_at_any_less_strict_one() {
    let mut told = 0;
    for permission in [Permission::None, Permission::OfFeed, Permission::OfReport] {
        for role in ROLES {
            for (scope, ground) in
                Scope::ALL.into_iter().flat_map(|scope| Ground::ALL.map(|ground| (scope, ground)))
            {
                let goes = |tlp: Tlp| {
                    let provenance = Provenance { permission, ..Provenance::default() };
                    let inquiry = Inquiry {
                        provenance: &provenance,
                        tlp,
                        classification: "vulnerable-system",
                        identifier: "open-rdp",
                        severity: Severity::None,
                        age_days: 0,
                        part: Side::Exposed,
                    };
                    let assessment = Assessment::default();
                    let terms = Terms { assessment: &assessment, inquiry, is_tlp_unknown: false };
                    let constituency = Constituency::Business;
                    let standing = dijkwacht::policy::Standing { role, constituency, scope, ground };
                    let unknown = Terms { is_tlp_unknown: true, ..terms }.answer(standing);
                    assert_eq!(unknown, Answer::Hold(Hold::TlpUnknown, Assessed::NoRule));
                    matches!(terms.answer(standing), Answer::Go(_))
                };
                let goes = Tlp::ALL.map(goes);
                assert!(
                    goes.is_sorted_by(|looser, stricter| looser >= stricter),
                    "{role:?} {scope} {goes:?}"
                );
                told += goes.iter().filter(|goes| **goes).count();
            }
        }
    }
    // CLEAR and GREEN on five grounds in all places and roles, AMBER in three places; users there at AMBER+STRICT by two permissions, at RED by one.
    assert_eq!(told, 3 * 3 * 5 * (2 * 4 + 3) + 5 * 3 * (2 + 1));
}
