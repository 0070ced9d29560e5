//! What the writer looks at now and then: room on the disk, snapshots that are held too long.
//!
//! In:  the index, the limits in force. Out: the pulse's condition, lines for the operator.
//!
//! Nothing here is looked at on a shard: one look a second on the writer's thread costs some microseconds.

use crate::env::Env;
use crate::health::Pulse;
use crate::readers::{self, Held};
use ringpost_types::limit::Limits;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// How often a snapshot that is held too long is worth a line.
const TOLD_EVERY: Duration = Duration::from_secs(60);

pub(crate) struct Watch {
    next: Instant,
    /// The late snapshot that was counted last, by its thread and its begin.
    late: Option<(u32, u64)>,
    begun: Instant,
    told: Option<Instant>,
    /// Octets a disk has left for us.
    room: fn(&Path) -> io::Result<u64>,
}

impl Watch {
    pub fn new(room: fn(&Path) -> io::Result<u64>) -> Self {
        let now = Instant::now();
        Watch {
            next: now,
            late: None,
            begun: now,
            told: None,
            room,
        }
    }

    /// When to look next.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Looks. `alarm` is told what an operator should know.
    pub fn look(&mut self, env: &Env, pulse: &Pulse, limits: &Limits, alarm: &mut dyn FnMut(&str)) {
        let now = Instant::now();
        self.next = now + EVERY;
        // A disk that does not say how full it is will tell at the next write.
        if let Ok(free) = (self.room)(env.path()) {
            let line = pulse.room(crate::writer::now(), free, limits.disk_free_octets_min);
            line.iter().for_each(|line| alarm(line));
        }
        let oldest = env.company().oldest_command;
        if oldest.age_ms > limits.snapshot_age_ms_max {
            self.late(now, oldest, pulse, alarm);
        }
    }

    fn late(&mut self, now: Instant, held: Held, pulse: &Pulse, alarm: &mut dyn FnMut(&str)) {
        let begun = (now - self.begun).as_millis() as u64;
        let begun = begun.saturating_sub(held.age_ms);
        // The clocks differ by a tick: the same snapshot seems to have begun a little sooner or later.
        let is_known = self
            .late
            .is_some_and(|(thread, known)| thread == held.thread && known.abs_diff(begun) < 100);
        if !is_known {
            self.late = Some((held.thread, begun));
            pulse
                .readers_late
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        if self.told.is_none_or(|told| now - told >= TOLD_EVERY) {
            self.told = Some(now);
            alarm(&format!(
                "index: thread {} holds a snapshot for {} ms, longer than limit snapshot_age_ms_max; until it ends the index grows",
                readers::thread_name(held.thread),
                held.age_ms
            ));
        }
    }
}

/// Octets that the disk of `path` has left for users who are not root.
pub(crate) fn room(path: &Path) -> io::Result<u64> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: all of it is integers, for which zeros are values.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` is a C string, `stat` is ours; both outlive the call.
    match unsafe { libc::statvfs(path.as_ptr(), &mut stat) } {
        0 => Ok(stat.f_bavail.saturating_mul(stat.f_frsize)),
        _ => Err(io::Error::last_os_error()),
    }
}
