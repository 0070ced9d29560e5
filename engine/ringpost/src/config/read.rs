//! From the file's text and the `--set` overrides to values with their places.
//!
//! In:  TOML. Out: a [`Draft`]: what was said, each value with where it was said. Later sources win over earlier
//! ones, so overrides come after the file.
//!
//! Every problem is collected, not only the first: a file is mended in one go. Unknown keys are problems that name
//! the nearest known one; a value of the wrong type names what was expected.

use super::key;
use super::nearest::nearest;
use super::problem::{Problem, Problems};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where something was said.
#[derive(Clone, Debug)]
pub struct Place {
    source: Rc<Source>,
    span: Range<usize>,
}

#[derive(Debug)]
struct Source {
    name: String,
    text: String,
}

impl Place {
    /// A problem here.
    pub fn problem(&self, what: String) -> Problem {
        Problem::at(
            &self.source.name,
            &self.source.text,
            self.span.clone(),
            what,
        )
    }
}

/// A value and where it was said.
#[derive(Clone, Debug)]
pub struct Said<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
}

/// What was said of one domain.
#[derive(Clone, Debug)]
pub struct DomainDraft {
    pub place: Place,
    pub name: Option<Said<String>>,
    pub postmaster: Option<Said<String>>,
}

/// What was said of one listener.
#[derive(Clone, Debug)]
pub struct ListenerDraft {
    pub place: Place,
    pub protocol: Option<Said<String>>,
    pub bind: Option<Said<String>>,
    pub tls: Option<Said<String>>,
}

/// `[runtime] shards`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shards {
    Auto,
    Number(u64),
}

/// What was said.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub hostname: Option<Said<String>>,
    pub data_dir: Option<Said<String>>,
    pub domains: Vec<DomainDraft>,
    pub listeners: Vec<ListenerDraft>,
    pub certificate: Option<Said<String>>,
    pub key: Option<Said<String>>,
    pub shards: Option<Said<Shards>>,
    pub upstream: Vec<Said<String>>,
    pub map_octets: Option<Said<u64>>,
    pub compress: Option<Said<bool>>,
    pub limits: Vec<Said<(String, u64)>>,
}

/// Reads the file's text and the overrides.
pub fn draft(file: &Path, text: &str, overrides: &[String]) -> Result<Draft, Problems> {
    let mut reader = Reader {
        source: Rc::new(Source {
            name: file.display().to_string(),
            text: text.to_owned(),
        }),
        problems: Vec::new(),
    };
    let mut draft = Draft::default();
    reader.document(&mut draft);
    for text in overrides {
        match override_text(text) {
            Ok(document) => {
                reader.source = Rc::new(Source {
                    name: format!("--set {text}"),
                    text: document,
                });
                reader.document(&mut draft);
            }
            Err(what) => reader.problems.push(Problem {
                source: format!("--set {text}"),
                place: None,
                what,
            }),
        }
    }
    match reader.problems.is_empty() {
        true => Ok(draft),
        false => Err(Problems(reader.problems)),
    }
}

/// `key=value` as a TOML line: the value as it is where it is TOML, else as a string.
fn override_text(text: &str) -> Result<String, String> {
    let usage = "expected key=value, such as --set runtime.shards=2";
    let (name, value) = text.split_once('=').ok_or(usage)?;
    let (name, value) = (name.trim(), value.trim());
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !plain || name.is_empty() || value.contains(['\n', '\r']) {
        return Err(usage.to_owned());
    }
    let line = format!("{name} = {value}");
    if DeTable::parse(&line).is_ok() {
        return Ok(line);
    }
    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("{name} = \"{quoted}\""))
}

type Value<'v, 'i> = &'v Spanned<DeValue<'i>>;

struct Reader {
    source: Rc<Source>,
    problems: Vec<Problem>,
}

impl Reader {
    fn place(&self, span: Range<usize>) -> Place {
        Place {
            source: self.source.clone(),
            span,
        }
    }

    fn wrong(&mut self, span: Range<usize>, what: String) {
        let problem = self.place(span).problem(what);
        self.problems.push(problem);
    }

    fn document(&mut self, draft: &mut Draft) {
        let source = self.source.clone();
        let document = match DeTable::parse(&source.text) {
            Ok(document) => document,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                return self.wrong(span, format!("not TOML: {}", error.message()));
            }
        };
        for (name, value) in self.known("", document.get_ref()) {
            match name {
                "hostname" => draft.hostname = self.string("", name, value),
                "data_dir" => draft.data_dir = self.string("", name, value),
                "domain" => {
                    draft.domains = self.tables(name, value, |reader, place, table| {
                        let mut domain = DomainDraft {
                            place,
                            name: None,
                            postmaster: None,
                        };
                        for (name, value) in reader.known("domain", table) {
                            let text = reader.string("domain", name, value);
                            match name {
                                "name" => domain.name = text,
                                _ => domain.postmaster = text,
                            }
                        }
                        domain
                    });
                }
                "listener" => {
                    draft.listeners = self.tables(name, value, |reader, place, table| {
                        let mut listener = ListenerDraft {
                            place,
                            protocol: None,
                            bind: None,
                            tls: None,
                        };
                        for (name, value) in reader.known("listener", table) {
                            let text = reader.string("listener", name, value);
                            match name {
                                "protocol" => listener.protocol = text,
                                "bind" => listener.bind = text,
                                _ => listener.tls = text,
                            }
                        }
                        listener
                    });
                }
                section => self.section(section, value, draft),
            }
        }
    }

    /// `[tls]`, `[runtime]`, `[dns]`, `[store]`, `[limits]`.
    fn section(&mut self, section: &str, value: Value<'_, '_>, draft: &mut Draft) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.mistyped("", section, value);
        };
        for (name, value) in self.known(section, table) {
            match (section, name) {
                ("tls", "certificate") => draft.certificate = self.string(section, name, value),
                ("tls", _) => draft.key = self.string(section, name, value),
                ("runtime", _) => draft.shards = self.shards(value),
                ("dns", _) => draft.upstream = self.strings(section, name, value),
                ("store", "map_octets") => draft.map_octets = self.number(section, name, value),
                ("store", _) => draft.compress = self.truth(section, name, value),
                (_, name) => {
                    if let Some(Said { value, place }) = self.number(section, name, value) {
                        let value = (name.to_owned(), value);
                        draft.limits.push(Said { value, place });
                    }
                }
            }
        }
    }

    /// The known keys of a table in the order of the file; each unknown one is a problem.
    fn known<'t, 'i>(
        &mut self,
        section: &str,
        table: &'t DeTable<'i>,
    ) -> Vec<(&'t str, Value<'t, 'i>)> {
        let mut known = Vec::new();
        for (name, value) in table.iter() {
            match key::expected(section, name.get_ref()) {
                Some(_) => known.push((name.get_ref().as_ref(), value)),
                None => self.wrong(name.span(), unknown(section, name.get_ref())),
            }
        }
        known.sort_by_key(|(_, value)| value.span().start);
        known
    }

    fn mistyped(&mut self, section: &str, name: &str, value: Value<'_, '_>) {
        let expected = key::expected(section, name).unwrap_or("something else");
        let is = value.get_ref().type_str();
        self.wrong(
            value.span(),
            format!("{name} is {} {is}; expected {expected}", article(is)),
        );
    }

    fn string(&mut self, section: &str, name: &str, value: Value<'_, '_>) -> Option<Said<String>> {
        match value.get_ref() {
            DeValue::String(text) => Some(Said {
                value: text.to_string(),
                place: self.place(value.span()),
            }),
            _ => {
                self.mistyped(section, name, value);
                None
            }
        }
    }

    fn strings(&mut self, section: &str, name: &str, value: Value<'_, '_>) -> Vec<Said<String>> {
        let DeValue::Array(items) = value.get_ref() else {
            self.mistyped(section, name, value);
            return Vec::new();
        };
        let strings = items.iter().map(|item| self.string(section, name, item));
        strings.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    fn number(&mut self, section: &str, name: &str, value: Value<'_, '_>) -> Option<Said<u64>> {
        if let DeValue::Integer(digits) = value.get_ref()
            && let Ok(number @ 1..) = u64::from_str_radix(digits.as_str(), digits.radix())
        {
            return Some(Said {
                value: number,
                place: self.place(value.span()),
            });
        }
        self.mistyped(section, name, value);
        None
    }

    fn truth(&mut self, section: &str, name: &str, value: Value<'_, '_>) -> Option<Said<bool>> {
        let DeValue::Boolean(truth) = *value.get_ref() else {
            self.mistyped(section, name, value);
            return None;
        };
        Some(Said {
            value: truth,
            place: self.place(value.span()),
        })
    }

    fn shards(&mut self, value: Value<'_, '_>) -> Option<Said<Shards>> {
        let shards = match value.get_ref() {
            DeValue::String(text) if text == "auto" => Shards::Auto,
            DeValue::Integer(_) => Shards::Number(self.number("runtime", "shards", value)?.value),
            _ => {
                self.mistyped("runtime", "shards", value);
                return None;
            }
        };
        Some(Said {
            value: shards,
            place: self.place(value.span()),
        })
    }

    /// An array of tables, each read by `read`.
    fn tables<T>(
        &mut self,
        name: &str,
        value: Value<'_, '_>,
        read: impl Fn(&mut Self, Place, &DeTable<'_>) -> T,
    ) -> Vec<T> {
        let DeValue::Array(items) = value.get_ref() else {
            self.mistyped("", name, value);
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    let place = self.place(item.span());
                    tables.push(read(self, place, table));
                }
                _ => self.mistyped("", name, item),
            }
        }
        tables
    }
}

fn article(noun: &str) -> &'static str {
    match noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => "an",
        false => "a",
    }
}

/// Says that there is no such key, and which one was probably meant.
fn unknown(section: &str, name: &str) -> String {
    let inside = match section {
        "" => String::new(),
        section => format!(" in [{section}]"),
    };
    let what = format!("unknown key {name:?}{inside}");
    if let Some(near) = nearest(name, key::names(section)) {
        return format!("{what}; did you mean {near:?}?");
    }
    match key::sections_with(name).first() {
        Some(&"") => format!("{what}; it belongs at the top, before the first table"),
        Some(section) => format!("{what}; it belongs in [{section}]"),
        None => format!("{what}; known are {}", key::names(section).join(", ")),
    }
}
