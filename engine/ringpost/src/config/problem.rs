//! What is wrong with a configuration, and where.

use std::fmt;
use std::ops::Range;
use std::path::Path;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or `--set` with its text.
    pub source: String,
    /// Line and column, counted from 1, column in characters; `None` where no place is at fault.
    pub place: Option<(usize, usize)>,
    /// What is wrong, what was expected, what to do.
    pub what: String,
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn of_file(file: &Path, what: String) -> Self {
        Problem {
            source: file.display().to_string(),
            place: None,
            what,
        }
    }

    /// A problem at octets `span` of `text`.
    pub fn at(source: &str, text: &str, span: Range<usize>, what: String) -> Self {
        Problem {
            source: source.to_owned(),
            place: Some(place(text, span.start)),
            what,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some((line, column)) => write!(f, "{}:{line}:{column}: {}", self.source, self.what),
            None => write!(f, "{}: {}", self.source, self.what),
        }
    }
}

/// Everything that is wrong, in the order of the file. Not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Problems(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Line and column of octet `offset`, from 1, the column in characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
