//! What is wrong with a configuration, and where.

use std::fmt;
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

/// A text, and where its lines begin: a file of ten thousand rules has as many places.
#[derive(Debug)]
pub struct Lines {
    text: String,
    begins: Vec<usize>,
}

impl Lines {
    /// Of a whole file.
    pub fn of(text: String) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Lines {
            begins: std::iter::once(0).chain(ends).collect(),
            text,
        }
    }

    /// The whole of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A problem of `source` at octet `offset`.
    pub fn problem(&self, source: &str, offset: usize, what: String) -> Problem {
        Problem {
            source: source.to_owned(),
            place: Some(self.place(offset)),
            what,
        }
    }

    /// Line and column of octet `offset`, from 1, the column in characters.
    fn place(&self, offset: usize) -> (usize, usize) {
        let line = self.begins.partition_point(|&begin| begin <= offset);
        let before = self.text.get(self.begins[line - 1]..offset);
        (line, before.map_or(1, |before| before.chars().count() + 1))
    }
}
