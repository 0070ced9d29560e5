//! `ringpost usage`: where the octets are.

use super::exit::Failure;
use super::{Named, print};
use crate::control::client;
use crate::control::operation::{Operation, World};
use clap::Args;
use ringpost_api::Table;
use ringpost_lmdb::usage::{self, Index, Segment, Usage};
use serde_json::Value;
use std::fmt::Write as _;
use std::ops::ControlFlow;

/// Show where the octets of the store are
///
/// Shows what the store takes on disk: pages of the index for each table and its free pages, segments of the logs with
/// what lives in them, what is dead and what they have holes for, and the largest accounts. It may run while the server
/// does.
#[derive(Args)]
pub struct UsageOf {
    /// Show every segment
    #[arg(long)]
    segments: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    named: Named,
}

impl UsageOf {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        let config = self.named.open()?;
        let mut nothing = |_| ControlFlow::Continue(());
        let told = client::operate(&config, Operation::Usage, &mut nothing)?;
        if self.json {
            print(&super::json(&told));
            return Ok(());
        }
        let usage: Usage = serde_json::from_value(told).map_err(Failure::unreachable)?;
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = whole(&usage, &mut text);
        for index in &usage.indexes {
            let _ = tables(index, &mut text);
        }
        if self.segments {
            let _ = segments(&usage.segments, &mut text);
        }
        let _ = accounts(&usage, &mut text);
        print(&text);
        Ok(())
    }
}

fn whole(usage: &Usage, text: &mut String) -> std::fmt::Result {
    let sum = |of: fn(&Segment) -> u64| usage.segments.iter().map(of).sum::<u64>();
    let octets = sum(|segment| segment.octets);
    let allocated = sum(|segment| segment.allocated_octets);
    writeln!(
        text,
        "{} accounts, {} messages of {}; {} mails of {}, stored in {}; on disk {}",
        usage.accounts,
        usage.messages,
        human(usage.message_octets),
        usage.mails,
        human(usage.mail_octets),
        human(usage.stored_octets),
        human(usage.disk_octets())
    )?;
    writeln!(
        text,
        "segments: {} files, {} on disk, {} live, {} dead of which {} to be given back, {} holes",
        usage.segments.len(),
        human(allocated),
        human(sum(|segment| segment.live_octets)),
        human(sum(|segment| segment.dead_octets)),
        human(sum(|segment| segment.waiting_octets)),
        human(octets.saturating_sub(allocated))
    )?;
    let tables = usage.indexes.iter().flat_map(|index| &index.tables);
    let queue = tables.filter(|table| table.name == Table::Queue.name());
    writeln!(
        text,
        "queue: {} items, {}",
        queue.map(|table| table.rows).sum::<u64>(),
        human(usage.table_octets(Table::Queue) + usage.table_octets(Table::Due))
    )?;
    let search = usage.table_octets(Table::Text) + usage.table_octets(Table::Filter);
    let index = usage.indexes.iter().map(|index| index.used_octets);
    let index = index.sum::<u64>().max(1);
    writeln!(
        text,
        "search (text and filter): {}, {} % of the index",
        human(search),
        search * 100 / index
    )
}

fn tables(index: &Index, text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "\n{}: {} in pages of {}, {} used, {} free; may grow to {}",
        index.name,
        human(index.octets),
        human(index.page_octets),
        human(index.used_octets),
        human(index.free_octets),
        human(index.map_octets)
    )?;
    writeln!(
        text,
        "  {:<14}{:>12}{:>12}{:>10}{:>10}{:>10}{:>6}",
        "table", "rows", "octets", "branch", "leaf", "overflow", "depth"
    )?;
    for table in &index.tables {
        writeln!(
            text,
            "  {:<14}{:>12}{:>12}{:>10}{:>10}{:>10}{:>6}",
            table.name,
            table.rows,
            human(table.octets),
            table.branch_pages,
            table.leaf_pages,
            table.overflow_pages,
            table.depth
        )?;
    }
    Ok(())
}

fn segments(segments: &[Segment], text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "\n  {:>5}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "log", "segment", "octets", "on disk", "live", "dead", "to give"
    )?;
    for segment in segments {
        let alone = if segment.alone { "  one mail" } else { "" };
        writeln!(
            text,
            "  {:>5}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}{alone}",
            segment.log,
            segment.segment,
            human(segment.octets),
            human(segment.allocated_octets),
            human(segment.live_octets),
            human(segment.dead_octets),
            human(segment.waiting_octets)
        )?;
    }
    Ok(())
}

fn accounts(usage: &Usage, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\nlargest accounts")?;
    for account in &usage.largest_accounts {
        let quota = match account.quota_octets {
            0 => String::new(),
            quota => format!("  of {}", human(quota)),
        };
        writeln!(
            text,
            "  {:>12}{:>10} messages  {}{quota}",
            human(account.octets),
            account.messages,
            account.name
        )?;
    }
    Ok(())
}

/// Octets in the unit that leaves three or four digits.
fn human(octets: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (octets as f64, 0);
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{octets} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// Looks at `world`'s store.
pub fn perform(world: &World) -> Result<Value, Failure> {
    serde_json::to_value(usage::usage(&world.store)?).map_err(Failure::unreachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_told_in_short() {
        for (octets, told) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_024, "1.0 KiB"),
            (1_000_000, "976.6 KiB"),
            (5 << 40, "5.0 TiB"),
            (5_000 << 40, "5000.0 TiB"),
        ] {
            assert_eq!(human(octets), told);
        }
    }
}
