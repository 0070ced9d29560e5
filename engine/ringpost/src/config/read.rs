//! From the file's text and the `--set` overrides to values with their places.
//!
//! In:  TOML. Out: a [`Draft`]: what was said, each value with where it was said. Later sources win over earlier
//! ones, so overrides come after the file.
//!
//! Every problem is collected, not only the first: a file is mended in one go. Unknown keys are problems that name
//! the nearest known one; a value of the wrong type names what was expected.
//!
//! What a table has in it is read by its room in [`section`]; here is what all rooms read with.

use super::key;
use super::nearest::nearest;
use super::problem::{Lines, Problem, Problems};
use super::section::{self, Draft};
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
    text: Lines,
}

impl Place {
    /// A problem here.
    pub fn problem(&self, what: String) -> Problem {
        let Source { name, text } = &*self.source;
        text.problem(name, self.span.start, what)
    }

    /// The source and its line, such as `ringpost.toml:41`.
    pub fn line(&self) -> String {
        let problem = self.problem(String::new());
        match problem.place {
            Some((line, _)) => format!("{}:{line}", problem.source),
            None => problem.source,
        }
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

/// Reads the file's text and the overrides.
pub fn draft(file: &Path, text: &str, overrides: &[String]) -> Result<Draft, Problems> {
    let mut reader = Reader {
        source: Rc::new(Source {
            name: file.display().to_string(),
            text: Lines::of(text.to_owned()),
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
                    text: Lines::of(document),
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

/// A value and where it stands.
pub type Value<'v, 'i> = &'v Spanned<DeValue<'i>>;

/// Reads one source after the other.
pub struct Reader {
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

    /// One source, table by table.
    fn document(&mut self, draft: &mut Draft) {
        let source = self.source.clone();
        let document = match DeTable::parse(source.text.text()) {
            Ok(document) => document,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                return self.wrong(span, format!("not TOML: {}", error.message()));
            }
        };
        for (name, value) in self.known("", document.get_ref()) {
            match name {
                "domain" => section::domain::read(self, value, &mut draft.domains),
                "listener" => section::listener::read(self, value, &mut draft.listeners),
                "rule" => section::rule::read(self, value, &mut draft.rules),
                "relay" => section::relay::read(self, value, &mut draft.relays),
                "tls" => section::tls::read(self, value, &mut draft.tls),
                "auth" => section::auth::read(self, value, &mut draft.auth),
                "runtime" => section::runtime::read(self, value, &mut draft.runtime),
                "dns" => section::dns::read(self, value, &mut draft.dns),
                "store" => section::store::read(self, value, &mut draft.store),
                "admission" => section::admission::read(self, value, &mut draft.admission),
                "limits" => section::limits::read(self, value, &mut draft.limits),
                name => section::top::read(self, name, value, &mut draft.top),
            }
        }
    }

    /// A table `[section]`, key by key; `section` is its whole name, such as `auth.oauth`.
    pub fn table(
        &mut self,
        section: &str,
        value: Value<'_, '_>,
        mut read: impl FnMut(&mut Self, &str, Value<'_, '_>),
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            let (parent, name) = section.rsplit_once('.').unwrap_or(("", section));
            return self.mistyped(parent, name, value);
        };
        for (name, value) in self.known(section, table) {
            read(self, name, value);
        }
    }

    /// The known keys of a table in the order of the file; each unknown one is a problem.
    pub fn known<'t, 'i>(
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

    /// A value of another type than expected.
    pub fn mistyped(&mut self, section: &str, name: &str, value: Value<'_, '_>) {
        let expected = key::expected(section, name).unwrap_or("something else");
        let is = value.get_ref().type_str();
        self.wrong(
            value.span(),
            format!("{name} is {} {is}; expected {expected}", article(is)),
        );
    }

    /// A string.
    pub fn string(
        &mut self,
        section: &str,
        name: &str,
        value: Value<'_, '_>,
    ) -> Option<Said<String>> {
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

    /// A list of strings.
    pub fn strings(
        &mut self,
        section: &str,
        name: &str,
        value: Value<'_, '_>,
    ) -> Vec<Said<String>> {
        let DeValue::Array(items) = value.get_ref() else {
            self.mistyped(section, name, value);
            return Vec::new();
        };
        let strings = items.iter().map(|item| self.string(section, name, item));
        strings.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// A string or a list of strings.
    pub fn words(
        &mut self,
        section: &str,
        name: &str,
        value: Value<'_, '_>,
    ) -> Option<Vec<Said<String>>> {
        match value.get_ref() {
            DeValue::Array(_) => Some(self.strings(section, name, value)),
            _ => Some(vec![self.string(section, name, value)?]),
        }
    }

    /// A whole number, 1 or more.
    pub fn number(&mut self, section: &str, name: &str, value: Value<'_, '_>) -> Option<Said<u64>> {
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

    /// true or false.
    pub fn truth(&mut self, section: &str, name: &str, value: Value<'_, '_>) -> Option<Said<bool>> {
        let DeValue::Boolean(truth) = *value.get_ref() else {
            self.mistyped(section, name, value);
            return None;
        };
        Some(Said {
            value: truth,
            place: self.place(value.span()),
        })
    }

    /// `value` with the place of what it was read from.
    pub fn said<T>(&self, value: T, from: Value<'_, '_>) -> Said<T> {
        let place = self.place(from.span());
        Said { value, place }
    }

    /// An array of tables, each read by `read`.
    pub fn tables<T>(
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
