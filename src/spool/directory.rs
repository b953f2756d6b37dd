//! One open directory: every system call of the spool is made here, relative to a descriptor.
//!
//! Names inside the spool are never followed through symbolic links, so that whoever may write in one directory of it
//! cannot lead us into another. The path serves messages only.

use super::error::SpoolError;
use rustix::fs::{
    Access, AtFlags, Dir, FileType, FlockOperation, Gid, Mode, OFlags, RenameFlags, Stat, StatxFlags,
    Timespec, Timestamps, UTIME_OMIT,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Directories inside the spool lie no deeper than this; deeper ones are not ours to remove.
const DEPTH_MAX: usize = 8;

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

/// What a listing says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Entry {
    pub(super) name: OsString,
    pub(super) is_directory: bool,
}

/// Where a directory lies: device and, since a bind mount is a border too, mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileSystem {
    device: (u32, u32),
    mount: u64,
}

impl Directory {
    /// Opens a directory outside the spool, or the spool itself, where links are the operator's own.
    pub(super) fn find_path(path: &Path) -> Result<Option<Self>, Errno> {
        match rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: path.to_owned() })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Opens a directory in this one; `None` if there is nothing of that name.
    pub(super) fn find(&self, name: impl AsRef<OsStr>) -> Result<Option<Self>, SpoolError> {
        let name = name.as_ref();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: self.path.join(name) })),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(SpoolError::NotDirectory { path: self.path.join(name) }),
            Err(errno) => Err(self.error("open", name, errno)),
        }
    }

    /// Opens a directory that must be there.
    pub(super) fn open(&self, name: impl AsRef<OsStr>) -> Result<Self, SpoolError> {
        let name = name.as_ref();
        self.find(name)?.ok_or_else(|| self.error("open", name, Errno::NOENT))
    }

    /// Makes a directory with exactly `mode`, whatever the umask, and perhaps of a group of its own.
    pub(super) fn create(&self, name: &str, mode: Mode, group: Option<Gid>) -> Result<Self, SpoolError> {
        rustix::fs::mkdirat(&self.fd, name, Mode::RWXU).map_err(|errno| self.error("create", name, errno))?;
        let made = self.open(name)?;
        if let Some(group) = group {
            made.give_to(group)?;
        }
        made.set_mode(mode)?;
        Ok(made)
    }

    /// Makes a directory, and says whether it was there before.
    pub(super) fn claim(&self, name: &str) -> Result<bool, SpoolError> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o750)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(self.error("create", name, errno)),
        }
    }

    /// Gives the directory to a group; keeps the owner.
    pub(super) fn give_to(&self, group: Gid) -> Result<(), SpoolError> {
        match rustix::fs::fchown(&self.fd, None, Some(group)) {
            Ok(()) => Ok(()),
            Err(Errno::PERM) => {
                Err(SpoolError::GroupRefused { path: self.path.clone(), group: group.as_raw().to_string() })
            }
            Err(errno) => Err(SpoolError::system("change the group of", &self.path, errno)),
        }
    }

    /// Sets the mode, special bits included.
    pub(super) fn set_mode(&self, mode: Mode) -> Result<(), SpoolError> {
        rustix::fs::fchmod(&self.fd, mode)
            .map_err(|errno| SpoolError::system("change the mode of", &self.path, errno))
    }

    /// Makes a file that was not there, with exactly `mode`.
    pub(super) fn create_file(&self, name: impl AsRef<OsStr>, mode: Mode) -> Result<File, SpoolError> {
        let name = name.as_ref();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, mode)
            .map_err(|errno| self.error("create", name, errno))?;
        rustix::fs::fchmod(&fd, mode).map_err(|errno| self.error("change the mode of", name, errno))?;
        Ok(File::from(fd))
    }

    /// Makes a file without a name, to write and read; the system takes it back when it is closed.
    pub(super) fn unnamed_file(&self) -> Result<File, SpoolError> {
        const SCRATCH: &str = "scratch";
        let mode = Mode::RUSR | Mode::WUSR;
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, ".", flags | OFlags::TMPFILE, mode) {
            Ok(fd) => return Ok(File::from(fd)),
            // Which of the two depends on the file system and the kernel; open(2) names both.
            Err(Errno::OPNOTSUPP | Errno::ISDIR) => {}
            Err(errno) => return Err(self.error("create", SCRATCH, errno)),
        }
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(&self.fd, SCRATCH, flags, mode)
            .map_err(|errno| self.error("create", SCRATCH, errno))?;
        self.remove_file(SCRATCH)?;
        Ok(File::from(fd))
    }

    /// Opens the file that a lock is taken on, making it if need be.
    pub(super) fn lock_file(&self, name: &str) -> Result<OwnedFd, SpoolError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| self.error("open", name, errno))
    }

    /// Opens a regular file to read; `None` if there is nothing of that name.
    pub(super) fn find_file(&self, name: impl AsRef<OsStr>) -> Result<Option<File>, SpoolError> {
        let name = name.as_ref();
        // NONBLOCK: a FIFO in place of a file must not make us wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let not_regular = || SpoolError::damaged(self.path.join(name), "not a regular file");
        let fd = match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(not_regular()),
            Err(errno) => return Err(self.error("open", name, errno)),
        };
        let stat = rustix::fs::fstat(&fd).map_err(|errno| self.error("look at", name, errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Some(File::from(fd))),
            _ => Err(not_regular()),
        }
    }

    /// All entries, in the order of their names.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, SpoolError> {
        let failed = |errno| SpoolError::system("list", &self.path, errno);
        let mut entries = Vec::new();
        for found in Dir::read_from(&self.fd).map_err(failed)? {
            let found = found.map_err(failed)?;
            let name = OsString::from_vec(found.file_name().to_bytes().to_vec());
            if name == "." || name == ".." {
                continue;
            }
            let is_directory = match found.file_type() {
                FileType::Directory => true,
                FileType::Unknown => self.stat(&name)?.is_some_and(|stat| is_directory(&stat)),
                _ => false,
            };
            entries.push(Entry { name, is_directory });
        }
        entries.sort_unstable();
        Ok(entries)
    }

    /// Whether anything has that name.
    pub(super) fn holds(&self, name: impl AsRef<OsStr>) -> Result<bool, SpoolError> {
        Ok(self.stat(name)?.is_some())
    }

    /// What an entry is, itself and not what it points to; `None` if nothing has that name.
    pub(super) fn stat(&self, name: impl AsRef<OsStr>) -> Result<Option<Stat>, SpoolError> {
        let name = name.as_ref();
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.error("look at", name, errno)),
        }
    }

    /// Whether an open directory is what has that name here.
    pub(super) fn is_at(&self, inner: &Self, name: impl AsRef<OsStr>) -> Result<bool, SpoolError> {
        let (ours, there) = (inner.own_stat()?, self.stat(name)?);
        Ok(there.is_some_and(|there| (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)))
    }

    /// What this directory is.
    pub(super) fn own_stat(&self) -> Result<Stat, SpoolError> {
        rustix::fs::fstat(&self.fd).map_err(|errno| SpoolError::system("look at", &self.path, errno))
    }

    /// Where this directory lies.
    pub(super) fn file_system(&self) -> Result<FileSystem, SpoolError> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let found = rustix::fs::statx(&self.fd, "", AtFlags::EMPTY_PATH, wanted)
            .map_err(|errno| SpoolError::system("look at", &self.path, errno))?;
        // Before Linux 5.8 no mount is told, and a bind mount shows only when the rename fails.
        let tells_mount = found.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        let mount = if tells_mount { found.stx_mnt_id } else { 0 };
        Ok(FileSystem { device: (found.stx_dev_major, found.stx_dev_minor), mount })
    }

    /// Bytes of the file system that it lies on, and those that are left for a process without privileges.
    pub(super) fn disk(&self) -> Result<(u64, u64), SpoolError> {
        let found = rustix::fs::fstatvfs(&self.fd)
            .map_err(|errno| SpoolError::system("look at the file system of", &self.path, errno))?;
        Ok((found.f_blocks.saturating_mul(found.f_frsize), found.f_bavail.saturating_mul(found.f_frsize)))
    }

    /// Whether this process may make and remove entries here.
    pub(super) fn check_writable(&self) -> Result<(), SpoolError> {
        let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        match rustix::fs::accessat(&self.fd, ".", access, AtFlags::EACCESS) {
            Ok(()) | Err(Errno::NOSYS) => Ok(()),
            Err(errno) => Err(SpoolError::system("write in", &self.path, errno)),
        }
    }

    /// Renames an entry into `to`; what has that name there, if an empty directory or a file, is replaced.
    pub(super) fn rename(&self, name: &str, to: &Self, new_name: &str) -> Result<(), SpoolError> {
        self.rename_with(OsStr::new(name), to, OsStr::new(new_name), RenameFlags::empty())
    }

    /// Renames an entry into `to`, where nothing may have that name.
    pub(super) fn rename_new(
        &self,
        name: impl AsRef<OsStr>,
        to: &Self,
        new_name: impl AsRef<OsStr>,
    ) -> Result<(), SpoolError> {
        self.rename_with(name.as_ref(), to, new_name.as_ref(), RenameFlags::NOREPLACE)
    }

    /// Exchanges an entry with one of `to`: at each moment both names stand for one of the two.
    pub(super) fn exchange(&self, name: &str, to: &Self, other: &str) -> Result<(), SpoolError> {
        match self.rename_with(OsStr::new(name), to, OsStr::new(other), RenameFlags::EXCHANGE) {
            Err(SpoolError::System { source, .. })
                if source.raw_os_error() == Some(Errno::INVAL.raw_os_error()) =>
            {
                Err(SpoolError::NoSafeRename { path: to.path.clone() })
            }
            done => done,
        }
    }

    /// Sets when the directory says it was last changed.
    pub(super) fn set_modified(&self, seconds: i64, nanos: u32) -> Result<(), SpoolError> {
        set_modified(&self.fd, seconds, nanos)
            .map_err(|errno| SpoolError::system("set the time of", &self.path, errno))
    }

    /// Gives a file a second name in `to`; `false` if something has that name there.
    pub(super) fn link_new(&self, name: &str, to: &Self, new_name: &str) -> Result<bool, SpoolError> {
        match rustix::fs::linkat(&self.fd, name, &to.fd, new_name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(to.error("link to", new_name, errno)),
        }
    }

    fn rename_with(
        &self,
        name: &OsStr,
        to: &Self,
        new_name: &OsStr,
        how: RenameFlags,
    ) -> Result<(), SpoolError> {
        match rustix::fs::renameat_with(&self.fd, name, &to.fd, new_name, how) {
            Ok(()) => Ok(()),
            Err(Errno::XDEV) => {
                Err(SpoolError::OtherFileSystem { path: self.path.clone(), other: to.path.clone() })
            }
            Err(Errno::INVAL | Errno::NOSYS) if how == RenameFlags::NOREPLACE => {
                Err(SpoolError::NoSafeRename { path: to.path.clone() })
            }
            Err(errno) => Err(to.error("rename to", new_name, errno)),
        }
    }

    /// Removes a file; that it is gone already is no error.
    pub(super) fn remove_file(&self, name: impl AsRef<OsStr>) -> Result<(), SpoolError> {
        self.unlink(name.as_ref(), AtFlags::empty())
    }

    /// Removes an empty directory; that it is gone already is no error.
    pub(super) fn remove_directory(&self, name: impl AsRef<OsStr>) -> Result<(), SpoolError> {
        self.unlink(name.as_ref(), AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: &OsStr, flags: AtFlags) -> Result<(), SpoolError> {
        match rustix::fs::unlinkat(&self.fd, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.error("remove", name, errno)),
        }
    }

    /// Removes an entry and all below it; that it is gone already is no error.
    pub(super) fn remove_tree(&self, name: impl AsRef<OsStr>) -> Result<(), SpoolError> {
        self.remove_tree_to(name.as_ref(), DEPTH_MAX)
    }

    fn remove_tree_to(&self, name: &OsStr, depth_left: usize) -> Result<(), SpoolError> {
        let Some(stat) = self.stat(name)? else { return Ok(()) };
        if !is_directory(&stat) {
            return self.remove_file(name);
        }
        if depth_left == 0 {
            return Err(self.error("remove", name, Errno::LOOP));
        }
        let Some(inner) = self.find(name)? else { return Ok(()) };
        for entry in inner.entries()? {
            match entry.is_directory {
                true => inner.remove_tree_to(&entry.name, depth_left - 1)?,
                false => inner.remove_file(&entry.name)?,
            }
        }
        self.remove_directory(name)
    }

    /// Makes the entries of this directory outlive a power failure.
    pub(super) fn sync(&self) -> Result<(), SpoolError> {
        rustix::fs::fsync(&self.fd).map_err(|errno| SpoolError::system("make durable", &self.path, errno))
    }

    /// Makes all that was written to the file system since this directory was opened outlive a power failure.
    ///
    /// Linux tells a descriptor of every write-back that failed since the descriptor was opened (syncfs(2)), so this
    /// directory must have been opened before the first write.
    pub(super) fn sync_file_system(&self) -> Result<(), SpoolError> {
        rustix::fs::syncfs(&self.fd)
            .map_err(|errno| SpoolError::system("make durable the file system of", &self.path, errno))
    }

    /// Takes the lock on this directory, which lasts until it is closed; `false` if another holds it.
    pub(super) fn try_lock(&self) -> Result<bool, SpoolError> {
        try_lock(&self.fd).map_err(|errno| SpoolError::system("lock", &self.path, errno))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, action: &'static str, name: impl AsRef<OsStr>, errno: Errno) -> SpoolError {
        SpoolError::system(action, self.path.join(name.as_ref()), errno)
    }
}

/// Takes the lock on an open file; `false` if another holds it.
pub(super) fn try_lock(fd: &OwnedFd) -> Result<bool, Errno> {
    match rustix::fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Sets when a file says it was last changed.
pub(super) fn set_modified(fd: impl AsFd, seconds: i64, nanos: u32) -> Result<(), Errno> {
    let modified = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    let times =
        Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: modified };
    rustix::fs::futimens(fd, &times)
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}
