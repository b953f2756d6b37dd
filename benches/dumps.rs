//! Dumps and a register on disk, to time whole processes by.
//!
//! `cargo bench --bench dumps -- DIRECTORY [MEGABYTES]` writes, from a seed, one dump of each shape (1,024 MiB), `register.csv` (100,000
//! prefixes of 25,000 owners, which hold 1.4 % of the ZMap addresses) and `names.csv` (100,000 domains of these owners, none of
//! them in a dump). README, *Measured speed*, says what to run on them.

#![allow(clippy::print_stdout)] // its output is the result

mod shapes;

use fastrand::Rng;
use shapes::{SHADOWSERVER, SHODAN, ZGRAB2, ZMAP, prefixes};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const SEED: u64 = 20_261_122;
const REGISTRATIONS: u32 = 100_000;
const OWNERS: u32 = 25_000;
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
    write_register(&directory, &mut rng)?;
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
    Ok(())
}

fn write_register(directory: &Path, rng: &mut Rng) -> io::Result<()> {
    let mut register = BufWriter::new(File::create(directory.join("register.csv"))?);
    writeln!(register, "owner_id,role,network,contact")?;
    for (number, prefix) in (0u32..).zip(prefixes(rng, REGISTRATIONS)) {
        let (owner, role) = (number % OWNERS, ["user", "network"][number as usize % 2]);
        writeln!(register, "owner-{owner},{role},{prefix},abuse@owner-{owner}.example")?;
    }
    let mut names = BufWriter::new(File::create(directory.join("names.csv"))?);
    writeln!(names, "owner_id,domain,contact")?;
    for number in 0..REGISTRATIONS {
        let owner = number % OWNERS;
        writeln!(names, "owner-{owner},registered-{number}.nl,abuse@owner-{owner}.example")?;
    }
    register.flush()?;
    names.flush()
}
