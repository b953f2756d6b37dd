//! What has arrived and is done with: removed by age from the inbox's `done` and `failed`.
//!
//! A file's age is that of its last change of place (its ctime), not of its content: a dump may be old when it arrives.

use super::directory::Directory;
use super::error::SpoolError;
use super::inbox::{DONE, FAILED};
use super::names::FeedName;
use crate::moment::Moment;
use std::path::Path;

/// Removes files that came to `done` and to `failed`, beside the inbox at `inbox`, until then or before; returns how many of each.
///
/// Works beside the daemon, which never touches what is there. Directories, links and feeds that are none stay.
pub fn prune_arrived(
    inbox: &Path,
    done_until: Option<Moment>,
    failed_until: Option<Moment>,
) -> Result<(u64, u64), SpoolError> {
    let beside = inbox.parent().unwrap_or(Path::new("."));
    let beside = if beside.as_os_str().is_empty() { Path::new(".") } else { beside };
    let found = Directory::find_path(beside).map_err(|errno| SpoolError::system("open", beside, errno))?;
    let Some(beside) = found else { return Ok((0, 0)) };
    Ok((prune_place(&beside, DONE, done_until)?, prune_place(&beside, FAILED, failed_until)?))
}

fn prune_place(beside: &Directory, name: &str, until: Option<Moment>) -> Result<u64, SpoolError> {
    let Some(until) = until else { return Ok(0) };
    let Some(place) = beside.find(name)? else { return Ok(0) };
    let mut removed = 0;
    for feed in super::claim::directories_in(&place, |name| FeedName::read(name).ok())? {
        let Some(feed) = place.find(feed.as_str())? else { continue };
        for entry in feed.entries()?.into_iter().filter(|entry| !entry.is_directory) {
            if feed.stat(&entry.name)?.is_some_and(|stat| stat.st_ctime <= until.unix_seconds()) {
                feed.remove_file(&entry.name)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
