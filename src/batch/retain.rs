//! `spool prune` and `spool forget`: what goes by time, and what goes on a person's word.

use super::failure::{Failure, Wanted};
use super::held::read_word;
use super::output::{note, print_json, print_lines};
use super::setup::{now, open_spool, read_config};
use super::spool::SpoolPlace;
use crate::config::{Config, KeepDays};
use crate::index::prune_kept;
use crate::moment::Moment;
use crate::spool::{Forget, Manifests, Pruned, Retention, Sought, Spool, prune_arrived};
use crate::text::show;
use std::collections::BTreeSet;
use std::path::Path;

/// What `spool forget` is asked.
pub struct ForgetRequest {
    /// Where.
    pub place: SpoolPlace,
    /// `--owner`.
    pub owner: Option<String>,
    /// `--address`.
    pub address: Option<String>,
    /// `--because`.
    pub because: String,
    /// `--by`.
    pub by: Option<String>,
    /// `--json`.
    pub json: bool,
}

/// The spool, which must be there, and of which what a crash left is removed.
fn open(place: &SpoolPlace, config: &Config) -> Result<Spool, Failure> {
    let path = place.path()?;
    Spool::is_at(&path).map_err(Failure::Spool)?;
    let spool = open_spool(Some(&path), config)?.expect("its path is given");
    spool.recover().map_err(Failure::Spool)?;
    Ok(spool)
}

/// `spool prune`: what is older than the days that are given, or than the retention says.
pub fn spool_prune(place: &SpoolPlace, older_than_days: Option<u16>) -> Result<u8, Failure> {
    let config = read_config(place.config.as_deref())?;
    let keep = KeepDays { notices: older_than_days.or(config.keep_days.notices), ..config.keep_days };
    if keep == KeepDays::default() {
        return Err(Failure::Usage(
            "nothing says what may go: give --older-than DAYS, or [retention] in the configuration"
                .to_owned(),
        ));
    }
    let spool = open(place, &config)?;
    let until = |days: Option<u16>| days.map(days_ago);
    let retention = Retention {
        notices_until: until(keep.notices),
        held_until: until(keep.held),
        manifests_until: until(keep.manifests),
    };
    let pruned = spool.prune_by(&retention).map_err(Failure::Spool)?;
    let lines: Vec<String> = pruned.retired.iter().map(|run| format!("retired {run}")).collect();
    print_lines(&lines)?;
    tell_pruned(&pruned);
    if let Some(index) = &config.index {
        prune_indexes(index, &spool)?;
    }
    if let Some(inbox) = &config.inbox {
        let (dumps, rejects) =
            prune_arrived(inbox, until(keep.dumps), until(keep.rejects)).map_err(Failure::Spool)?;
        if dumps + rejects > 0 {
            note(format_args!("{dumps} dumps removed from done, {rejects} files from failed"));
        }
    }
    Ok(0)
}

/// So many days before now, to the end of that second: what is exactly as old may go.
fn days_ago(days: u16) -> Moment {
    let at = now().unix_seconds() - i64::from(days) * 86_400;
    Moment::from_unix(at, 999_999_999).unwrap_or_else(now)
}

fn tell_pruned(pruned: &Pruned) {
    note(format_args!(
        "{} runs retired; {} old ones stay until all of them is sent, {} until a person decided what is held",
        pruned.retired.len(),
        pruned.unsent,
        pruned.held
    ));
    if pruned.held_removed + pruned.manifests_removed > 0 {
        note(format_args!(
            "what was held and is decided of {} runs removed, {} runs no longer remembered",
            pruned.held_removed, pruned.manifests_removed
        ));
    }
    if pruned.claims_left > 0 {
        note(format_args!(
            "{} claims in done hold files of another user (their mailer may remove them)",
            pruned.claims_left
        ));
    }
}

/// Builds of the index that no run names any more; that we may not remove them is no failure of the spool's.
fn prune_indexes(index: &Path, spool: &Spool) -> Result<(), Failure> {
    let mut named = BTreeSet::new();
    Manifests::open(spool.path())
        .and_then(|manifests| {
            manifests.each(|manifest, _| {
                named.insert(manifest.index);
            })
        })
        .map_err(Failure::Spool)?;
    match prune_kept(index, &named) {
        Ok((0, _)) => {}
        Ok((removed, left)) => note(format_args!(
            "{removed} builds of the index that no run names any more removed, {left} stay"
        )),
        Err(error) => note(format_args!(
            "warning: builds of the index that no run names stay: {}",
            Failure::file(index, Wanted::Create, error)
        )),
    }
    Ok(())
}

/// `spool forget`: what the spool holds for an owner or about an address.
pub fn spool_forget(request: &ForgetRequest) -> Result<u8, Failure> {
    let what = match (&request.owner, &request.address) {
        (Some(owner), None) if !owner.trim().is_empty() => Forget::Owner(owner.clone()),
        (None, Some(address)) => match Sought::read(address) {
            Sought::Address(address) => Forget::Address(address),
            Sought::Prefix(prefix) => Forget::Prefix(prefix),
            Sought::Owner(_) | Sought::Alert(_) | Sought::Reference(_) => {
                let shown = show(address.as_bytes(), 64);
                return Err(Failure::Usage(format!("--address {shown} is neither an address nor a prefix")));
            }
        },
        _ => return Err(Failure::Usage("give --owner ID or --address ADDRESS".to_owned())),
    };
    let word = read_word(&request.because, request.by.as_deref())?;
    let config = read_config(request.place.config.as_deref())?;
    let forgotten = open(&request.place, &config)?.forget(&what, &word, now()).map_err(Failure::Spool)?;
    if request.json {
        print_json(&forgotten)?;
    } else {
        print_lines(&[format!(
            "{} alerts and {} held ones of {} runs forgotten, {} files gone",
            forgotten.alerts, forgotten.held, forgotten.runs, forgotten.notices
        )])?;
    }
    if forgotten.notes_left > 0 {
        note(format_args!("{} notes of mailers stay, which only they can remove", forgotten.notes_left));
    }
    note(format_args!("not forgotten: dumps, the register, its indexes, and what mailers keep"));
    Ok(0)
}
