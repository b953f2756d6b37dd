//! `index build|info|verify`.

use super::failure::Failure;
use super::output::{note, print_json, print_lines};
use super::setup::{keep_inputs, now, read_config, read_register};
use crate::index::{Coverage, Index};
use crate::policy::check_change;
use crate::register::{Register, Report, Scope, lint};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What `index build` is asked.
pub struct BuildRequest {
    /// `--config`, which says how much may move.
    pub config: Option<PathBuf>,
    /// `--output`.
    pub output: PathBuf,
    /// The register files, in order of precedence.
    pub sources: Vec<PathBuf>,
    /// `--keep-going`.
    pub keep_going: bool,
    /// `--accept-changes`.
    pub accept_changes: Option<String>,
    /// `--quiet`.
    pub quiet: bool,
}

/// `index build`: compiles register files into an index; the old one stays if anything is wrong.
pub fn index_build(request: &BuildRequest) -> Result<u8, Failure> {
    let BuildRequest { output, sources, keep_going, accept_changes, quiet, .. } = request;
    let (keep_going, quiet) = (*keep_going, *quiet);
    if output == Path::new("-") {
        return Err(Failure::Usage("an index is written to a file: name one with -o".to_owned()));
    }
    keep_inputs(&[output], &sources.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    let change_max = read_config(request.config.as_deref())?.change_max;
    let started = Instant::now();
    let (register, report) = read_register(sources, keep_going, quiet)?;
    if report.bad_rows > 0 {
        note(format_args!("{} of {} register rows skipped", report.bad_rows, report.rows));
    }
    print_public(&register, &report);
    if !quiet {
        super::lint::tell(&lint(&register, now().day()));
    }
    let index = Index::build(&register).map_err(Failure::Build)?;
    check_change(output, &index, now().day(), change_max, accept_changes.as_deref())
        .map_err(Failure::Moves)?;
    index.write_after(output).map_err(Failure::Write)?;
    let counts = index.counts();
    note(format_args!(
        "{}: {} registrations of {} owners in {} bytes, id {}, {:.2} s",
        output.display(),
        counts.registrations,
        counts.owners,
        counts.bytes,
        id_text(&index),
        started.elapsed().as_secs_f64()
    ));
    Ok(0)
}

/// What became of what public databases say.
fn print_public(register: &Register, report: &Report) {
    let ripe = report.ripe;
    if ripe.objects > 0 {
        note(format_args!(
            "RIPE: {} objects: {} networks, {} AS numbers, {} organisations, {} roles, {} routes, {} others, {} broken",
            ripe.objects,
            ripe.networks,
            ripe.asns,
            ripe.organisations,
            ripe.roles,
            ripe.routes,
            ripe.others,
            ripe.broken
        ));
        note(format_args!(
            "RIPE: {} registrations of users, {} of network owners; {} assignments; {} out of scope, {} Dutch without an abuse contact, {} repeated",
            ripe.users, ripe.owners, ripe.assignments, ripe.out_of_scope, ripe.without_desk, ripe.repeated
        ));
    }
    if !register.delegations.is_empty() {
        note(format_args!(
            "delegated to the Netherlands: {} blocks of addresses",
            register.delegations.blocks().len()
        ));
    }
    if !register.origins.is_empty() {
        note(format_args!("announced: {} pairs of prefix and AS number", register.origins.len()));
    }
    if report.skipped > 0 {
        note(format_args!("{} objects and lines of public databases skipped", report.skipped));
    }
}

/// The id as text.
pub(super) fn id_text(index: &Index) -> String {
    blake3::Hash::from_bytes(index.id()).to_hex().to_string()
}

/// `index info`: what an index holds, or what it has of one owner.
pub fn index_info(file: &Path, owner: Option<&str>, as_json: bool) -> Result<u8, Failure> {
    let index = Index::open(file).map_err(Failure::Open)?;
    if let Some(id) = owner {
        return super::member::member(&index, id, as_json);
    }
    let counts = index.counts();
    let coverage = Coverage::of(&index);
    if as_json {
        print_json(&json!({
            "id": id_text(&index),
            "version": counts.version,
            "owners": counts.owners,
            "registrations": counts.registrations,
            "ipv4": counts.ipv4,
            "ipv6": counts.ipv6,
            "domains": counts.domains,
            "asns": counts.asns,
            "bytes": counts.bytes,
            "assignments": index.assignments().count(),
            "scopes": scopes_json(&index),
        }))?;
        return Ok(0);
    }
    let mut lines = vec![
        format!("id            {}", id_text(&index)),
        format!("version       {}", counts.version),
        format!("owners        {}", counts.owners),
        format!("registrations {}", counts.registrations),
        format!("  ipv4        {} ({} addresses)", counts.ipv4, coverage.ipv4_addresses()),
        format!("  ipv6        {} ({:.3e} addresses)", counts.ipv6, coverage.ipv6_addresses() as f64),
        format!("  domains     {}", counts.domains),
        format!("  asns        {}", counts.asns),
        format!("bytes         {} ({} of text)", counts.bytes, counts.text_bytes),
    ];
    lines.extend(scope_lines(&index));
    lines.extend(
        index.source_names().map(|name| format!("source        {}", crate::text::show(name.as_bytes(), 256))),
    );
    print_lines(&lines)?;
    Ok(0)
}

/// How each part of the addresses comes to be in the register, once any of it is from the RIPE database.
fn scope_lines(index: &Index) -> Vec<String> {
    let scopes = Scope::ALL.map(|scope| (scope, Coverage::of_scope(index, scope)));
    if scopes[1..].iter().all(|(_, coverage)| *coverage == Coverage::default()) {
        return Vec::new();
    }
    let line = |(scope, coverage): &(Scope, Coverage)| {
        let (ipv4, ipv6) = (coverage.ipv4_addresses(), coverage.ipv6_addresses() as f64);
        format!("{scope:<13} {ipv4} IPv4 addresses, {ipv6:.3e} IPv6 addresses")
    };
    let assignments = format!("assignments   {}", index.assignments().count());
    scopes.iter().map(line).chain([assignments]).collect()
}

/// The same for programs; IPv6 is counted in /64s, since addresses do not fit.
fn scopes_json(index: &Index) -> serde_json::Value {
    let scope = |scope: Scope| {
        let coverage = Coverage::of_scope(index, scope);
        let counts = json!({"ipv4_addresses": coverage.ipv4_addresses(), "ipv6_64s": (coverage.ipv6_addresses() >> 64) as u64});
        (scope.as_str().to_owned(), counts)
    };
    serde_json::Value::Object(Scope::ALL.map(scope).into_iter().collect())
}

/// `index verify`: 0, or 65 with what is wrong.
pub fn index_verify(file: &Path) -> Result<u8, Failure> {
    let index = Index::open(file).map_err(Failure::Open)?;
    index.verify().map_err(|wrong| {
        Failure::Data(format!("{}: {wrong} (build it again: dijkwacht index build)", file.display()))
    })?;
    print_lines(&[format!("{}: correct, id {}", file.display(), id_text(&index))])?;
    Ok(0)
}
