//! Lookups: the index against the best prefix-match crates, in one group each, on the same registrations and addresses.
//!
//! `cargo bench --bench lookup` (about three minutes), or with a filter: `cargo bench --bench lookup -- registered_v4/1000000`.
//! Registrations are made from a seed and shaped like Dutch ones; 5 % of the customers' are ranges that are no CIDR (rivals get their
//! CIDR pieces).
//! Each run asserts that all find the same number of addresses. Times are for 65,536 lookups; `elem/s` is lookups.

#![allow(clippy::print_stdout)] // what a registration takes is no time, and criterion prints only those

mod shapes;

use std::hint::black_box;
use std::time::Duration;

use criterion::{
    BatchSize, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use dijkwacht::index::Index;
use dijkwacht::net::{Address, Range};
use dijkwacht::register::{Key, Register};
use fastrand::Rng;
use poptrie::Poptrie;
use prefix_trie::PrefixMap;
use shapes::dutch::register;

const LOOKUPS: usize = 1 << 16;
fn ranges(register: &Register) -> impl Iterator<Item = (Range, u32)> + '_ {
    register.registrations.iter().zip(0..).filter_map(|(row, number)| match row.key {
        Key::Range(range) => Some((range, number)),
        _ => None,
    })
}

type Tries<A> = (Poptrie<(A, u8), u32>, PrefixMap<(A, u8), u32>);

/// The rivals, with the number of the registration as the value; of equal pieces the first stays.
fn tries4(register: &Register) -> Tries<u32> {
    let mut map = PrefixMap::new();
    for (range, number) in ranges(register) {
        for piece in range.pieces() {
            map.entry((piece.first().bits() as u32, piece.length())).or_insert(number);
        }
    }
    (map.iter().map(|(prefix, &number)| (prefix, number)).collect(), map)
}

fn tries6(register: &Register) -> Tries<u128> {
    let mut map = PrefixMap::new();
    for (range, number) in ranges(register) {
        for piece in range.pieces() {
            map.entry((piece.first().bits(), piece.length())).or_insert(number);
        }
    }
    (map.iter().map(|(prefix, &number)| (prefix, number)).collect(), map)
}

/// Public addresses, anywhere.
fn uniform4(rng: &mut Rng) -> Vec<u32> {
    let public = std::iter::repeat_with(|| rng.u32(..)).filter(|&bits| Address::v4(bits).special().is_none());
    public.take(LOOKUPS).collect()
}

/// Addresses inside registrations, each registration as likely as another.
fn registered(register: &Register, rng: &mut Rng) -> Vec<u128> {
    let rows = &register.registrations;
    let address = || match rows[rng.usize(..rows.len())].key {
        Key::Range(range) => {
            range.first().bits() + (rng.u128(..) & range.size_less_one()).min(range.size_less_one())
        }
        _ => 0,
    };
    std::iter::repeat_with(address).take(LOOKUPS).collect()
}

/// Runs one contender over all addresses; it returns how many it found.
fn run<A>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    addresses: &[A],
    found: usize,
    lookup: impl Fn(&[A]) -> usize,
) {
    assert_eq!(lookup(addresses), found, "{name} finds others");
    group.bench_function(name, |bencher| bencher.iter(|| lookup(black_box(addresses))));
}

fn count<A: Copy>(holds: impl Fn(A) -> bool) -> impl Fn(&[A]) -> usize {
    move |addresses| addresses.iter().filter(|&&address| holds(address)).count()
}

/// Adds up the numbers found, so that each must be there in full.
fn sum<A: Copy>(find: impl Fn(A) -> Option<u32>) -> impl Fn(&[A]) -> usize {
    move |addresses| {
        let (mut found, mut sum) = (0, 0u32);
        for &address in addresses {
            if let Some(number) = find(address) {
                found += 1;
                sum = sum.wrapping_add(number);
            }
        }
        black_box(sum);
        found
    }
}

fn group<'c>(criterion: &'c mut Criterion, name: String) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(LOOKUPS as u64));
    group
}

fn lookups4(criterion: &mut Criterion) {
    for registrations in [10_000, 100_000, 1_000_000] {
        let register = register(registrations, false);
        let index = Index::build(&register).expect("it fits");
        let finder = index.finder();
        let (poptrie, trie) = tries4(&register);
        let mut rng = Rng::with_seed(1);

        let addresses = uniform4(&mut rng);
        let found = addresses.iter().filter(|&&bits| index.holds(Address::v4(bits))).count();
        let mut uniform = group(criterion, format!("uniform_v4/{registrations}"));
        run(&mut uniform, "holds", &addresses, found, count(|bits| finder.holds_v4(bits)));
        run(&mut uniform, "holds in batches", &addresses, found, |addresses: &[u32]| {
            addresses.chunks(64).map(|chunk| finder.holds_v4_batch(chunk).count_ones() as usize).sum()
        });
        run(
            &mut uniform,
            "registration",
            &addresses,
            found,
            sum(|bits| finder.registration(Address::v4(bits))),
        );
        run(&mut uniform, "poptrie", &addresses, found, sum(|bits: u32| poptrie.lookup(bits).copied()));
        run(
            &mut uniform,
            "prefix-trie",
            &addresses,
            found,
            sum(|bits| trie.get_lpm(&(bits, 32)).map(|found| *found.1)),
        );
        uniform.finish();

        let addresses: Vec<u32> =
            registered(&register, &mut rng).into_iter().map(|bits| bits as u32).collect();
        let mut held = group(criterion, format!("registered_v4/{registrations}"));
        run(&mut held, "holds in batches", &addresses, LOOKUPS, |addresses: &[u32]| {
            addresses.chunks(64).map(|chunk| finder.holds_v4_batch(chunk).count_ones() as usize).sum()
        });
        run(
            &mut held,
            "registration",
            &addresses,
            LOOKUPS,
            sum(|bits| finder.registration(Address::v4(bits))),
        );
        run(&mut held, "poptrie", &addresses, LOOKUPS, sum(|bits: u32| poptrie.lookup(bits).copied()));
        run(
            &mut held,
            "prefix-trie",
            &addresses,
            LOOKUPS,
            sum(|bits| trie.get_lpm(&(bits, 32)).map(|found| *found.1)),
        );
        let owner = |bits| finder.most_specific(Address::v4(bits)).map(|claim| claim.owner.0);
        run(&mut held, "most specific, read", &addresses, LOOKUPS, sum(owner));
        let owners =
            |bits| finder.covering(Address::v4(bits)).map(|claim| claim.owner.0).reduce(u32::wrapping_add);
        run(&mut held, "all covering, read", &addresses, LOOKUPS, sum(owners));
        let numbers = |bits| finder.registrations(Address::v4(bits)).reduce(u32::wrapping_add);
        run(&mut held, "all covering", &addresses, LOOKUPS, sum(numbers));
        let values = |bits| trie.cover_values(&(bits, 32)).copied().reduce(u32::wrapping_add);
        run(&mut held, "all covering, prefix-trie", &addresses, LOOKUPS, sum(values));
        held.finish();
    }
}

fn lookups6(criterion: &mut Criterion) {
    for registrations in [10_000, 100_000, 1_000_000] {
        let register = register(registrations, true);
        let index = Index::build(&register).expect("it fits");
        let finder = index.finder();
        let (poptrie, trie) = tries6(&register);
        let mut rng = Rng::with_seed(2);

        // What a dump holds: addresses of other networks in the same /16s.
        let addresses: Vec<u128> = (0..LOOKUPS).map(|_| 0x2a00u128 << 112 | rng.u128(..) >> 13).collect();
        let found = addresses.iter().filter(|&&bits| index.holds(Address::v6(bits))).count();
        let mut uniform = group(criterion, format!("uniform_v6/{registrations}"));
        run(&mut uniform, "holds", &addresses, found, count(|bits| finder.holds_v6(bits)));
        run(&mut uniform, "holds in batches", &addresses, found, |addresses: &[u128]| {
            addresses.chunks(64).map(|chunk| finder.holds_v6_batch(chunk).count_ones() as usize).sum()
        });
        run(&mut uniform, "poptrie", &addresses, found, sum(|bits: u128| poptrie.lookup(bits).copied()));
        run(
            &mut uniform,
            "prefix-trie",
            &addresses,
            found,
            sum(|bits| trie.get_lpm(&(bits, 128)).map(|found| *found.1)),
        );
        uniform.finish();

        let addresses = registered(&register, &mut rng);
        let mut held = group(criterion, format!("registered_v6/{registrations}"));
        run(
            &mut held,
            "registration",
            &addresses,
            LOOKUPS,
            sum(|bits| finder.registration(Address::v6(bits))),
        );
        run(&mut held, "poptrie", &addresses, LOOKUPS, sum(|bits: u128| poptrie.lookup(bits).copied()));
        run(
            &mut held,
            "prefix-trie",
            &addresses,
            LOOKUPS,
            sum(|bits| trie.get_lpm(&(bits, 128)).map(|found| *found.1)),
        );
        let owner = |bits| finder.most_specific(Address::v6(bits)).map(|claim| claim.owner.0);
        run(&mut held, "most specific, read", &addresses, LOOKUPS, sum(owner));
        let owners =
            |bits| finder.covering(Address::v6(bits)).map(|claim| claim.owner.0).reduce(u32::wrapping_add);
        run(&mut held, "all covering, read", &addresses, LOOKUPS, sum(owners));
        let numbers = |bits| finder.registrations(Address::v6(bits)).reduce(u32::wrapping_add);
        run(&mut held, "all covering", &addresses, LOOKUPS, sum(numbers));
        held.finish();
    }
}

/// Building from a register in memory, writing, opening; and the room that a registration takes.
fn build_and_open(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a scratch directory");
    for (registrations, v6) in [(100_000, false), (1_000_000, false), (1_000_000, true)] {
        let register = register(registrations, v6);
        let path = directory.path().join("owners.dwi");
        let index = Index::build(&register).expect("it fits");
        index.write(&path).expect("the scratch directory can be written");
        let counts = index.counts();
        let bytes = (counts.bytes - counts.text_bytes) as f64 / counts.registrations as f64;
        println!(
            "{registrations} registrations, v6 {v6}: {} bytes, {bytes:.1} a registration without texts",
            counts.bytes
        );
        let mut timed = criterion
            .benchmark_group(format!("{}/{registrations}", if v6 { "index_v6" } else { "index_v4" }));
        timed
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        timed.bench_function("build", |bencher| {
            bencher.iter_batched(
                || (),
                |()| Index::build(&register).expect("it fits"),
                BatchSize::PerIteration,
            );
        });
        timed.bench_function("open", |bencher| {
            bencher.iter(|| Index::open(&path).expect("it was just written"))
        });
        timed.finish();
    }
}

criterion_group!(benches, lookups4, lookups6, build_and_open);
criterion_main!(benches);
