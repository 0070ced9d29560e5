//! Who looks at the index right now, and since when.
//!
//! In:  a seat for each snapshot, taken before it begins and given back after it ends.
//! Out: how many there are, how old the oldest is and which thread took it.
//!
//! An open snapshot keeps every page it sees from being used again, so the index grows for as long as one is held: whoever
//! holds one too long is to be found. LMDB's own table knows no time. A seat is one atomic word; taking it costs a look at
//! the kernel's coarse clock and one exchange, most often at a place where no other thread looks.

use ringpost_api::Error;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// Snapshots at once: one for each command that is looking right now.
pub const READERS_MAX: usize = 1_024;

/// Seats besides, for work that takes long and for looks at the index as a whole.
pub const READERS_LONG: usize = 8;

/// Bits of a seat that hold the thread's number; Linux counts threads up to 2^22.
const THREAD_BITS: u32 = 22;
/// Set in a seat whose holder may take long: a backup, a check of everything.
const PATIENT: u64 = 1 << 63;

/// All seats. 0 is a free one; else milliseconds and 1, the thread, and perhaps [`PATIENT`].
pub(crate) struct Readers {
    seats: Box<[AtomicU64]>,
    /// Those of commands; the others come behind.
    commands: usize,
    begun_ms: u64,
}

/// A seat that is taken.
pub(crate) struct Seat<'r>(&'r AtomicU64);

/// How long a snapshot may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// One command's time.
    Command,
    /// As long as it takes: nobody is warned.
    Long,
}

/// A snapshot that is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub age_ms: u64,
    /// The thread that took it.
    pub thread: u32,
}

/// Everyone who is looking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Company {
    pub readers: u32,
    /// The oldest of all.
    pub oldest: Held,
    /// The oldest whose holder has one command's time.
    pub oldest_command: Held,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

impl Readers {
    pub fn new(commands: usize) -> Self {
        let seats = 0..commands + READERS_LONG;
        Readers {
            seats: seats.map(|_| AtomicU64::new(0)).collect(),
            commands,
            begun_ms: clock_ms(),
        }
    }

    /// A seat, unless all are taken.
    pub fn take(&self, patience: Patience) -> Result<Seat<'_>, Error> {
        let thread = thread();
        let since = clock_ms() - self.begun_ms + 1;
        let (commands, more) = self.seats.split_at(self.commands);
        let (patient, seats) = match patience {
            Patience::Command => (0, commands),
            Patience::Long => (PATIENT, more),
        };
        let word = patient | since << THREAD_BITS | u64::from(thread);
        // Each thread begins at its own place: it finds the seat it gave back a moment ago.
        let first = (thread as usize).wrapping_mul(61) % seats.len();
        let (before, from) = seats.split_at(first);
        for seat in from.iter().chain(before) {
            if seat.load(Ordering::Relaxed) == 0
                && seat
                    .compare_exchange(0, word, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            {
                return Ok(Seat(seat));
            }
        }
        Err(Error::Io(format!(
            "{} snapshots are open, and no more can be",
            seats.len()
        )))
    }

    /// Everyone who is looking right now.
    pub fn company(&self) -> Company {
        let now = clock_ms() - self.begun_ms + 1;
        let mut company = Company::default();
        for seat in &self.seats {
            let word = seat.load(Ordering::Relaxed);
            if word == 0 {
                continue;
            }
            let held = Held {
                age_ms: now.saturating_sub((word & !PATIENT) >> THREAD_BITS),
                thread: word as u32 & ((1 << THREAD_BITS) - 1),
            };
            company.readers += 1;
            if held.age_ms >= company.oldest.age_ms {
                company.oldest = held;
            }
            if word & PATIENT == 0 && held.age_ms >= company.oldest_command.age_ms {
                company.oldest_command = held;
            }
        }
        company
    }
}

/// What a thread of this process is called, for the log.
pub(crate) fn thread_name(thread: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
    match name {
        Ok(name) => format!("{} ({thread})", name.trim()),
        Err(_) => format!("that has ended ({thread})"),
    }
}

/// This thread's number, as the kernel counts.
fn thread() -> u32 {
    thread_local! {
        static NUMBER: Cell<u32> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            // SAFETY: gettid(2) takes nothing and never fails.
            let own = unsafe { libc::gettid() };
            number.set(own as u32 & ((1 << THREAD_BITS) - 1));
        }
        number.get()
    })
}

/// Milliseconds since some time, to the kernel's tick: a quarter of the price of the exact clock.
fn clock_ms() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is ours and is written alone; this clock is there on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
    time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_are_seats() {
        let readers = Readers::new(3);
        let mut taken: Vec<_> = (0..3)
            .map(|_| readers.take(Patience::Command).expect("a free seat"))
            .collect();
        assert!(matches!(readers.take(Patience::Command), Err(Error::Io(_))));
        assert_eq!(readers.company().readers, 3);
        taken.pop();
        assert!(readers.take(Patience::Command).is_ok());
        drop(taken);
        assert_eq!(readers.company(), Company::default());
    }

    #[test]
    fn who_takes_long_is_known() {
        let old = |ms: u64, patient: u64| patient | (clock_ms() - ms + 1) << THREAD_BITS | 77;
        let mut readers = Readers {
            begun_ms: 0,
            ..Readers::new(8)
        };
        *readers.seats[3].get_mut() = old(5_000, 0);
        *readers.seats[5].get_mut() = old(90_000, PATIENT);
        let _mine = readers.take(Patience::Command);
        let company = readers.company();
        assert_eq!(company.readers, 3);
        assert!(company.oldest.age_ms >= 90_000);
        assert_eq!(company.oldest_command.thread, 77);
        assert!((5_000..90_000).contains(&company.oldest_command.age_ms));
    }

    #[test]
    fn threads_have_names() {
        let name = thread_name(thread());
        assert!(name.contains('('), "{name}");
        assert!(thread_name(0).contains("ended"));
    }
}
