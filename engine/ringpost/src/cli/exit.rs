//! How the process ends. The codes are a contract.

use crate::config::{Problem, Problems};
use ringpost_api::Error;
use ringpost_directory::account::Refusal;
use std::fmt;
use std::process::ExitCode;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The thing asked about is not well: a bad configuration, an account that is not there.
    NotWell = 1,
    /// The command line was not understood. Clap ends with the same code.
    Usage = 2,
    /// The server or the store cannot be reached, or the machine lacks what the server needs.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed, for a human, and the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// One line for each thing that is wrong.
    pub text: String,
}

impl Failure {
    /// The thing asked about is not well.
    pub fn not_well(text: impl fmt::Display) -> Self {
        Failure {
            exit: Exit::NotWell,
            text: text.to_string(),
        }
    }

    /// The arguments make no sense together.
    pub fn usage(text: impl fmt::Display) -> Self {
        Failure {
            exit: Exit::Usage,
            text: text.to_string(),
        }
    }

    /// Server, store or machine does not answer.
    pub fn unreachable(text: impl fmt::Display) -> Self {
        Failure {
            exit: Exit::Unreachable,
            text: text.to_string(),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Failure::not_well(problems)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::not_well(problem)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(_) | Error::Damaged(_) | Error::Closed | Error::Full => {
                Failure::unreachable(error)
            }
            _ => Failure::not_well(error),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Store(error) => error.into(),
            refusal => Failure::not_well(refusal),
        }
    }
}
