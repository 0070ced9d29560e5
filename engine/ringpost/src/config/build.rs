//! From what was said to a [`Config`]: defaults, parsed addresses, and what must agree with what.
//!
//! In:  a [`Draft`]. Out: a [`Config`] or all [`Problems`]. Asks nothing of the machine but the lists that the
//! file names.
//!
//! What a table becomes is decided by its room in [`super::section`]; here is what all rooms build with.

use super::Config;
use super::key;
use super::problem::{Lines, Problem, Problems};
use super::read::{Place, Said};
use super::section::{self, Draft};
use ringpost_types::Cidr;
use ringpost_types::network::CidrError;
use std::path::{Path, PathBuf};

/// Builds the configuration of `file`.
pub fn config(file: &Path, draft: Draft, lists: Lists) -> Result<Config, Problems> {
    let mut build = Build {
        file,
        lists,
        files: Vec::new(),
        problems: Vec::new(),
    };
    let hostname = section::top::hostname(&mut build, &draft.top);
    let data_dir = section::top::data_dir(&mut build, &draft.top);
    let mut domains = section::domain::build(&mut build, draft.domains);
    let listeners = section::listener::build(&mut build, draft.listeners, &data_dir);
    section::domain::own(&mut domains, &listeners);
    let routes = section::relay::build(&mut build, draft.relays);
    let rules = section::rule::build(&mut build, draft.rules, &domains, &listeners, &routes);
    let config = Config {
        file: file.to_owned(),
        tls: section::tls::build(&mut build, draft.tls),
        auth: section::auth::build(&mut build, draft.auth),
        shards: section::runtime::shards(&mut build, draft.runtime),
        dns_upstream: section::dns::upstream(&mut build, draft.dns),
        map_octets: section::store::map_octets(&mut build, &draft.store),
        compress: section::store::compress(&draft.store),
        exempt: section::admission::build(&mut build, draft.admission),
        limits: section::limits::build(&mut build, draft.limits),
        hostname,
        data_dir,
        domains,
        listeners,
        rules,
        routes,
        files: build.files,
    };
    match build.problems.is_empty() {
        true => Ok(config),
        false => Err(Problems(build.problems)),
    }
}

/// Whether the lists that the file names are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// They are.
    Read,
    /// They count as empty: the file stands where they may not be yet.
    Leave,
}

/// Octets of a list at most: some million names.
const LIST_OCTETS_MAX: u64 = 64 << 20;

/// Bad lines of one list that are told: it may be of another kind altogether.
const LIST_PROBLEMS_MAX: usize = 20;

/// Collects problems, and knows where the file is.
pub struct Build<'f> {
    file: &'f Path,
    lists: Lists,
    /// Files that belong to the configuration.
    files: Vec<PathBuf>,
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

    /// Gives each item of a list to `add`, those of the files that it names included; what `add` does not take is a
    /// problem, and so is a list of nothing.
    pub fn list(
        &mut self,
        section: &str,
        name: &str,
        said: &[Said<String>],
        add: &mut dyn FnMut(&str) -> Option<()>,
    ) {
        for said in said {
            let (not, item) = match said.value.strip_prefix('!') {
                Some(item) => ("!", item),
                None => ("", &*said.value),
            };
            match item.strip_prefix("file:") {
                Some(path) => {
                    // An exception of an exception is a slip.
                    let mut each = |item: &str| match (not, item.starts_with('!')) {
                        ("", _) => add(item),
                        (_, true) => None,
                        (not, false) => add(&format!("{not}{item}")),
                    };
                    self.list_file(section, name, said, path, &mut each);
                }
                None if add(&said.value).is_none() => self.expected(section, name, said),
                None => {}
            }
        }
    }

    /// One item a line; empty lines and those that begin with `#` are for people.
    fn list_file(
        &mut self,
        section: &str,
        name: &str,
        said: &Said<String>,
        path: &str,
        add: &mut dyn FnMut(&str) -> Option<()>,
    ) {
        let path = self.relative(path);
        self.belongs(path.clone());
        if self.lists == Lists::Leave {
            return;
        }
        let text = match read_list(&path) {
            Ok(text) => text,
            Err(why) => return self.wrong(said, format!("{}: {why}", path.display())),
        };
        let expected = key::expected(section, name).unwrap_or("something else");
        let lines = Lines::of(text);
        let source = path.display().to_string();
        let (mut offset, mut bad) = (0, 0);
        for line in lines.text().split_inclusive('\n') {
            let item = line.trim();
            if !item.is_empty() && !item.starts_with('#') && add(item).is_none() {
                bad += 1;
                if bad <= LIST_PROBLEMS_MAX {
                    let at = offset + line.len() - line.trim_start().len();
                    let what = format!("{item:?} is no item for {name}; expected {expected}");
                    self.problems.push(lines.problem(&source, at, what));
                }
            }
            offset += line.len();
        }
        if bad > LIST_PROBLEMS_MAX {
            let more = bad - LIST_PROBLEMS_MAX;
            let what = format!("{more} more lines are no items for {name}");
            self.problems.push(Problem::of_file(&path, what));
        }
    }

    /// A file that belongs to the configuration, beside those it has a name for.
    pub fn belongs(&mut self, path: PathBuf) {
        if !self.files.contains(&path) {
            self.files.push(path);
        }
    }

    /// `path` as seen from the folder of the file.
    pub fn relative(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}

fn read_list(path: &Path) -> Result<String, String> {
    use std::io::Read;
    let told = |error: std::io::Error| format!("cannot be read: {error}");
    let file = std::fs::File::open(path).map_err(told)?;
    let mut text = String::new();
    let mut bounded = file.take(LIST_OCTETS_MAX + 1);
    bounded.read_to_string(&mut text).map_err(told)?;
    match text.len() as u64 > LIST_OCTETS_MAX {
        true => Err(format!("over {LIST_OCTETS_MAX} octets")),
        false => Ok(text),
    }
}
