//! The store as the server wires it, measured: the whole path of a mail beside the bare disk, a reader beside a busy
//! writer, and a start with a million messages.
//!
//! ```text
//! cargo bench -p ringpost-bench --bench path                     # everything
//! cargo bench -p ringpost-bench --bench path -- path-30k read    # what is named: path-30k, path-2k, read, start
//! cargo bench -p ringpost-bench --bench path -- ways-30k         # the whole path by other ways to sync; or ways-2k
//! cargo bench -p ringpost-bench --bench path -- whole-30k        # one side alone, for a profiler: bare- or whole-, 30k or 2k
//! cargo bench -p ringpost-bench --bench path -- --test           # each once, tiny, as CI does
//! ```
//! It works below `TMPDIR`: the figures are those of its disk, and a million messages take some gigabytes there.
//! `SHARDS` sets the number of shards, else one. Flushes are those of the whole machine.

mod figures;
mod mails;
mod path;
mod read;
mod start;
mod ways;

/// mimalloc is what the server runs on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much of everything is done.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Mails of a round of the path.
    pub mails: usize,
    /// Rounds of each of the two that are compared.
    pub rounds: usize,
    /// Seconds of reading.
    pub seconds: u64,
    /// Messages of a start.
    pub messages: u64,
    /// Times that a busy server is killed.
    pub kills: usize,
}

const WHOLE: Size = Size {
    mails: 20_000,
    rounds: 5,
    seconds: 5,
    messages: 1_000_000,
    kills: 3,
};
const TINY: Size = Size {
    mails: 300,
    rounds: 1,
    seconds: 1,
    messages: 2_000,
    kills: 1,
};

fn main() {
    if let Some(directory) = std::env::var_os(start::CHILD) {
        return start::child(directory.as_ref());
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = match arguments.iter().any(|argument| argument == "--test") {
        true => TINY,
        false => WHOLE,
    };
    let named: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|wanted| *wanted == name);
    let shards = std::env::var("SHARDS").ok();
    let shards = shards.and_then(|shards| shards.parse().ok()).unwrap_or(1);
    if wanted("path-30k") {
        path::compare("30 KiB", mails::mixed(), size, shards);
    }
    if wanted("path-2k") {
        let size = Size {
            mails: size.mails * 4,
            ..size
        };
        path::compare("2 KiB", mails::short(), size, shards);
    }
    for (name, mails) in [("30k", mails::mixed as fn() -> _), ("2k", mails::short)] {
        if named
            .iter()
            .any(|wanted| **wanted == format!("ways-{name}"))
        {
            path::ways(name, mails(), size, shards);
        }
        for side in [path::Side::Bare, path::Side::Whole] {
            let side_name = format!("{}-{name}", side.name());
            if named.iter().any(|wanted| **wanted == side_name) {
                path::alone(side, mails(), size, shards);
            }
        }
    }
    if wanted("read") {
        read::beside_a_busy_writer(size);
    }
    if wanted("start") {
        start::with_many(size);
    }
}
