//! From what was said to a [`Config`]: defaults, parsed addresses, and what must agree with what.
//!
//! In:  a [`Draft`]. Out: a [`Config`] or all [`Problems`]. Asks nothing of the machine.
//!
//! What a table becomes is decided by its room in [`super::section`]; here is what all rooms build with.

use super::Config;
use super::key;
use super::problem::{Problem, Problems};
use super::read::{Place, Said};
use super::section::{self, Draft};
use ringpost_types::Cidr;
use ringpost_types::network::CidrError;
use std::path::{Path, PathBuf};

/// Builds the configuration of `file`.
pub fn config(file: &Path, draft: Draft) -> Result<Config, Problems> {
    let mut build = Build {
        file,
        problems: Vec::new(),
    };
    let hostname = section::top::hostname(&mut build, &draft.top);
    let data_dir = section::top::data_dir(&mut build, &draft.top);
    let domains = section::domain::build(&mut build, draft.domains);
    let listeners = section::listener::build(&mut build, draft.listeners, &data_dir);
    let config = Config {
        file: file.to_owned(),
        tls: section::tls::build(&mut build, draft.tls),
        shards: section::runtime::shards(&mut build, draft.runtime),
        dns_upstream: section::dns::upstream(&mut build, draft.dns),
        map_octets: section::store::map_octets(&mut build, &draft.store),
        compress: section::store::compress(&draft.store),
        limits: section::limits::build(&mut build, draft.limits),
        hostname,
        data_dir,
        domains,
        listeners,
    };
    match build.problems.is_empty() {
        true => Ok(config),
        false => Err(Problems(build.problems)),
    }
}

/// Collects problems, and knows where the file is.
pub struct Build<'f> {
    file: &'f Path,
    problems: Vec<Problem>,
}

impl Build<'_> {
    /// A problem with what was said.
    pub fn wrong<T>(&mut self, said: &Said<T>, what: String) {
        self.problem(&said.place, what);
    }

    /// A problem at a place.
    pub fn problem(&mut self, place: &Place, what: String) {
        self.problems.push(place.problem(what));
    }

    /// A problem with what was not said.
    pub fn missing(&mut self, what: String) {
        self.problems.push(Problem::of_file(self.file, what));
    }

    /// What was said is not what the key `name` of `section` expects.
    pub fn expected(&mut self, section: &str, name: &str, said: &Said<String>) {
        let expected = key::expected(section, name).unwrap_or("something else");
        let what = format!("{name} is {:?}; expected {expected}", said.value);
        self.wrong(said, what);
    }

    /// The networks of a list; what is none is a problem.
    pub fn networks(&mut self, section: &str, name: &str, said: &[Said<String>]) -> Vec<Cidr> {
        let mut networks = Vec::with_capacity(said.len());
        for said in said {
            match Cidr::parse(&said.value) {
                Ok(network) => networks.push(network),
                Err(CidrError::HostBits) => {
                    let what = format!("{:?}: {}", said.value, CidrError::HostBits);
                    self.wrong(said, what);
                }
                Err(_) => self.expected(section, name, said),
            }
        }
        networks
    }

    /// `path` as seen from the folder of the file.
    pub fn relative(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}
