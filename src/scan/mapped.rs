//! A file as memory, and what happens when the file shrinks under it.
//!
//! [`Mapped`] is a read-only map of a whole regular file. Two things about such a map are beyond any program's power,
//! and every user of this module lives with them:
//!
//! * **The bytes can change while they are read**, when somebody writes to the file. Rust wants bytes behind a `&[u8]`
//!   to stay as they are; no map of a file can promise that. What reads a map must stay within bounds whatever the
//!   bytes are, and may trust nothing about them that it read before. That is why matched records are copied out and
//!   decided again from the copy, and why size, modification time and inode are compared at the end of a run.
//! * **The file can shrink.** A read beyond its new end is then a SIGBUS, which kills. Here it does not: a signal
//!   handler finds the map that the address lies in, puts zeros from that page to the end of the map, and raises the
//!   map's flag, [`Mapped::shrunk`]. Whoever read it asks for the flag before it believes anything, and publishes
//!   nothing. A page that cannot be read from a broken disk comes the same way.
//!
//! The handler takes no lock and allocates nothing: it looks into a fixed table of [`MAPS_MAX`] ranges, which maps
//! enter and leave with atomic stores. A SIGBUS of any other origin does what it did before.
#![allow(unsafe_code)] // the one module where a file becomes memory

use memmap2::{Advice, Mmap, UncheckedAdvice};
use rustix::fs::fadvise;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many files can be mapped at a time in one process.
pub const MAPS_MAX: usize = 64;

/// Most ranges of absent pages that are remembered.
const ABSENT_MAX: usize = 1 << 16;

/// Pages that the kernel is asked about at once.
const PAGES_ASKED: usize = 4096;

/// A whole file as read-only memory.
///
/// The operator's part: a dump should not be written to while it is read. If it is, no memory is harmed, the run
/// notices and publishes nothing.
#[derive(Debug)]
pub struct Mapped {
    /// `None`: the file was empty, of which there is no map.
    region: Option<Region>,
    /// If pages are let go of behind the reader.
    once: Option<Once>,
}

/// What a map is let go of by.
#[derive(Debug)]
struct Once {
    file: File,
    /// Pages that were not in memory when it was opened, as ranges of bytes, ascending.
    absent: Vec<Range<usize>>,
}

/// A map and its entry in the table. The entry goes first: see [`Drop`].
#[derive(Debug)]
struct Region {
    map: Mmap,
    entry: &'static Entry,
}

impl Mapped {
    /// Maps the first `bytes` bytes of a regular file, which should be its size.
    ///
    /// An error of kind [`io::ErrorKind::QuotaExceeded`] says that [`MAPS_MAX`] files are mapped already; the file
    /// can be read instead.
    pub fn new(file: &File, bytes: u64) -> io::Result<Self> {
        let length = usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if length == 0 {
            return Ok(Self { region: None, once: None });
        }
        install_handler()?;
        // SAFETY: the map is read-only and private to this module; that its bytes may change is told to every user in
        // the module's docs and survived by all of them; that its pages may vanish is handled by the entry below,
        // which is made before anybody can read a byte.
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(file)? };
        let start = map.as_ptr() as usize;
        let entry = Entry::claim(start..start + length).ok_or(io::ErrorKind::QuotaExceeded)?;
        // Advice is a hint; a kernel that does not know it reads all the same.
        let _ = map.advise(Advice::Sequential);
        Ok(Self { region: Some(Region { map, entry }), once: None })
    }

    /// The same, to be let go of behind the reader, but for the pages that are in memory now; `file` is the one that is mapped.
    #[must_use]
    pub fn once(self, file: File) -> Self {
        let absent = self.absent();
        Self { once: Some(Once { file, absent }), ..self }
    }

    /// Whether pages are let go of behind the reader.
    pub fn is_once(&self) -> bool {
        self.once.is_some()
    }

    /// The file's bytes, as they are at each moment of reading them; zeros where the file has shrunk.
    pub fn bytes(&self) -> &[u8] {
        self.region.as_ref().map_or(&[], |region| &region.map[..])
    }

    /// Whether a page could not be read: what was read since is not the file. Ask again after the last read.
    pub fn shrunk(&self) -> bool {
        self.region.as_ref().is_some_and(|region| region.entry.shrunk.load(Ordering::Acquire))
    }

    /// Brings a range of the file into memory and into the map, in one system call instead of a fault per page.
    ///
    /// Waits for the disk. Does nothing where the kernel cannot (before Linux 5.14) or the range is out of bounds.
    pub fn prefetch(&self, range: Range<usize>) {
        if let Some(Region { map, .. }) = &self.region
            && range.end <= map.len()
            && range.start < range.end
        {
            let _ = map.advise_range(Advice::PopulateRead, range.start, range.len());
        }
    }

    /// The parts of the map, in whole pages, that are not in memory, ascending.
    ///
    /// None where the kernel does not tell, as of a file that the process could not write to; only the first, where there are more than
    /// about 65,536 of them.
    pub fn absent(&self) -> Vec<Range<usize>> {
        let bytes = self.bytes().len();
        let page_bytes = rustix::param::page_size();
        let piece_bytes = page_bytes * PAGES_ASKED;
        let mut absent: Vec<Range<usize>> = Vec::new();
        let mut flags = [0u8; PAGES_ASKED];
        for start in (0..bytes).step_by(piece_bytes) {
            let length = piece_bytes.min(bytes - start);
            let piece = self.bytes()[start..].as_ptr().cast_mut();
            // SAFETY: the address is in the map and at a page, the length ends in it, and there is a byte for each page.
            if unsafe { libc::mincore(piece.cast(), length, flags.as_mut_ptr()) } != 0 {
                break;
            }
            let pages = flags.iter().take(length.div_ceil(page_bytes)).enumerate();
            for (page, _) in pages.filter(|(_, flags)| *flags & 1 == 0) {
                let first = start + page * page_bytes;
                let end = (first + page_bytes).min(bytes);
                match absent.last_mut() {
                    Some(last) if last.end == first => last.end = end,
                    _ => absent.push(first..end),
                }
            }
            if absent.len() >= ABSENT_MAX {
                break;
            }
        }
        absent
    }

    /// Gives back what it costs the system to map these bytes, if nobody reads them any more; whoever does maps them again.
    ///
    /// Done piece by piece, on all threads and while the system's tables are in their caches, it takes a fraction of what undoing
    /// the whole map takes at the end, on one (measured: 36 ms of one thread for a cached GB, 16 ms of two in pieces of 8 MiB).
    pub fn unmap(&self, range: Range<usize>) {
        let Some(Region { map, .. }) = &self.region else { return };
        let page_bytes = rustix::param::page_size();
        let (start, end) =
            (range.start.next_multiple_of(page_bytes), range.end.min(map.len()) / page_bytes * page_bytes);
        if start < end {
            // SAFETY: the map is of a file and read-only: its pages come back as the file has them.
            let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        }
    }

    /// Takes out of the map and out of the page cache what was brought in for a range and the page that it begins in. Whoever reads it
    /// again waits for the disk. Does nothing to a map that is not read [`once`](Self::once).
    pub fn let_go(&self, range: Range<usize>) {
        let (Some(Region { map, .. }), Some(Once { file, absent })) = (&self.region, &self.once) else {
            return;
        };
        let first = absent.partition_point(|pages| pages.end <= range.start);
        for pages in absent[first..].iter().take_while(|pages| pages.start < range.end) {
            let page_bytes = rustix::param::page_size();
            let start = pages.start.max(range.start / page_bytes * page_bytes);
            let end = match pages.end <= range.end {
                true => pages.end,
                false => range.end / page_bytes * page_bytes,
            };
            let Some(length) = end.checked_sub(start).filter(|length| *length > 0) else { continue };
            // SAFETY: the map is of a file and read-only: its pages come back as the file has them.
            let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, length) };
            // A hint too.
            let _ = fadvise(file, start as u64, NonZeroU64::new(length as u64), rustix::fs::Advice::DontNeed);
        }
    }
}

impl Drop for Region {
    /// Leaves the table before the map is undone: the addresses may be somebody else's right after.
    fn drop(&mut self) {
        self.entry.leave();
    }
}

/// A place in the table of mapped ranges.
///
/// `start` is [`FREE`], [`CLAIMED`] or the first address of a map; the other fields belong to whoever claimed it, and
/// are set before `start` is. While a thread reads a map, the map lives, so its entry stays as it is: what the handler
/// reads of the entry that holds the faulting address cannot change meanwhile.
#[derive(Debug)]
struct Entry {
    start: AtomicUsize,
    end: AtomicUsize,
    shrunk: AtomicBool,
}

const FREE: usize = 0;
/// No map starts at address 1.
const CLAIMED: usize = 1;

static ENTRIES: [Entry; MAPS_MAX] = [const {
    Entry { start: AtomicUsize::new(FREE), end: AtomicUsize::new(0), shrunk: AtomicBool::new(false) }
}; MAPS_MAX];

impl Entry {
    fn claim(addresses: Range<usize>) -> Option<&'static Self> {
        let entry = ENTRIES.iter().find(|entry| {
            entry.start.compare_exchange(FREE, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })?;
        entry.end.store(addresses.end, Ordering::Relaxed);
        entry.shrunk.store(false, Ordering::Relaxed);
        entry.start.store(addresses.start, Ordering::Release);
        Some(entry)
    }

    fn leave(&self) {
        self.start.store(CLAIMED, Ordering::Relaxed);
        self.end.store(0, Ordering::Release);
        self.start.store(FREE, Ordering::Release);
    }

    /// The range's end, if the range holds the address.
    fn end_if_holds(&self, address: usize) -> Option<usize> {
        let start = self.start.load(Ordering::Acquire);
        let end = self.end.load(Ordering::Acquire);
        // An entry that another thread enters or leaves at this moment does not hold our address; reading the start
        // twice keeps us from combining the halves of two ranges.
        let unchanged = self.start.load(Ordering::Acquire) == start;
        (start > CLAIMED && unchanged && (start..end).contains(&address)).then_some(end)
    }
}

/// Who handled SIGBUS before us, and the page size; set before the handler is installed.
static BEFORE: OnceLock<Before> = OnceLock::new();

struct Before {
    action: libc::sigaction,
    page_bytes: usize,
}

/// Installs the handler, once in the life of the process.
fn install_handler() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let error = || io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL);
        let page_bytes = rustix::param::page_size();
        // SAFETY: an all-zero sigaction is a valid value (default action, no flags, empty mask).
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: asks only; both pointers are null or to a live value of the right type.
        if unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut action) } != 0 {
            return Err(error());
        }
        BEFORE.get_or_init(|| Before { action, page_bytes });
        action.sa_sigaction = on_sigbus as *const () as usize;
        // ONSTACK: the stack may be what faulted. RESTART: no system call of another part fails because of us.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        // SAFETY: `action` is initialised, and its handler has the signature that SA_SIGINFO asks for.
        if unsafe { libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut()) } != 0 {
            return Err(error());
        }
        Ok(())
    });
    installed.map_err(io::Error::from_raw_os_error)
}

/// Runs on the thread that faulted, in the midst of whatever it did: atomics and system calls only.
extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: errno is this thread's own; the interrupted code may be about to read it, so it is put back below.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel passes a valid siginfo with SA_SIGINFO; si_addr means something only for a code above 0,
    // which is the kernel's own (below are kill(2) and its like).
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    if code <= 0 || !replace_with_zeros(address) {
        pass_on(signal, code);
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Puts zeros from the page that holds `address` to the end of its map; `false`: it is in no map of ours.
///
/// To the end, since a shrunken file misses all of it: one fault per map and thread instead of one per page.
fn replace_with_zeros(address: usize) -> bool {
    let Some(Before { page_bytes, .. }) = BEFORE.get() else { return false };
    let Some((entry, end)) = ENTRIES.iter().find_map(|entry| Some((entry, entry.end_if_holds(address)?)))
    else {
        return false;
    };
    let page = address & !(page_bytes - 1);
    // First the flag, then the zeros: whoever reads a zero finds the flag raised.
    entry.shrunk.store(true, Ordering::Release);
    // SAFETY: all of `page..end` is inside one map of ours (maps start at a page, and the kernel rounds its end up to
    // one), which lives, since the thread that faulted reads it. Zeros are as good as any other bytes of a map that
    // may change. mmap is a plain system call: it takes no lock of this process.
    let zeros = unsafe {
        libc::mmap(
            page as *mut libc::c_void,
            end - page,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    zeros != libc::MAP_FAILED
}

/// A fault goes to whoever handled it before us: it happens again on return. A signal that somebody sent does what it
/// does by default: the handler before ours is the standard library's, which would wait for a fault.
fn pass_on(signal: libc::c_int, code: libc::c_int) {
    // SAFETY: sigaction and raise may be called in a handler; the action is the default one, which is all zeros, or
    // the one that was in force before ours.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        let before = BEFORE.get().filter(|_| code > 0);
        libc::sigaction(signal, before.map_or(&default, |before| &before.action), std::ptr::null_mut());
        if code <= 0 {
            libc::raise(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn mapped(file: &File) -> Mapped {
        Mapped::new(file, file.metadata().unwrap().len()).unwrap()
    }

    #[test]
    fn the_map_is_the_file() {
        for length in [0, 1, 4095, 4096, 4097, 100_000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let map = mapped(&file_of(&bytes));
            map.prefetch(0..length);
            map.prefetch(0..length + 1);
            assert_eq!(map.bytes(), bytes);
            assert!(!map.shrunk());
        }
    }

    /// Reads every byte of a file of `pages` pages after it was cut to `kept` bytes.
    #[test]
    fn what_was_unmapped_is_mapped_again() {
        let bytes: Vec<u8> = (0..100_000).map(|at| (at / 7 % 251) as u8).collect();
        let map = mapped(&file_of(&bytes));
        for range in
            [0..0, 0..1, 1..4096, 0..8192, 5000..50_000, 90_000..100_000, 0..100_000, 99_999..200_000]
        {
            assert_eq!(map.bytes(), bytes);
            map.unmap(range);
        }
        assert_eq!(map.bytes(), bytes);
    }

    fn check_shrunk(pages: usize, kept: usize) {
        let page = rustix::param::page_size();
        let file = file_of(&vec![7; pages * page]);
        let map = mapped(&file);
        file.set_len(kept as u64).unwrap();
        let sum: usize = map.bytes().iter().map(|&byte| usize::from(byte)).sum();
        assert_eq!(sum, kept * 7, "what is gone reads as zeros");
        assert_eq!(map.shrunk(), kept.div_ceil(page) < pages, "{pages} pages cut to {kept} bytes");
    }

    #[test]
    fn a_file_that_shrinks_reads_as_zeros_and_raises_the_flag() {
        let page = rustix::param::page_size();
        for pages in [1, 2, 5] {
            for kept in [0, 1, page - 1, page, page + 1, (pages - 1) * page, pages * page] {
                if kept <= pages * page {
                    check_shrunk(pages, kept);
                }
            }
        }
    }

    #[test]
    fn only_the_map_of_the_file_that_shrank_is_flagged() {
        let files = [file_of(&[1; 10_000]), file_of(&[2; 10_000]), file_of(&[3; 10_000])];
        let maps = files.each_ref().map(mapped);
        files[1].set_len(0).unwrap();
        let sums = maps.each_ref().map(|map| map.bytes().iter().map(|&byte| u64::from(byte)).sum::<u64>());
        assert_eq!(sums, [10_000, 0, 30_000]);
        assert_eq!(maps.each_ref().map(Mapped::shrunk), [false, true, false]);
    }

    #[test]
    fn many_threads_may_fault_at_once() {
        let page = rustix::param::page_size();
        let file = file_of(&vec![7; 64 * page]);
        let map = mapped(&file);
        file.set_len(page as u64).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let map = &map;
                scope.spawn(move || {
                    let zeros = map.bytes().chunks(page).skip(1 + thread).all(|chunk| chunk[thread] == 0);
                    assert!(zeros);
                });
            }
        });
        assert!(map.shrunk());
    }

    #[test]
    fn a_place_in_the_table_is_free_again_after_use() {
        let file = file_of(&[1; 10]);
        for _ in 0..3 * MAPS_MAX {
            let map = mapped(&file);
            assert!(!map.shrunk());
        }
    }

    #[test]
    fn a_fault_in_a_map_that_is_not_ours_still_kills() {
        use std::os::unix::process::ExitStatusExt;
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "scan::mapped::tests::child_faults_elsewhere",
            "--ignored",
            "--test-threads=1",
        ]);
        let status =
            child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).status().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
    }

    #[test]
    #[ignore = "run by a_fault_in_a_map_that_is_not_ours_still_kills"]
    fn child_faults_elsewhere() {
        check_shrunk(2, 0);
        let file = file_of(&[7; 10_000]);
        // SAFETY: it is not: the file shrinks, and the read below faults, which is what is tested.
        let map = unsafe { Mmap::map(&file).unwrap() };
        file.set_len(0).unwrap();
        let sum: u64 = map.iter().map(|&byte| u64::from(byte)).sum();
        unreachable!("read {sum}");
    }
}
