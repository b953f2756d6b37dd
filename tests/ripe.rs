//! The RIPE database as a source: chains worked out by hand, a slow obvious oracle, and what the files of a dump need of each other.
//!
//! A longer sweep against the oracle: `DIJKWACHT_SWEEP=100000 cargo test --release --test ripe`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use dijkwacht::index::Index;
use dijkwacht::net::{Address, Asn, Range};
use dijkwacht::register::{
    FindingKind, Key, ReadOptions, Register, RegisterError, Registration, Report, Role, Scope,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const NAMES: [&str; 8] = [
    "ripe.db.inetnum",
    "ripe.db.inet6num",
    "ripe.db.organisation",
    "ripe.db.role",
    "ripe.db.aut-num",
    "ripe.db.route",
    "ripe.db.route6",
    "delegated-ripencc-extended",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ripe").join(name)
}

fn read(sources: &[(&str, &[u8])]) -> (Register, Report) {
    Register::read_bytes(sources, &ReadOptions::default()).unwrap()
}

fn read_fixture() -> (Register, Report) {
    Register::read(&NAMES.map(fixture), &ReadOptions::default()).unwrap()
}

/// The most specific registration of an address, or that of an AS number.
fn claim_of<'r>(register: &'r Register, text: &str) -> Option<&'r Registration> {
    let address = Address::read(text.as_bytes());
    let size = |it: &Registration| match it.key {
        Key::Range(range) => range.size_less_one(),
        _ => 0,
    };
    let holds = |it: &&Registration| match (&it.key, address) {
        (Key::Range(range), Some(address)) => range.holds(address),
        (Key::Asn(asn), None) => Asn::read(text.as_bytes()) == Some(*asn),
        _ => false,
    };
    register.registrations.iter().filter(holds).min_by_key(|it| size(it))
}

/// The narrowest assignment of an address inside that registration and of that owner, as `range netname`.
fn assignment_of(register: &Register, text: &str, claim: &Registration) -> String {
    let (Some(address), Key::Range(around)) = (Address::read(text.as_bytes()), &claim.key) else {
        return "-".to_owned();
    };
    let is_told =
        |range: Range, owner| range.holds(address) && around.contains(range) && owner == claim.owner;
    let narrowest = register
        .assignments
        .iter()
        .filter(|it| is_told(it.range, it.owner))
        .min_by_key(|it| it.range.size_less_one());
    narrowest.map_or("-".to_owned(), |it| format!("{} {}", it.range, it.netname))
}

/// `owner contact role scope registration assignment`, tabs between.
fn told(register: &Register, text: &str) -> String {
    let Some(claim) = claim_of(register, text) else { return ["-"; 6].join("\t") };
    let owner = &register.owners[claim.owner as usize];
    let assignment = assignment_of(register, text, claim);
    [
        owner.id.as_str(),
        &owner.contacts.join(","),
        claim.role.as_str(),
        claim.scope.as_str(),
        &claim.key.to_string(),
        &assignment,
    ]
    .join("\t")
}

#[test]
fn every_chain_comes_to_what_was_worked_out_by_hand() {
    let (register, report) = read_fixture();
    let chains = std::fs::read_to_string(fixture("chains.tsv")).unwrap();
    let chains: Vec<&str> = chains.lines().filter(|line| !line.starts_with('#')).collect();
    for chain in &chains {
        let fields: Vec<&str> = chain.split('\t').collect();
        assert_eq!(told(&register, fields[0]), fields[1..7].join("\t"), "{}: {}", fields[0], fields[7]);
    }
    assert_eq!(chains.len(), 27);
    let lines: Vec<String> = report.findings.of(FindingKind::Skipped).map(|it| it.text.clone()).collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("line is neither") && lines[1].contains("203.0.113.400"),
        "{lines:?}"
    );
    let ripe = report.ripe;
    assert_eq!(
        (ripe.objects, ripe.networks, ripe.asns, ripe.organisations, ripe.roles, ripe.routes, ripe.broken),
        (55, 25, 3, 10, 12, 3, 2)
    );
    assert_eq!((ripe.users, ripe.owners, ripe.assignments), (7, 9, 6));
    assert_eq!((ripe.out_of_scope, ripe.without_desk, ripe.repeated), (4, 2, 0));
}

#[test]
fn names_are_latin_1_and_routes_tie_prefixes_to_as_numbers() {
    let (register, _) = read_fixture();
    let hospital = register.owners.iter().find(|owner| owner.id.as_str() == "ORG-HOSP1-RIPE").unwrap();
    assert_eq!(hospital.name.as_deref(), Some("Ziekenhuis André Voorbeeld"));
    assert_eq!(hospital.ripe_org.as_deref(), Some("ORG-HOSP1-RIPE"));
    let prefixes: Vec<String> = register.origins.prefixes(Asn(64496)).map(|it| it.to_string()).collect();
    assert_eq!(prefixes, ["192.0.2.0/24", "2001:db8::/32"]);
}

#[test]
fn what_is_found_names_the_file_and_line_of_its_object() {
    let (register, _) = read_fixture();
    for registration in register.registrations.iter().filter(|it| matches!(it.key, Key::Range(_))) {
        let text = std::fs::read(&register.sources[usize::from(registration.source)]).unwrap();
        let line = text.split(|&byte| byte == b'\n').nth(registration.line as usize - 1).unwrap();
        assert!(line.starts_with(b"inet"), "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn the_order_and_packing_of_the_files_change_nothing_but_places() {
    let chains = std::fs::read_to_string(fixture("chains.tsv")).unwrap();
    let addresses: Vec<&str> = chains
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    let (expected, _) = read_fixture();
    let texts = NAMES.map(|name| std::fs::read(fixture(name)).unwrap());
    let packed = texts.each_ref().map(|text| {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    });
    let mut order: Vec<usize> = (0..NAMES.len()).collect();
    for seed in 0..20 {
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let sources: Vec<(&str, &[u8])> = order.iter().map(|&at| (NAMES[at], &packed[at][..])).collect();
        let (register, _) = read(&sources);
        for address in &addresses {
            assert_eq!(told(&register, address), told(&expected, address), "{address} {order:?}");
        }
    }
    let whole = texts[..7].join(&b"\n\n"[..]);
    let (register, _) = read(&[("whole.rpsl", &whole), (NAMES[7], &texts[7])]);
    assert!(addresses.iter().all(|address| told(&register, address) == told(&expected, address)));
}

#[test]
fn networks_without_roles_or_organisations_are_refused_with_the_remedy() {
    let network = b"inetnum: 192.0.2.0 - 192.0.2.255\nstatus: ALLOCATED PA\n";
    let Err(RegisterError::Bad(report)) =
        Register::read_bytes(&[("n", network)], &ReadOptions { keep_going: true, progress: None })
    else {
        panic!("it was read");
    };
    let lines: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    assert!(
        lines.len() == 2
            && lines[0].contains("(name ripe.db.role too)")
            && lines[1].contains("(name ripe.db.organisation too)"),
        "{lines:?}"
    );
    assert!(lines[0].starts_with("n:1: "));
}

#[test]
fn a_dump_that_is_cut_off_is_damaged() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&std::fs::read(fixture("ripe.db.inetnum")).unwrap()).unwrap();
    let packed = packed.finish().unwrap();
    let cut = &packed[..packed.len() - 20];
    assert!(matches!(
        Register::read_bytes(&[("r.gz", cut)], &ReadOptions::default()),
        Err(RegisterError::Damaged { .. })
    ));
}

#[test]
fn curated_entries_come_before_ripe_and_are_united_with_it() {
    let curated = "owner_id,ripe_org,network,contact\nziekenhuis,org-hosp1-ripe,198.51.100.0/26,cert@ziekenhuis.example\n";
    let texts: Vec<Vec<u8>> = NAMES.iter().map(|name| std::fs::read(fixture(name)).unwrap()).collect();
    let mut sources: Vec<(&str, &[u8])> = vec![("curated.csv", curated.as_bytes())];
    sources.extend(NAMES.iter().zip(&texts).map(|(name, text)| (*name, &text[..])));
    let (register, _) = read(&sources);
    let both: Vec<_> =
        register.registrations.iter().filter(|it| it.key.to_string() == "198.51.100.0/26").collect();
    assert_eq!(both.iter().map(|it| it.source).collect::<Vec<_>>(), [0, 1]);
    let organisation = |it: &Registration| register.owners[it.owner as usize].organisation;
    assert_eq!(organisation(both[0]), organisation(both[1]));
}

#[test]
fn an_index_tells_scope_and_customer_as_the_register_does() {
    let (register, _) = read_fixture();
    let built = Index::build(&register).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ripe.dwi");
    built.write(&file).unwrap();
    let index = Index::open(&file).unwrap();
    assert_eq!((index.verify(), index.id()), (Ok(()), built.id()));
    let chains = std::fs::read_to_string(fixture("chains.tsv")).unwrap();
    for fields in
        chains.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>())
    {
        let Some(address) = Address::read(fields[0].as_bytes()) else {
            let asn = Asn::read(fields[0].as_bytes()).unwrap();
            let claim = index.finder().claims_of_asn(asn).first().copied();
            let scope = claim.map_or("-", |claim| claim.scope.as_str());
            assert_eq!(scope, fields[4], "{asn}");
            continue;
        };
        let claim = index.covering(address).next();
        let scope = claim.map_or("-", |claim| claim.scope.as_str());
        assert_eq!(scope, fields[4], "{}", fields[0]);
        let shown = index.assignment(address).filter(|it| {
            claim.is_some_and(|claim| {
                claim.owner == it.owner && claim.key.range().is_some_and(|range| range.contains(it.range))
            })
        });
        assert_eq!(
            shown.map_or("-".to_owned(), |it| format!("{} {}", it.range, it.netname)),
            fields[6],
            "{}",
            fields[0]
        );
    }
    let holder = |address: &str| {
        index.dutch_block(Address::read(address.as_bytes()).unwrap()).and_then(|block| block.holder)
    };
    assert_eq!(holder("192.0.2.7"), Some("922dc514-2273-4b6b-a16a-96f054c89620"));
    assert_eq!(holder("2001:db8:ffff::"), holder("192.0.2.7"));
    assert_eq!((holder("203.0.113.1"), index.dutch_blocks().len()), (None, 4));
}

#[test]
fn an_alert_tells_the_desk_which_customer_it_is_and_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let dump = directory.path().join("list.txt");
    std::fs::write(&dump, "192.0.2.1\n192.0.2.17\n203.0.113.1\n2001:db8:1::1\n").unwrap();
    let config = directory.path().join("dijkwacht.toml");
    let lines_with = |label: &str| {
        std::fs::write(&config, format!("[feeds.list]\ntlp = \"{label}\"\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
        command
            .args(["match", "--identifier", "x", "--run-time", "2026-11-22", "--output", "-"])
            .args(["--feed", "list", "--format", "list"])
            .arg("--config")
            .arg(&config)
            .arg(&dump);
        for name in NAMES {
            command.arg("--register").arg(fixture(name));
        }
        let output = command.env_remove("DIJKWACHT_CONFIG").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (within, lines) = (lines_with("AMBER"), lines_with("GREEN"));
    assert_eq!(
        (within.lines().count(), within.contains("203.0.113.1")),
        (3, false),
        "outside the constituency"
    );
    let told = |address: &str| -> [Option<String>; 3] {
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let line = lines.into_iter().find(|line| line["source.ip"] == address).unwrap();
        ["extra.owner.id", "extra.assignment", "extra.scope"].map(|key| line[key].as_str().map(str::to_owned))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told("192.0.2.1"), [some("ORG-PROV1-RIPE"), some("192.0.2.0/28 BAKERY-NET"), None]);
    assert_eq!(told("192.0.2.17"), [some("ORG-SCHOOL1-RIPE"), None, None]);
    assert_eq!(
        told("203.0.113.1"),
        [some("ORG-FRGN1-RIPE"), some("203.0.113.0/28 NL-SERVERS"), some("located")]
    );
    assert_eq!(told("2001:db8:1::1"), [some("ORG-PROV1-RIPE"), some("2001:db8:1::/48 HOMES"), None]);
    for secret in ["what no alert may tell", "a street that nobody", "Provider abuse"] {
        assert!(!lines.contains(secret), "{secret}");
    }
}

/// A small database, and what its objects come to, from the rules as they are told, by looking at everything.
mod oracle {
    use super::*;

    #[derive(Clone, Debug, Default)]
    pub(super) struct Net {
        pub(super) first: u32,
        pub(super) last: u32,
        pub(super) org: Option<usize>,
        pub(super) abuse_c: Option<usize>,
        pub(super) sponsor: Option<usize>,
        pub(super) is_dutch: bool,
        pub(super) is_of_registry: bool,
        pub(super) status: &'static str,
    }

    #[derive(Clone, Debug, Default)]
    pub(super) struct Org {
        pub(super) country: Option<&'static str>,
        pub(super) abuse_c: Option<usize>,
        pub(super) is_registry: bool,
    }

    #[derive(Clone, Debug, Default)]
    pub(super) struct Database {
        pub(super) nets: Vec<Net>,
        pub(super) orgs: Vec<Org>,
        /// Whether each role has a mailbox, and its organisation.
        pub(super) roles: Vec<(bool, Option<usize>)>,
        /// What is delegated to the Netherlands.
        pub(super) delegated: Vec<(u32, u32)>,
    }

    pub(super) type Desk = (Option<usize>, usize);

    pub(super) const STATUSES: [&str; 9] = [
        "ASSIGNED PA",
        "ASSIGNED PI",
        "LEGACY",
        "ALLOCATED-ASSIGNED PA",
        "ASSIGNED",
        "ALLOCATED PA",
        "SUB-ALLOCATED PA",
        "LIR-PARTITIONED PA",
        "ASSIGNED ANYCAST",
    ];

    impl Database {
        fn answers(&self, role: usize) -> bool {
            let of = |is_registry| {
                self.orgs.iter().any(|org| org.abuse_c == Some(role) && org.is_registry == is_registry)
            };
            self.roles[role].0 && (!of(true) || of(false))
        }

        fn desk_of_org(&self, org: Option<usize>) -> Option<Desk> {
            let org = org?;
            let role =
                self.orgs[org].abuse_c.filter(|&role| self.answers(role) && !self.orgs[org].is_registry)?;
            Some((Some(org), role))
        }

        fn own_desk(&self, net: &Net) -> Option<Desk> {
            let Some(role) = net.abuse_c.filter(|&role| self.answers(role)) else {
                return self.desk_of_org(net.org);
            };
            let own = net.org.filter(|&org| !self.orgs[org].is_registry);
            if own.is_some_and(|org| self.orgs[org].abuse_c == Some(role)) {
                return Some((own, role));
            }
            let of: Vec<usize> = (0..self.orgs.len())
                .filter(|&org| self.orgs[org].abuse_c == Some(role) && !self.orgs[org].is_registry)
                .collect();
            if let [only] = of[..] {
                return Some((Some(only), role));
            }
            // An organisation without a desk is known by the only role that its networks name.
            let Some(org) = own else { return Some((None, role)) };
            let has_none = self.orgs[org].abuse_c.is_none_or(|role| !self.answers(role));
            let others = self.nets.iter().filter(|net| net.org == Some(org)).filter_map(|net| net.abuse_c);
            let is_only = others.filter(|&role| self.answers(role)).all(|other| other == role);
            Some((if has_none && is_only { Some(org) } else { None }, role))
        }

        /// The nearest less specific one: of those around it the one that starts last, then the smaller.
        fn parent(&self, net: &Net) -> Option<&Net> {
            let around = |other: &&Net| {
                other.first <= net.first
                    && net.last <= other.last
                    && (other.first, other.last) != (net.first, net.last)
            };
            let others = self.nets.iter().filter(around);
            others.reduce(
                |one, other| if (other.first, one.last) > (one.first, other.last) { other } else { one },
            )
        }

        fn org_around(&self, net: &Net) -> Option<usize> {
            let parent = self.parent(net)?;
            parent.org.or_else(|| self.org_around(parent))
        }

        fn has_own(&self, net: &Net) -> Option<Desk> {
            self.own_desk(net).or_else(|| self.desk_of_org(net.sponsor))
        }

        pub(super) fn desk(&self, net: &Net) -> Option<Desk> {
            self.has_own(net).or_else(|| if net.is_of_registry { None } else { self.desk(self.parent(net)?) })
        }

        fn is_delegated(&self, net: &Net) -> bool {
            (net.first..=net.last).all(|address| {
                self.delegated.iter().any(|&(first, last)| first <= address && address <= last)
            })
        }

        fn scope(&self, net: &Net, desk: Desk) -> Option<Scope> {
            let abuse_org = desk.0.or(self.roles[desk.1].1);
            let is_dutch = |org: Option<usize>| {
                org.is_some_and(|org| self.orgs[org].country == Some("NL") && !self.orgs[org].is_registry)
            };
            let holds = |org: usize| {
                let holds = |net: &Net| net.org == Some(org) && net.is_of_registry && self.is_delegated(net);
                self.orgs[org].country.is_none() && self.nets.iter().any(holds)
            };
            match () {
                () if is_dutch(net.org) || is_dutch(abuse_org) => Some(Scope::Organisation),
                () if self.is_delegated(net) && abuse_org.is_some_and(holds) => Some(Scope::Delegated),
                () if net.is_dutch => Some(Scope::Located),
                () => None,
            }
        }

        /// As what a network is registered, if it is.
        pub(super) fn registered(&self, net: &Net) -> Option<(Desk, Role, Scope)> {
            let desk = self.desk(net)?;
            let scope = self.scope(net, desk)?;
            let Some(own) = self.has_own(net) else {
                return (!self.is_inside(net)).then_some((desk, Role::Network, scope));
            };
            let may =
                STATUSES[..5].contains(&net.status) && self.own_desk(net).is_some() && net.org.is_some();
            let differs = net.org != self.org_around(net)
                && self.parent(net).and_then(|parent| self.desk(parent)) != Some(own);
            Some((desk, if may && differs { Role::User } else { Role::Network }, scope))
        }

        /// Whether a network without a desk of its own lies in a registration of the desk that answers.
        fn is_inside(&self, net: &Net) -> bool {
            let Some(parent) = self.parent(net).filter(|_| !net.is_of_registry) else { return false };
            match self.has_own(parent) {
                Some(desk) => self.scope(parent, desk).is_some(),
                None => self.is_inside(parent) || self.registered(parent).is_some(),
            }
        }

        /// Whose customer a network is, if it is one.
        pub(super) fn assigned(&self, net: &Net) -> Option<Desk> {
            let is_one =
                self.has_own(net).is_none() && (self.is_inside(net) || self.registered(net).is_some());
            is_one.then(|| self.desk(net)).flatten()
        }

        pub(super) fn texts(&self, random: &mut fastrand::Rng) -> [Vec<u8>; 4] {
            let mut texts = [const { String::new() }; 4];
            let address = |bits: u32| Address::v4(bits);
            let one_of = |random: &mut fastrand::Rng, name: &str| {
                if random.bool() { name.to_owned() } else { name.to_uppercase() }
            };
            for (number, net) in self.nets.iter().enumerate() {
                let mut lines = vec![format!("netname: NET-{number}"), format!("status: {}", net.status)];
                lines.extend(net.org.map(|org| format!("{}: org-{org}", one_of(random, "org"))));
                lines.extend(net.abuse_c.map(|role| format!("abuse-c: R{role}-RIPE")));
                lines.extend(net.sponsor.map(|org| format!("sponsoring-org: ORG-{org} # words")));
                lines.push(format!("country:\n+ {}", if net.is_dutch { "nl" } else { "DE" }));
                lines.push(format!(
                    "mnt-by: A-MNT{}",
                    if net.is_of_registry { ", RIPE-NCC-END-MNT" } else { "" }
                ));
                random.shuffle(&mut lines);
                texts[0] += &format!(
                    "{}: {} - {}\n{}\n\n",
                    one_of(random, "inetnum"),
                    address(net.first),
                    address(net.last),
                    lines.join("\n")
                );
            }
            for (number, org) in self.orgs.iter().enumerate() {
                texts[1] += &format!("organisation: ORG-{number}\norg-name: n\n");
                texts[1] += &org.country.map_or(String::new(), |country| format!("country: {country}\n"));
                texts[1] += &org.abuse_c.map_or(String::new(), |role| format!("abuse-c: r{role}-ripe\n"));
                texts[1] += if org.is_registry { "org-type: RIR\n\n" } else { "org-type: LIR\n\n" };
            }
            for (number, (has_mailbox, org)) in self.roles.iter().enumerate() {
                let mailbox =
                    if *has_mailbox { format!("a{number}@example.nl") } else { "unread@ripe.net".to_owned() };
                texts[2] += &format!("role: r\nnic-hdl: R{number}-RIPE\nabuse-mailbox: {mailbox}\n");
                texts[2] += &org.map_or("\n".to_owned(), |org| format!("org: ORG-{org}\n\n"));
            }
            texts[3] += "2|ripencc|1|1|1|1|+0200\n";
            for &(first, last) in &self.delegated {
                texts[3] += &format!(
                    "ripencc|NL|ipv4|{}|{}|20100101|allocated|x\n",
                    address(first),
                    last - first + 1
                );
            }
            texts.map(String::into_bytes)
        }
    }

    pub(super) fn random(random: &mut fastrand::Rng) -> Database {
        let (orgs, roles) = (random.usize(1..5), random.usize(1..5));
        let some = |random: &mut fastrand::Rng, count: usize, of: u8| {
            (random.u8(..of) == 0).then(|| random.usize(..count))
        };
        let org = |random: &mut fastrand::Rng| Org {
            country: *random.choice(&[None, Some("NL"), Some("DE")]).unwrap(),
            abuse_c: some(random, roles, 2),
            is_registry: random.u8(..8) == 0,
        };
        let base = 192 << 24 | 2 << 8;
        let ends = |random: &mut fastrand::Rng| match random.u8(..6) {
            0 => {
                let (one, other) = (random.u32(..64), random.u32(..64));
                (base + one.min(other), base + one.max(other))
            }
            _ => {
                let size = 1u32 << random.u32(..7);
                let first = base + random.u32(..64) / size * size;
                (first, first + size - 1)
            }
        };
        let net = |random: &mut fastrand::Rng| {
            let (first, last) = ends(random);
            Net {
                first,
                last,
                org: some(random, orgs, 3),
                abuse_c: some(random, roles, 6),
                sponsor: some(random, orgs, 8),
                is_dutch: random.bool(),
                is_of_registry: random.u8(..4) == 0,
                status: random.choice(&STATUSES).unwrap(),
            }
        };
        let mut nets: Vec<Net> = Vec::new();
        for _ in 0..random.usize(1..12) {
            let net = net(random);
            if nets.iter().all(|other| (other.first, other.last) != (net.first, net.last)) {
                nets.push(net);
            }
        }
        let mut delegated: Vec<(u32, u32)> = (0..random.usize(..3)).map(|_| ends(random)).collect();
        delegated.sort_unstable();
        Database {
            nets,
            orgs: (0..orgs).map(|_| org(random)).collect(),
            roles: (0..roles).map(|_| (random.u8(..5) > 0, some(random, orgs, 4))).collect(),
            delegated,
        }
    }
}

#[test]
fn random_databases_come_to_what_the_rules_say_one_by_one() {
    let runs = std::env::var("DIJKWACHT_SWEEP").ok().and_then(|runs| runs.parse().ok()).unwrap_or(4_000);
    let (mut users, mut located, mut assigned, mut delegated) = (0, 0, 0, 0);
    for seed in 0..runs {
        let mut random = fastrand::Rng::with_seed(seed);
        let database = oracle::random(&mut random);
        let [nets, orgs, roles, space] = database.texts(&mut random);
        let (register, _) = read(&[("n", &nets), ("o", &orgs), ("r", &roles), ("d", &space)]);
        let id = |desk: oracle::Desk| desk.0.map_or(format!("R{}-RIPE", desk.1), |org| format!("ORG-{org}"));
        let mut expected: Vec<String> = Vec::new();
        let mut expected_customers: Vec<String> = Vec::new();
        for (number, net) in database.nets.iter().enumerate() {
            let range = Range::new(Address::v4(net.first), Address::v4(net.last)).unwrap();
            if let Some((desk, role, scope)) = database.registered(net) {
                expected.push(format!("{range} {} {role} {scope} a{}@example.nl", id(desk), desk.1));
                users += u64::from(role == Role::User);
                located += u64::from(scope == Scope::Located);
                delegated += u64::from(scope == Scope::Delegated);
            }
            if let Some(desk) = database.assigned(net) {
                expected_customers.push(format!("{range} {} NET-{number}", id(desk)));
                assigned += 1;
            }
        }
        let owner = |number: u32| &register.owners[number as usize];
        let found = register.registrations.iter().map(|it| {
            let owner = owner(it.owner);
            format!("{} {} {} {} {}", it.key, owner.id, it.role, it.scope, owner.contacts.join(","))
        });
        let mut found: Vec<String> = found.collect();
        let mut customers: Vec<String> = register
            .assignments
            .iter()
            .map(|it| format!("{} {} {}", it.range, owner(it.owner).id, it.netname))
            .collect();
        for list in [&mut expected, &mut found, &mut expected_customers, &mut customers] {
            list.sort();
        }
        assert_eq!(found, expected, "seed {seed}: {database:#?}");
        assert_eq!(customers, expected_customers, "seed {seed}: {database:#?}");
    }
    println!(
        "{runs} databases: {users} users, {located} located, {delegated} delegated, {assigned} assignments"
    );
    assert!(users > runs / 20 && located > runs / 20 && assigned > runs / 20 && delegated > runs / 100);
}

#[test]
fn delegation_statistics_of_either_form_tell_which_space_is_dutch() {
    let text = "2|ripencc|1366322399|9|19830705|20130418|+0200\n# a note\nripencc|*|ipv4|*|49504|summary\n\
        ripencc|NL|ipv4|91.192.0.0|768|20100712|allocated\n\
        ripencc|nl|ipv4|91.192.3.0|256|20100712|assigned|holder-1|e-stats\n\
        ripencc|DE|ipv4|91.193.0.0|256|20100712|allocated|holder-2\n\
        ripencc|NL|ipv4|91.194.0.0|256||reserved\n\
        ripencc|NL|ipv6|2a02:7::|32|20100712|allocated|holder-1\n\
        ripencc|NL|asn|3333|2|19930901|allocated|holder-3\n\
        ripencc||ipv6|2a15::|16||available\n\
        ripencc|NL|ipv4|255.255.255.0|512|20100712|allocated|x\n\
        ripencc|NL|ipv4|91.195.0.0|0|20100712|allocated|x\n\
        ripencc|NL|ipv6|2a02:8::1|32|20100712|allocated|x\n\
        nonsense\n";
    let (register, report) = read(&[("delegated-ripencc-extended", text.as_bytes())]);
    let dutch = &register.delegations;
    let blocks: Vec<String> = dutch
        .blocks()
        .iter()
        .map(|it| format!("{} {}", it.range, it.holder.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(blocks, ["91.192.0.0 - 91.192.2.255 -", "91.192.3.0/24 holder-1", "2a02:7::/32 holder-1"]);
    let range = |text: &str| Range::read(text.as_bytes()).unwrap();
    assert!(
        dutch.hold(range("91.192.0.0/22"))
            && !dutch.hold(range("91.192.0.0/21"))
            && !dutch.hold(range("91.193.0.0/24"))
    );
    assert_eq!([3332, 3333, 3334, 3335].map(|asn| dutch.hold_asn(Asn(asn))), [false, true, true, false]);
    let lines: Vec<u32> = report.findings.of(FindingKind::Skipped).map(|it| it.line).collect();
    assert_eq!((lines, report.skipped, report.rows), (vec![11, 12, 13, 14], 4, 13));
}
