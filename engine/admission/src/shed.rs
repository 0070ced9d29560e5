//! Who gives way when memory runs short, in which order. One table.
//!
//! | from percent of the budget | who gives way | what it is told |
//! |---|---|---|
//! | 70 | new connections of networks that have many already | 421 4.3.1, BYE |
//! | 80 | new connections of networks that have sent no mail and logged nobody in since the start | 421 4.3.1, BYE |
//! | 85 | sessions that are not logged in and idle | 421 4.3.1, BYE |
//! | 90 | new mails, at MAIL and APPEND | 452 4.3.1, NO |
//! | 100 | whatever would go over the budget | 452 4.3.1, NO |
//! | never | mails that are being taken, as long as they fit; users that idle in IMAP | |
//!
//! Each step includes those before it. Exempt networks are only touched by the last two.

/// A step of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// New connections of networks with many.
    Crowds,
    /// New connections of networks without history.
    Strangers,
    /// Idle sessions without login.
    Idlers,
    /// New mails.
    NewMails,
    /// Everything that is not there already.
    Everything,
}

impl Step {
    /// All, in order.
    pub const ALL: [Step; 5] = [
        Step::Crowds,
        Step::Strangers,
        Step::Idlers,
        Step::NewMails,
        Step::Everything,
    ];

    /// From so many percent of the budget on.
    pub const fn percent(self) -> u64 {
        match self {
            Step::Crowds => 70,
            Step::Strangers => 80,
            Step::Idlers => 85,
            Step::NewMails => 90,
            Step::Everything => 100,
        }
    }

    /// Who gives way, for the log.
    pub fn name(self) -> &'static str {
        match self {
            Step::Crowds => "new connections of networks with many",
            Step::Strangers => "new connections of networks without history",
            Step::Idlers => "idle sessions without login",
            Step::NewMails => "new mails",
            Step::Everything => "everything new",
        }
    }

    /// The furthest step at `percent`.
    pub fn at(percent: u64) -> Option<Step> {
        let reached = Self::ALL.into_iter().rev();
        reached.into_iter().find(|step| step.percent() <= percent)
    }
}

/// Why a connection of a network with `open` others, `crowd` of them being many, is turned away, if it is.
pub fn at_door(step: Option<Step>, open: u64, crowd: u64, known: bool) -> Option<Step> {
    let step = step?;
    if step >= Step::Crowds && open >= crowd {
        return Some(Step::Crowds);
    }
    (step >= Step::Strangers && !known).then_some(Step::Strangers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_at_its_percent_and_one_below() {
        assert_eq!(Step::at(0), None);
        assert_eq!(Step::at(69), None);
        for pair in Step::ALL.windows(2) {
            assert!(pair[0].percent() < pair[1].percent());
            assert_eq!(Step::at(pair[0].percent()), Some(pair[0]));
            assert_eq!(Step::at(pair[1].percent() - 1), Some(pair[0]));
        }
        assert_eq!(Step::at(100), Some(Step::Everything));
        assert_eq!(Step::at(1_000), Some(Step::Everything));
    }

    #[test]
    fn who_is_turned_away_at_the_door() {
        use Step::*;
        const CASES: &[(Option<Step>, u64, bool, Option<Step>)] = &[
            (None, 1_000, false, None),
            (Some(Crowds), 7, false, None),
            (Some(Crowds), 8, false, Some(Crowds)),
            (Some(Crowds), 8, true, Some(Crowds)),
            (Some(Strangers), 7, true, None),
            (Some(Strangers), 8, true, Some(Crowds)),
            (Some(Strangers), 0, false, Some(Strangers)),
            (Some(Everything), 0, true, None),
        ];
        for (step, open, known, expected) in CASES {
            assert_eq!(
                at_door(*step, *open, 8, *known),
                *expected,
                "{step:?} {open} {known}"
            );
        }
    }
}
