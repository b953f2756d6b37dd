//! Dumps and a register on disk, to time whole processes by.
//!
//! `cargo bench --bench dumps -- DIRECTORY [MEGABYTES]` writes, from a seed, one dump of each shape (1,024 MiB), `register.csv` (100,000
//! prefixes of 25,000 owners, which hold 1.4 % of the ZMap addresses), `names.csv` (100,000 domains of these owners, none of
//! them in a dump), `every.csv` (3,000,000 ZMap rows, all of registered addresses) and `dutch-*.csv` (registers of several sizes that hold
//! the same space). README, *Measured speed*, says what to run on them.

#![allow(clippy::print_stdout)] // its output is the result

mod shapes;

use dijkwacht::index::Index;
use dijkwacht::net::Prefix;
use dijkwacht::register::Key;
use fastrand::Rng;
use shapes::{SHADOWSERVER, SHODAN, ZGRAB2, ZMAP, dutch, held_address, prefixes, register, register_text};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const SEED: u64 = 20_261_122;
const REGISTRATIONS: u32 = 100_000;
const OWNERS: u32 = 25_000;
const EVERY_ROWS: u32 = 3_000_000;
/// Text that is made before it is written.
const PIECE_BYTES: usize = 1 << 20;

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let Some(directory) = words.next().map(PathBuf::from) else {
        println!("cargo bench --bench dumps -- DIRECTORY [MEGABYTES]");
        return Ok(());
    };
    let megabytes: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(1024);
    std::fs::create_dir_all(&directory)?;
    let mut rng = Rng::with_seed(SEED);
    let prefixes = prefixes(&mut rng, REGISTRATIONS);
    write_registers(&directory, &prefixes)?;
    for (name, shape) in [
        ("zmap.csv", ZMAP),
        ("2026-11-22-scan_rdp-bench.csv", SHADOWSERVER),
        ("zgrab2.json", ZGRAB2),
        ("shodan.json", SHODAN),
    ] {
        let mut out = BufWriter::new(File::create(directory.join(name))?);
        let mut text = shape.header.map_or_else(String::new, |header| format!("{header}\n"));
        let (mut records, mut bytes) = (0u64, 0);
        while bytes < megabytes << 20 {
            while text.len() < PIECE_BYTES {
                shape.add(&mut text, &mut rng);
                records += 1;
            }
            out.write_all(text.as_bytes())?;
            bytes += text.len() as u64;
            text.clear();
        }
        out.flush()?;
        println!("{name}: {records} records, {bytes} bytes");
    }
    write_every(&directory, &prefixes, &mut rng)
}

fn write_registers(directory: &Path, prefixes: &[Prefix]) -> io::Result<()> {
    std::fs::write(directory.join("register.csv"), register_text(prefixes, OWNERS))?;
    let mut names = BufWriter::new(File::create(directory.join("names.csv"))?);
    writeln!(names, "owner_id,domain,contact")?;
    for number in 0..REGISTRATIONS {
        let owner = number % OWNERS;
        writeln!(names, "owner-{owner},registered-{number}.nl,abuse@owner-{owner}.example")?;
    }
    names.flush()?;
    for registrations in [1_000, 100_000, 1_000_000] {
        let register = dutch::register(registrations, false);
        let path = directory.join(format!("dutch-{registrations}.csv"));
        let mut out = BufWriter::new(File::create(path)?);
        writeln!(out, "owner_id,role,network,contact")?;
        for row in &register.registrations {
            let (owner, role) = (row.owner, row.role.as_str());
            let Key::Range(range) = row.key else { continue };
            writeln!(out, "owner-{owner},{role},{range},abuse@owner-{owner}.example")?;
        }
        out.flush()?;
    }
    Ok(())
}

/// A dump of which every row matches, as of a national feed.
fn write_every(directory: &Path, prefixes: &[Prefix], rng: &mut Rng) -> io::Result<()> {
    let index = Index::build(&register(prefixes)).expect("it fits");
    let mut out = BufWriter::new(File::create(directory.join("every.csv"))?);
    writeln!(out, "{}", ZMAP.header.unwrap_or_default())?;
    let mut text = String::new();
    for _ in 0..EVERY_ROWS {
        let address = held_address(prefixes, &index, rng);
        ZMAP.add_of(&mut text, rng, address);
        if text.len() >= PIECE_BYTES {
            out.write_all(text.as_bytes())?;
            text.clear();
        }
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}
