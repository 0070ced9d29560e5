//! The shard's slow clock: once a second it looks for reads that wait long, peers that are silent for too long
//! and peers that do not take what is written to them.
//!
//! A timer for each read would cost more than the read's own book-keeping, and none of these bounds needs to be
//! sharper than a second. A row is 4 octets of due time beside a pointer: ten thousand idle connections are
//! looked through in some microseconds.

use crate::reader::Port;
use crate::slab::Slab;
use crate::{Shard, event, time};
use ringpost_admission::Step;
use ringpost_types::TraceId;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// One step of the clock.
pub const TICK: Duration = Duration::from_secs(1);
/// Idle sessions that are sent away in one step when memory is short, at least: a quarter of them where that is more, so
/// that no more go than have to.
const SHED_MIN: usize = 64;
/// A due time that does not come.
pub const NEVER: u32 = u32::MAX;

/// All connections of the shard, with the tick at which each wants to be looked at.
#[derive(Default)]
pub struct Sweep {
    rows: RefCell<Slab<Row>>,
    tick: Cell<u32>,
}

struct Row {
    due: u32,
    port: Rc<Port>,
}

impl Sweep {
    /// Ticks since the shard began.
    pub fn tick(&self) -> u32 {
        self.tick.get()
    }

    /// The tick at which `duration` has surely passed.
    pub fn tick_after(&self, duration: Duration) -> u32 {
        let ticks = duration.as_millis().div_ceil(TICK.as_millis());
        let ticks = u32::try_from(ticks).unwrap_or(NEVER);
        self.tick.get().saturating_add(ticks).saturating_add(1)
    }

    /// Takes a connection in; tells its row.
    pub fn enter(&self, port: Rc<Port>) -> usize {
        self.rows.borrow_mut().insert(Row { due: NEVER, port })
    }

    /// Says when row `row` wants to be looked at.
    pub fn set(&self, row: usize, due: u32) {
        if let Some(row) = self.rows.borrow_mut().get_mut(row) {
            row.due = due;
        }
    }

    /// Lets a connection go.
    pub fn leave(&self, row: usize) {
        self.rows.borrow_mut().remove(row);
    }

    /// One step: looks at every row that is due.
    pub fn step(&self) {
        let tick = self.tick.get() + 1;
        self.tick.set(tick);
        let due: Vec<Rc<Port>> = self.pick(|row| row.due <= tick);
        for port in due {
            port.look(self);
        }
    }

    /// Sends idle sessions away that can be done without; tells how many.
    pub fn shed(&self) -> usize {
        let idle = self.pick_port(Port::is_idle);
        let going = (idle.len() / 4).max(SHED_MIN).min(idle.len());
        idle[..going].iter().for_each(|port| port.shed());
        going
    }

    /// Cuts every connection: what waits on one fails, and its session ends.
    pub fn cut(&self) {
        for port in self.pick(|_| true) {
            port.cut();
        }
    }

    fn pick_port(&self, which: impl Fn(&Port) -> bool) -> Vec<Rc<Port>> {
        self.pick(|row| which(&row.port))
    }

    fn pick(&self, which: impl Fn(&Row) -> bool) -> Vec<Rc<Port>> {
        let rows = self.rows.borrow();
        let picked = rows.iter().filter(|row| which(row));
        picked.map(|row| row.port.clone()).collect()
    }
}

/// Steps the clock until the shard is closed.
pub async fn run(shard: Rc<Shard>) {
    while let time::First::A(()) = time::first(time::sleep(TICK), shard.closed.wait()).await {
        shard.sweep.step();
        if shard.budget.step() >= Some(Step::Idlers) {
            let gone = shard.sweep.shed();
            if gone > 0 {
                event!(
                    TraceId(0),
                    "memory is short: {gone} idle sessions sent away"
                );
            }
        }
    }
}
