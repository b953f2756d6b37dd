//! The key of a spool's opaque references.
//!
//! ```text
//! reference.key      0600, 32 random bytes; made when the first run needs it, and then never changed
//! ```
//!
//! It stands in the spool itself, where neither recovery nor prune nor forget looks, and is copied with it. Who loses it loses the
//! way from references to records, not from references to alerts: those stand in the lines. Two spools that are given the same
//! file before their first run make the same references.

use super::claim::open_root;
use super::directory::Directory;
use super::error::SpoolError;
use super::forget::write_durably;
use super::layout::Spool;
use crate::alert::{REFERENCE_KEY_BYTES, ReferenceKey};
use rustix::fs::Mode;
use std::io::Read;
use std::path::Path;

/// The file in the spool.
pub const REFERENCE_KEY_FILE: &str = "reference.key";
const MODE: Mode = Mode::from_raw_mode(0o600);

impl Spool {
    /// The key of the spool's references; made, durably, if there is none yet.
    pub fn reference_key(&self) -> Result<ReferenceKey, SpoolError> {
        if let Some(key) = find(&self.root)? {
            return Ok(key);
        }
        let _lock = self.lock()?;
        // Another process was faster.
        if let Some(key) = find(&self.root)? {
            return Ok(key);
        }
        let secret = random_bytes(&self.root)?;
        let name = format!("reference.{}", std::process::id());
        self.tmp.remove_file(&name)?;
        write_durably(&self.tmp, &name, MODE, &secret, None)?;
        self.tmp.rename_new(&name, &self.root, REFERENCE_KEY_FILE)?;
        self.root.sync()?;
        Ok(ReferenceKey::new(&secret))
    }
}

/// The key of the references of the spool at `path`; `None` if no run of it needed one yet, or there is no spool. Makes nothing.
pub fn find_reference_key(path: &Path) -> Result<Option<ReferenceKey>, SpoolError> {
    match open_root(path) {
        Ok(root) => find(&root),
        Err(SpoolError::NoSpool { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn find(root: &Directory) -> Result<Option<ReferenceKey>, SpoolError> {
    let Some(file) = root.find_file(REFERENCE_KEY_FILE)? else { return Ok(None) };
    let path = || root.path().join(REFERENCE_KEY_FILE);
    let mut secret = Vec::with_capacity(REFERENCE_KEY_BYTES + 1);
    file.take(REFERENCE_KEY_BYTES as u64 + 1)
        .read_to_end(&mut secret)
        .map_err(|error| SpoolError::system("read", path(), error))?;
    let secret: &[u8; REFERENCE_KEY_BYTES] = secret.as_slice().try_into().map_err(|_| {
        let problem = format!(
            "no key of {REFERENCE_KEY_BYTES} bytes (restore it; removed, a new one is made, which leads to no earlier record)"
        );
        SpoolError::damaged(path(), problem)
    })?;
    Ok(Some(ReferenceKey::new(secret)))
}

fn random_bytes(root: &Directory) -> Result<[u8; REFERENCE_KEY_BYTES], SpoolError> {
    let mut secret = [0; REFERENCE_KEY_BYTES];
    // So few bytes come whole or not at all: getrandom(2).
    match rustix::rand::getrandom(&mut secret, rustix::rand::GetRandomFlags::empty()) {
        Ok(_) => Ok(secret),
        Err(errno) => {
            Err(SpoolError::system("get random bytes for", root.path().join(REFERENCE_KEY_FILE), errno))
        }
    }
}
