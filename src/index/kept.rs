//! Builds that were replaced: they stay, so that what was decided with them can be explained.
//!
//! ```text
//! owners.dwi                     the index of now
//! owners.dwi.d/<id>.dwi          builds before it, each under its whole id; a second name (hard link) of what was replaced
//! ```
//!
//! A build is given its second name before the next is renamed over it, so that none is ever lost. It stays until no run in the
//! spool names it, and whoever knows the runs says so ([`prune_kept`]).

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// As the index itself: it names people's contacts.
const DIRECTORY_MODE: u32 = 0o750;

/// Where the builds before the index at `path` are kept.
pub fn kept_directory(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".d");
    path.with_file_name(name)
}

/// The build with this id, as 64 hexadecimal digits, that the index at `path` replaced.
pub fn find_kept(path: &Path, id: &str) -> Option<PathBuf> {
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let file = kept_directory(path).join(format!("{id}.dwi"));
    (is_id && file.is_file()).then_some(file)
}

/// Keeps the build at `path`, whose id is `id`: call it before the next one is renamed over it.
pub(super) fn keep(path: &Path, id: [u8; 32]) -> io::Result<()> {
    let directory = kept_directory(path);
    match fs::DirBuilder::new().mode(DIRECTORY_MODE).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let id = blake3::Hash::from_bytes(id).to_hex();
    match fs::hard_link(path, directory.join(format!("{id}.dwi"))) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(&directory)?.sync_all(),
    }
}

/// Removes the kept builds of the index at `path` that are not among `named` ids; returns how many went and how many stay.
///
/// What is no build is left alone. That there are none is no error.
pub fn prune_kept(path: &Path, named: &BTreeSet<String>) -> io::Result<(u64, u64)> {
    let (mut removed, mut left) = (0, 0);
    let entries = match fs::read_dir(kept_directory(path)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".dwi")) else { continue };
        if id.len() != 64 {
            continue;
        }
        if named.contains(id) {
            left += 1;
        } else {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok((removed, left))
}

#[cfg(test)]
mod tests {
    use super::super::Index;
    use super::*;
    use crate::register::{ReadOptions, Register};

    fn index(network: &str) -> Index {
        let text = format!("owner_id,network,contact\na,{network},a@a.example\n");
        let read = Register::read_bytes(&[("r.csv", text.as_bytes())], &ReadOptions::default());
        Index::build(&read.unwrap().0).unwrap()
    }

    fn id(index: &Index) -> String {
        blake3::Hash::from_bytes(index.id()).to_hex().to_string()
    }

    #[test]
    fn a_build_that_is_replaced_stays_until_nobody_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("owners.dwi");
        let builds: Vec<Index> = (0..4).map(|i| index(&format!("198.18.{i}.0/24"))).collect();
        builds[0].write_after(&path).unwrap();
        builds[0].write_after(&path).unwrap();
        assert!(!kept_directory(&path).exists(), "nothing was replaced by another");
        for build in &builds[1..] {
            build.write_after(&path).unwrap();
        }
        for build in &builds[..3] {
            let kept = find_kept(&path, &id(build)).expect("it was replaced");
            assert_eq!(Index::open(&kept).unwrap().id(), build.id());
        }
        assert_eq!(find_kept(&path, &id(&builds[3])), None, "it is the index of now");
        assert_eq!(find_kept(&path, "../owners"), None);
        let named = BTreeSet::from([id(&builds[1])]);
        assert_eq!(prune_kept(&path, &named).unwrap(), (2, 1));
        assert_eq!(prune_kept(&path, &named).unwrap(), (0, 1));
        assert!(find_kept(&path, &id(&builds[1])).is_some() && find_kept(&path, &id(&builds[0])).is_none());
        assert_eq!(prune_kept(&directory.path().join("none"), &named).unwrap(), (0, 0));
    }

    #[test]
    fn what_is_no_index_is_replaced_and_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("owners.dwi");
        fs::write(&path, "something else").unwrap();
        index("198.18.0.0/24").write_after(&path).unwrap();
        assert!(Index::open(&path).is_ok() && !kept_directory(&path).exists());
    }
}
