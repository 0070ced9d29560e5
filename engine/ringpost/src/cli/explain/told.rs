//! An explanation, for people and for programs.

use ringpost_types::Reply;
use ringpost_types::reply::Enhanced;
use serde::Serialize;
use std::fmt;

/// What would become of a recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explained {
    pub session: SessionTold,
    /// Empty: `<>`.
    pub sender: String,
    /// With the domain that `<postmaster>` stands for.
    pub recipient: String,
    /// Those looked at, in their order.
    pub rules: Vec<RuleTold>,
    /// Who decides; none: it is refused before the rules are asked.
    pub by: Option<String>,
    /// What is decided.
    pub action: Option<String>,
    /// Words of the rules that mark the mail.
    pub tags: Vec<String>,
    /// Each step to where the address leads.
    pub trail: Vec<HopTold>,
    /// Names of the accounts that get the mail.
    pub accounts: Vec<String>,
    /// Addresses for which it leaves this host.
    pub leaving: Vec<String>,
    /// The smart host that they are sent through; none: by MX.
    pub route: Option<RouteTold>,
    /// What MAIL is answered.
    pub mail: ReplyTold,
    /// What RCPT is answered; none: it does not come to that.
    pub rcpt: Option<ReplyTold>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// The session it is told for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SessionTold {
    pub listener: String,
    pub protocol: String,
    pub bind: String,
    /// An address, or `unix`.
    pub peer: String,
    /// A peer on this machine, on a listener that trusts those.
    pub trusted: bool,
    pub tls: bool,
    pub helo: String,
    pub login: Option<String>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleTold {
    /// From 1.
    pub rule: usize,
    /// Where it is said.
    pub place: String,
    pub action: String,
    /// The first condition that does not hold; none: all hold.
    pub failed: Option<String>,
    /// Why it does not.
    pub why: Option<String>,
}

/// One step of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HopTold {
    pub address: String,
    /// How it was found.
    pub how: String,
    pub to: Vec<String>,
}

/// A smart host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RouteTold {
    pub name: String,
    pub host: String,
    pub port: u16,
    /// `none`, `may`, `encrypt` or `verify`.
    pub tls: String,
    pub user: Option<String>,
}

/// A reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplyTold {
    pub code: u16,
    pub enhanced: Option<String>,
    pub text: String,
}

impl From<Reply> for ReplyTold {
    fn from(reply: Reply) -> Self {
        let enhanced = reply.enhanced;
        ReplyTold {
            code: reply.code,
            enhanced: enhanced
                .map(|Enhanced(class, subject, detail)| format!("{class}.{subject}.{detail}")),
            text: reply.text.into_owned(),
        }
    }
}

impl fmt::Display for ReplyTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.code)?;
        if let Some(enhanced) = &self.enhanced {
            write!(f, "{enhanced} ")?;
        }
        f.write_str(&self.text)
    }
}

impl fmt::Display for SessionTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SessionTold {
            listener,
            protocol,
            bind,
            ..
        } = self;
        write!(f, "{} at listener {listener}", self.peer)?;
        write!(f, " ({protocol} at {bind}), ")?;
        f.write_str(if self.tls { "inside TLS" } else { "in clear" })?;
        if self.trusted {
            f.write_str(", trusted")?;
        }
        write!(f, ", says {:?}, ", self.helo)?;
        match &self.login {
            Some(login) => write!(f, "{login} has logged in"),
            None => f.write_str("nobody has logged in"),
        }
    }
}

impl fmt::Display for RuleTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) {}: ", self.rule, self.place, self.action)?;
        match (&self.failed, &self.why) {
            (Some(failed), Some(why)) => write!(f, "passed over, {failed}: {why}"),
            (Some(failed), None) => write!(f, "passed over, {failed}"),
            (None, _) => f.write_str("all of it holds"),
        }
    }
}

impl fmt::Display for HopTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.how)?;
        match self.to.is_empty() {
            true => Ok(()),
            false => write!(f, " -> {}", self.to.join(", ")),
        }
    }
}

impl fmt::Display for RouteTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RouteTold {
            name,
            host,
            port,
            tls,
            ..
        } = self;
        write!(f, "{name}: {host} port {port}, TLS {tls}")?;
        match &self.user {
            Some(user) => write!(f, ", logged in as {user}"),
            None => f.write_str(", no login"),
        }
    }
}

impl fmt::Display for Explained {
    /// One fact a line, its name in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, what: &dyn fmt::Display| writeln!(f, "{name:<10} {what}");
        line("session", &self.session)?;
        line("sender", &format_args!("<{}>", self.sender))?;
        line("recipient", &format_args!("<{}>", self.recipient))?;
        for rule in &self.rules {
            line("rule", rule)?;
        }
        match (&self.action, &self.by) {
            (Some(action), Some(by)) => line("decision", &format_args!("{action}, by {by}"))?,
            _ => line(
                "decision",
                &"none: it is refused before the rules are asked",
            )?,
        }
        if !self.tags.is_empty() {
            line("tags", &self.tags.join(", "))?;
        }
        for hop in &self.trail {
            line("address", hop)?;
        }
        if !self.accounts.is_empty() {
            line("accounts", &self.accounts.join(", "))?;
        }
        if !self.leaving.is_empty() {
            line("leaves", &self.leaving.join(", "))?;
            match &self.route {
                Some(route) => line("through", route)?,
                None => line("through", &"the MX of the domain")?,
            }
        }
        line("MAIL", &self.mail)?;
        match &self.rcpt {
            Some(rcpt) => line("RCPT", rcpt)?,
            None => line("RCPT", &"not reached")?,
        }
        for note in &self.notes {
            line("note", note)?;
        }
        Ok(())
    }
}
