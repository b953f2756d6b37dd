//! A synthetic RIPE database in the shapes of the real one, and what an index of it costs.
//!
//! `cargo bench --bench ripe -- DIRECTORY [NETWORKS] [DUTCH]` writes split dumps of so many inetnums (5,000,000) of which DUTCH percent
//! (8) are Dutch organisations', unless the directory has them, then builds an index of them and prints what it took. The peak is
//! the process's (`VmHWM`), so it counts only when nothing was written. A list of one address of each Dutch network stands beside
//! (`night.txt`), for a night's `match`.
//!
//! The shapes: 88 of 138 networks in RIPE NCC's own tests name no organisation; allocations hold assignments of a /24 and smaller, some of
//! them in sub-allocations, some no CIDR; every twelfth organisation with addresses of its own has an abuse contact of its own;
//! objects stand in no order.

#![allow(clippy::print_stdout)] // its output is the result

use dijkwacht::index::Index;
use dijkwacht::net::Address;
use dijkwacht::register::{ReadOptions, Register};
use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

const SEED: u64 = 20_261_122;
/// Networks that an allocation holds on average.
const NETWORKS_OF_ALLOCATION: u32 = 80;
/// Allocations of a registry's member.
const ALLOCATIONS_OF_MEMBER: u32 = 3;
/// Of 138 networks so many name no organisation.
const WITHOUT_ORG: u32 = 88;
const FILES: [&str; 5] = [
    "ripe.db.inetnum.gz",
    "ripe.db.inet6num.gz",
    "ripe.db.organisation.gz",
    "ripe.db.role.gz",
    "delegated-ripencc-extended.gz",
];

type Out = GzEncoder<BufWriter<File>>;

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(directory) = words.next().map(PathBuf::from) else {
        println!("cargo bench --bench ripe -- DIRECTORY [NETWORKS] [DUTCH]");
        return Ok(());
    };
    let mut number = |default: u32| words.next().and_then(|word| word.parse().ok()).unwrap_or(default);
    let (networks, dutch) = (number(5_000_000), number(8));
    if !directory.join(FILES[0]).exists() {
        std::fs::create_dir_all(&directory)?;
        Database::create(&directory, dutch)?.write(networks)?;
    }
    measure(&directory)
}

fn measure(directory: &Path) -> io::Result<()> {
    let start = Instant::now();
    let sources = FILES.map(|name| directory.join(name));
    let (register, report) = Register::read(&sources, &ReadOptions::default()).map_err(io::Error::other)?;
    let read = start.elapsed().as_secs_f64();
    let index = Index::build(&register).map_err(io::Error::other)?;
    let (all, counts) = (start.elapsed().as_secs_f64(), index.counts());
    let (ripe, assignments) = (report.ripe, register.assignments.len());
    println!("{ripe:?}");
    println!(
        "read in {read:.1} s, built in {:.1} s, {} registrations, {assignments} assignments",
        all - read,
        counts.registrations
    );
    let each = counts.bytes as f64 / (counts.registrations + assignments as u64) as f64;
    println!("index {} bytes, {each:.1} each registration or assignment; {}", counts.bytes, peak()?);
    Ok(())
}

/// The most memory that the process had.
fn peak() -> io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    Ok(status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" "))
}

struct Database {
    random: Rng,
    dutch: u32,
    networks: Out,
    networks6: Out,
    organisations: Out,
    roles: Out,
    delegated: Out,
    night: BufWriter<File>,
    organisations_written: u32,
    networks_written: u32,
}

/// An organisation and its country.
#[derive(Clone, Copy)]
struct Org {
    number: u32,
    country: &'static str,
}

impl Database {
    fn create(directory: &Path, dutch: u32) -> io::Result<Self> {
        let file = |name: &str| File::create(directory.join(name)).map(BufWriter::new);
        let packed = |name: &str| file(name).map(|file| GzEncoder::new(file, Compression::new(4)));
        let mut delegated = packed(FILES[4])?;
        writeln!(delegated, "2|ripencc|1782511199|1|19700101|20260626|+0200")?;
        Ok(Self {
            random: Rng::with_seed(SEED),
            dutch,
            networks: packed(FILES[0])?,
            networks6: packed(FILES[1])?,
            organisations: packed(FILES[2])?,
            roles: packed(FILES[3])?,
            delegated,
            night: file("night.txt")?,
            organisations_written: 0,
            networks_written: 0,
        })
    }

    fn write(mut self, networks: u32) -> io::Result<()> {
        let allocations = networks / NETWORKS_OF_ALLOCATION + 1;
        // From 1.0.0.0 to 223.255.255.255, in pieces of equal size.
        let size = (222u32 << 24) / allocations;
        let mut places: Vec<u32> = (0..allocations).collect();
        self.random.shuffle(&mut places);
        let mut member = self.organisation(true, None)?;
        for (turn, place) in (0..).zip(places) {
            if turn % ALLOCATIONS_OF_MEMBER == 0 {
                member = self.organisation(true, None)?;
            }
            self.allocation(member, (1 << 24) + place * size, size)?;
            self.allocation6(member, place)?;
        }
        for out in [self.networks, self.networks6, self.organisations, self.roles, self.delegated] {
            out.finish()?.flush()?;
        }
        self.night.flush()
    }

    /// Writes an organisation, and its role if it has an abuse contact.
    fn organisation(&mut self, has_abuse: bool, country: Option<&'static str>) -> io::Result<Org> {
        let is_dutch = self.random.u32(..100) < self.dutch;
        let drawn = if is_dutch {
            "NL"
        } else {
            *self.random.choice(&["DE", "GB", "FR", "US", "RU", "IT"]).unwrap_or(&"DE")
        };
        let (number, country) = (self.organisations_written, country.unwrap_or(drawn));
        self.organisations_written += 1;
        write!(
            self.organisations,
            "organisation:   ORG-S{number}-RIPE\norg-name:       Organisation number {number}\ncountry:        {country}\norg-type:       LIR\naddress:        ***\nphone:          +000000000\ne-mail:         unread@ripe.net\nmnt-ref:        S{number}-MNT\nmnt-by:         RIPE-NCC-HM-MNT\n"
        )?;
        if has_abuse {
            writeln!(self.organisations, "abuse-c:        AS{number}-RIPE")?;
            writeln!(
                self.roles,
                "role:           Abuse of {number}\naddress:        ***\ne-mail:         unread@ripe.net\nnic-hdl:        AS{number}-RIPE\nabuse-mailbox:  abuse@s{number}.example\nmnt-by:         S{number}-MNT\nsource:         RIPE # Filtered\n"
            )?;
        }
        writeln!(self.organisations, "source:         RIPE # Filtered\n")?;
        Ok(Org { number, country })
    }

    fn allocation(&mut self, member: Org, first: u32, size: u32) -> io::Result<()> {
        let mnt = "mnt-by:         RIPE-NCC-HM-MNT\n";
        self.network(first, first + size - 1, "ALLOCATED PA", member.country, Some(member), mnt)?;
        let (start, country) = (Address::v4(first), member.country);
        writeln!(
            self.delegated,
            "ripencc|{country}|ipv4|{start}|{size}|20100712|allocated|holder-{}",
            member.number
        )?;
        let count = self.random.u32(NETWORKS_OF_ALLOCATION / 2..NETWORKS_OF_ALLOCATION * 3 / 2);
        let slot = size / count;
        for place in 0..count.saturating_sub(1) {
            let start = first + place * slot;
            let widest = slot.clamp(2, 256);
            let mut last = start + self.random.u32(1..=widest.ilog2()).pow(2).min(widest - 1);
            if self.random.u32(..10) > 0 {
                last = start + (1 << self.random.u32(0..=widest.ilog2())) - 1;
            }
            let country = if self.random.u32(..20) == 0 { "EU" } else { member.country };
            if country == "NL" {
                writeln!(self.night, "{}", Address::v4(start))?;
            }
            self.customer(member, start, last, country)?;
        }
        Ok(())
    }

    /// An assignment: mostly of nobody who is named.
    fn customer(&mut self, member: Org, first: u32, last: u32, country: &'static str) -> io::Result<()> {
        let status = *self
            .random
            .choice(&["ASSIGNED PA", "ASSIGNED PA", "ASSIGNED PA", "SUB-ALLOCATED PA"])
            .unwrap_or(&"ASSIGNED PA");
        let org = match self.random.u32(..138) {
            chance if chance < WITHOUT_ORG => None,
            chance if chance % 12 == 0 => Some(self.organisation(true, Some(country))?),
            chance if chance % 2 == 0 => Some(self.organisation(false, Some(country))?),
            _ => Some(member),
        };
        self.network(first, last, status, country, org, "")
    }

    fn network(
        &mut self,
        first: u32,
        last: u32,
        status: &str,
        country: &str,
        org: Option<Org>,
        more: &str,
    ) -> io::Result<()> {
        let (number, first, last) = (self.networks_written, Address::v4(first), Address::v4(last));
        self.networks_written += 1;
        let org = org.map_or(String::new(), |org| format!("org:            ORG-S{}-RIPE\n", org.number));
        writeln!(
            self.networks,
            "inetnum:        {first} - {last}\nnetname:        {country}-CUSTOMER-{number}\ndescr:          Customer number {number}\ndescr:          A street and a town\ncountry:        {country}\n{org}admin-c:        DUMY-RIPE\ntech-c:         DUMY-RIPE\nstatus:         {status}\n{more}mnt-by:         S{}-MNT\ncreated:        2004-03-01T12:00:00Z\nlast-modified:  20{:02}-0{}-11T12:00:00Z\nsource:         RIPE # Filtered\nremarks:        ****************************\nremarks:        * THIS OBJECT IS MODIFIED\nremarks:        * Please note that all data that is generally regarded as personal\nremarks:        ****************************\n",
            number / 7,
            number % 20 + 5,
            number % 9 + 1
        )
    }

    /// One IPv6 allocation with a few assignments.
    fn allocation6(&mut self, member: Org, place: u32) -> io::Result<()> {
        let base = 0x2a00_u128 << 112 | u128::from(place) << 96;
        for number in 0..8u128 {
            let (first, length, status) = match number {
                0 => (base, 32, "ALLOCATED-BY-RIR"),
                _ => {
                    (base | number << 80, 48, if number % 2 == 0 { "ASSIGNED" } else { "AGGREGATED-BY-LIR" })
                }
            };
            let org = if number == 0 {
                format!("org:            ORG-S{}-RIPE\nmnt-by:         RIPE-NCC-HM-MNT\n", member.number)
            } else {
                String::new()
            };
            writeln!(
                self.networks6,
                "inet6num:       {}/{length}\nnetname:        {}-SIX-{place}-{number}\ncountry:        {}\n{org}status:         {status}\nsource:         RIPE # Filtered\n",
                Address::v6(first),
                member.country,
                member.country
            )?;
        }
        Ok(())
    }
}
