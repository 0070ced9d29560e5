//! `ringpost queue list|show|hold|release|drop`.

use super::exit::Failure;
use super::{Named, print};
use crate::config::Config;
use crate::control::client;
use crate::control::queue::{Ask, Details, Line, PAGE, Page, Recipient};
use crate::control::request::{Answer, Request};
use clap::{Args, Subcommand};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Subcommand)]
pub enum Queue {
    /// List what is on its way to other hosts, in the order in which it came
    List {
        /// Only what is held
        #[arg(long)]
        held: bool,
        /// Print a JSON array
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// Show all of one item: envelope, times, what became of each recipient
    Show {
        /// Its number
        #[arg(value_name = "ITEM")]
        item: u64,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        named: Named,
    },
    /// Hold items: nobody tries them until they are released
    Hold {
        #[command(flatten)]
        chosen: Chosen,
        /// Why, for whoever looks at the queue
        #[arg(long, value_name = "TEXT", default_value = "held by the operator")]
        why: String,
        #[command(flatten)]
        named: Named,
    },
    /// Let held items go on
    Release {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        named: Named,
    },
    /// Take items out of the queue; nobody is told, and what of their mail nobody else has is gone
    Drop {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        named: Named,
    },
}

/// Which items.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Chosen {
    /// Their numbers
    #[arg(value_name = "ITEM")]
    items: Vec<u64>,
    /// Every item
    #[arg(long)]
    all: bool,
    /// Every item that is held
    #[arg(long)]
    held: bool,
}

impl Queue {
    /// Does it.
    pub fn run(self) -> Result<(), Failure> {
        match self {
            Queue::List { held, json, named } => list(&named.open()?, held, json),
            Queue::Show { item, json, named } => show(&named.open()?, item, json),
            Queue::Hold { chosen, why, named } => {
                let hold = |items| {
                    let why = why.clone();
                    Ask::Hold { items, why }
                };
                chosen.change(&named.open()?, "held", hold)
            }
            Queue::Release { chosen, named } => {
                chosen.change(&named.open()?, "released", |items| Ask::Release { items })
            }
            Queue::Drop { chosen, named } => {
                chosen.change(&named.open()?, "dropped", |items| Ask::Drop { items })
            }
        }
    }
}

/// Shows the queue page by page.
fn pages(
    config: &Config,
    held: bool,
    mut visit: impl FnMut(Vec<Line>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut next = Some(0);
    while let Some(from) = next {
        let answer = client::ask(config, Request::Queue(Ask::List { from }))?;
        let Answer::Queue(Page {
            mut items,
            next: more,
        }) = answer
        else {
            return Err(Failure::unreachable("the server answers another question"));
        };
        items.retain(|line| !held || line.state == "held");
        visit(items)?;
        next = more;
    }
    Ok(())
}

fn list(config: &Config, held: bool, json: bool) -> Result<(), Failure> {
    let now = now();
    let mut all = Vec::new();
    pages(config, held, |items| {
        if json {
            all.extend(items);
        } else {
            let lines = items.iter().map(|line| text(line, now));
            print(&lines.collect::<String>());
        }
        Ok(())
    })?;
    if json {
        print(&super::json(&all));
    }
    Ok(())
}

/// One line: number, state, age, size, when it is due, from whom and for whom.
fn text(line: &Line, now: u64) -> String {
    let when = match (line.state.as_str(), line.due) {
        ("held", _) => format!("held: {}", line.why),
        (state, due) if due <= now => format!("{state}, due now"),
        (state, due) => format!("{state}, due in {}", span(due - now)),
    };
    let mut to: Vec<&str> = line
        .recipients
        .iter()
        .map(|recipient| recipient.address.as_str())
        .collect();
    let more = line.recipients_count - to.len().min(line.recipients_count);
    let rest = format!("and {more} more");
    if more > 0 {
        to.push(&rest);
    }
    let age = span(now.saturating_sub(line.created));
    format!(
        "{:>8}  {:>9}  {:>10} octets  <{}> to {}  {when}\n",
        line.item,
        age,
        line.octets,
        line.sender,
        to.join(", ")
    )
}

fn show(config: &Config, item: u64, json: bool) -> Result<(), Failure> {
    let answer = client::ask(config, Request::Queue(Ask::Show { item }))?;
    let Answer::QueueItem(details) = answer else {
        return Err(Failure::unreachable("the server answers another question"));
    };
    print(&match json {
        true => super::json(&details),
        false => whole(&details, now()),
    });
    Ok(())
}

/// All of an item, a line for each thing that there is to say.
fn whole(details: &Details, now: u64) -> String {
    let line = &details.line;
    let mut text = String::new();
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing into a string does not fail.
            let _ = writeln!(text, "{name:<12} {value}");
        }
    };
    let at = |ms: u64| match ms {
        0 => String::new(),
        ms if ms <= now => format!("{} ago", span(now - ms)),
        ms => format!("in {}", span(ms - now)),
    };
    say("item", &line.item.to_string());
    say("kind", &line.kind);
    say("state", &line.state);
    say("why", &line.why);
    say("sender", &format!("<{}>", line.sender));
    say("mail", &format!("{} octets", line.octets));
    say("trace", &line.trace);
    say("came", &at(line.created));
    say("held until", &at(details.hold));
    say("due", is(line.state != "held", &at(line.due)));
    say("expires", &at(line.expires));
    if let Some((by, mode)) = &details.deliver_by {
        say("deliver by", &format!("{}, or {mode}", at(*by)));
    }
    say("attempts", &line.attempts.to_string());
    say("route", &details.route);
    let needs = [
        is(details.body != "7bit", &details.body),
        is(details.smtputf8, "smtputf8"),
        is(details.require_tls, "requiretls"),
    ];
    let needs: Vec<&str> = needs.into_iter().filter(|need| !need.is_empty()).collect();
    say("needs", &needs.join(", "));
    if details.priority != 0 {
        say("priority", &details.priority.to_string());
    }
    say("return", details.ret.as_deref().unwrap_or_default());
    say("envelope id", details.envid.as_deref().unwrap_or_default());
    for recipient in &line.recipients {
        say("recipient", &one(recipient));
    }
    text
}

/// The word, where it holds.
fn is(on: bool, word: &str) -> &str {
    if on { word } else { "" }
}

fn one(recipient: &Recipient) -> String {
    let mut text = format!("{}: {}", recipient.address, recipient.state);
    if recipient.attempts > 0 {
        let _ = write!(text, " after {} attempts", recipient.attempts);
    }
    if !recipient.reply.is_empty() {
        let _ = write!(text, ", told {:?}", recipient.reply);
    }
    if !recipient.notify.is_empty() {
        let _ = write!(text, "; tell the sender of {}", recipient.notify.join(", "));
    }
    if let Some(orcpt) = &recipient.orcpt {
        let _ = write!(text, "; once {orcpt}");
    }
    text
}

impl Chosen {
    /// Does something to the chosen, some hundred at a time. One that was named and is not there is a failure at the end.
    fn change(
        self,
        config: &Config,
        done: &str,
        ask: impl Fn(Vec<u64>) -> Ask,
    ) -> Result<(), Failure> {
        let mut items = self.items;
        if self.all || self.held {
            pages(config, self.held, |lines| {
                items.extend(lines.iter().map(|line| line.item));
                Ok(())
            })?;
        }
        let mut changed = BTreeSet::new();
        for chunk in items.chunks(PAGE) {
            match client::ask(config, Request::Queue(ask(chunk.to_vec())))? {
                Answer::Items(items) => changed.extend(items),
                _ => return Err(Failure::unreachable("the server answers another question")),
            }
        }
        print(&match changed.len() {
            1 => format!("1 item {done}\n"),
            count => format!("{count} items {done}\n"),
        });
        let missed: Vec<String> = items
            .iter()
            .filter(|item| !changed.contains(item))
            .map(u64::to_string)
            .collect();
        match missed.is_empty() || self.all || self.held {
            true => Ok(()),
            false => Err(Failure::not_well(format!(
                "not {done}, for they are not there or not held: {}",
                missed.join(", ")
            ))),
        }
    }
}

/// A span of time in its two largest units.
fn span(ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = ms / 1_000;
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit);
    let first = first.unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[first];
    let rest = UNITS
        .get(first + 1)
        .map(|&(less, name)| (seconds % unit / less, name));
    match rest {
        Some((count, rest)) if count > 0 => format!("{} {name} {count} {rest}", seconds / unit),
        _ => format!("{} {name}", seconds / unit),
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_short() {
        for (ms, told) in [
            (0, "0 s"),
            (999, "0 s"),
            (59_000, "59 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 5 min"),
            (86_400_000 * 5 + 3_599_000, "5 d"),
            (86_400_000 * 5 + 3_600_000, "5 d 1 h"),
        ] {
            assert_eq!(span(ms), told);
        }
    }

    fn example() -> Line {
        Line {
            item: 7,
            kind: "mail".into(),
            state: "queued".into(),
            why: String::new(),
            sender: "a@example.test".into(),
            recipients: vec![Recipient {
                address: "b@other.test".into(),
                state: "waiting".into(),
                notify: vec!["success".into()],
                orcpt: None,
                attempts: 2,
                due: 0,
                reply: "450 4.2.1 later".into(),
            }],
            recipients_count: 4,
            octets: 1_000,
            created: 1_000,
            due: 70_000,
            expires: 0,
            attempts: 2,
            trace: "0000000000000001".into(),
        }
    }

    #[test]
    fn a_human_reads_it() {
        let told = text(&example(), 61_000);
        let expected = "<a@example.test> to b@other.test, and 3 more  queued, due in 9 s\n";
        assert!(told.ends_with(expected), "{told}");
        assert!(
            told.starts_with("       7      1 min        1000 octets  "),
            "{told}"
        );
        let details = Details {
            line: example(),
            blob: String::new(),
            hold: 0,
            deliver_by: None,
            priority: 0,
            body: "8bitmime".into(),
            smtputf8: false,
            require_tls: true,
            ret: None,
            envid: None,
            route: String::new(),
        };
        let told = whole(&details, 61_000);
        for line in [
            "sender       <a@example.test>\n",
            "came         1 min ago\n",
            "due          in 9 s\n",
            "needs        8bitmime, requiretls\n",
            "recipient    b@other.test: waiting after 2 attempts, told \"450 4.2.1 later\"; tell the sender of success\n",
        ] {
            assert!(told.contains(line), "{told}");
        }
        assert!(!told.contains("priority"), "{told}");
    }
}
