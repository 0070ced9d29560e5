//! The rules of the house, checked from manifests and sources: who imports whom, where unsafe code may stand, what
//! must not be left lying about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rooms of `engine` and `store` with their rank.
const RANKS: &[(&str, u32)] = &[
    ("engine/types", 0),
    ("engine/scan", 0),
    ("engine/message", 1),
    ("engine/smtp", 1),
    ("engine/imap", 1),
    ("engine/mailauth", 1),
    ("engine/sasl", 1),
    ("engine/admission", 1),
    ("engine/runtime", 2),
    ("engine/directory", 2),
    ("engine/delivery", 3),
    ("engine/login", 3),
    ("engine/smtpd", 4),
    ("engine/imapd", 4),
    ("engine/migration", 4),
    ("engine/ringpost", 5),
    ("store/api", 0),
    ("store/log", 1),
    ("store/lmdb", 2),
];

/// Rooms with unsafe code; each block says why it is sound.
const UNSAFE: &[&str] = &["engine/scan", "engine/runtime", "store/log", "store/lmdb"];
/// Rooms that measure or test others.
const WORKSHOPS: &[&str] = &["bench", "loadtest", "tests"];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("tests/ lies in the repository")
        .to_owned()
}

fn rank(room: &str) -> Option<u32> {
    let known = RANKS.iter().find(|(name, _)| *name == room);
    known.map(|(_, rank)| *rank)
}

/// Every room of the workspace: its folder, and its manifest.
fn rooms() -> BTreeMap<String, toml::Table> {
    let mut rooms = BTreeMap::new();
    let folders = ["engine", "store"].map(|floor| root().join(floor));
    let inner = folders.iter().flat_map(|floor| {
        let entries = std::fs::read_dir(floor).expect("the floor is there");
        entries.map(|entry| entry.expect("readable").path())
    });
    for path in inner.chain(WORKSHOPS.iter().map(|name| root().join(name))) {
        if let Ok(manifest) = std::fs::read_to_string(path.join("Cargo.toml")) {
            let name = path.strip_prefix(root()).expect("below the root");
            let name = name.to_str().expect("UTF-8 names").to_owned();
            rooms.insert(name, manifest.parse().expect("a manifest is TOML"));
        }
    }
    rooms
}

/// Names of the packages a room is built from; with `dev`, also those only its tests use.
fn imports(manifest: &toml::Table, dev: bool) -> Vec<String> {
    let sections = ["dependencies", "build-dependencies", "dev-dependencies"];
    let sections = &sections[..if dev { 3 } else { 2 }];
    let tables = sections
        .iter()
        .filter_map(|section| manifest.get(*section)?.as_table());
    tables.flat_map(|table| table.keys().cloned()).collect()
}

/// The folder of a package of this workspace.
fn folder_of(package: &str, rooms: &BTreeMap<String, toml::Table>) -> Option<String> {
    let is = |manifest: &toml::Table| manifest["package"]["name"].as_str() == Some(package);
    let found = rooms.iter().find(|(_, manifest)| is(manifest));
    found.map(|(folder, _)| folder.clone())
}

/// Every Rust file of a room.
fn sources(room: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(room)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                files.push((path, text));
            }
        }
    }
    files
}

/// Lines of code with their comments taken off.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or(""))
}

#[test]
fn every_room_has_a_rank() {
    for room in rooms().keys() {
        let known = rank(room).is_some() || WORKSHOPS.contains(&&room[..]);
        assert!(known, "{room} has no rank");
    }
}

#[test]
fn imports_go_down() {
    let rooms = rooms();
    for (room, manifest) in &rooms {
        let Some(own) = rank(room) else { continue };
        for import in imports(manifest, false) {
            let Some(other) = folder_of(&import, &rooms) else {
                continue;
            };
            assert!(!WORKSHOPS.contains(&&other[..]), "{room} imports {other}");
            let theirs = rank(&other).expect("every room has a rank");
            let (floor, other_floor) = (floor(room), floor(&other));
            match (floor, other_floor) {
                ("store", "engine") => {
                    assert_eq!(
                        other, "engine/types",
                        "{room} imports {other}: store knows types alone"
                    );
                }
                // The two towers meet: what a rank of the engine may use of the store is not below or above it.
                ("engine", "store") => {
                    assert!(own >= 2, "{room} imports {other}: too low for a store")
                }
                _ => assert!(
                    theirs < own,
                    "{room} (rank {own}) imports {other} (rank {theirs})"
                ),
            }
        }
    }
}

fn floor(room: &str) -> &str {
    room.split('/').next().unwrap_or(room)
}

#[test]
fn no_io_below_rank_two() {
    const WORDS: &[&str] = &[
        "std::net::Tcp",
        "std::net::Udp",
        "std::fs",
        "std::process",
        "SystemTime",
        "Instant::now",
    ];
    for (room, _) in RANKS
        .iter()
        .filter(|(room, rank)| floor(room) == "engine" && *rank < 2)
    {
        for (path, text) in sources(&format!("{room}/src")) {
            for line in code(&text) {
                let found = WORDS.iter().find(|word| line.contains(**word));
                assert!(found.is_none(), "{}: {line}", path.display());
            }
        }
    }
}

#[test]
fn unsafe_code_has_its_rooms() {
    for room in rooms().keys() {
        let may = UNSAFE.contains(&&room[..]);
        let roots = ["src/lib.rs", "src/main.rs"].map(|name| root().join(room).join(name));
        for path in roots.iter().filter(|path| path.exists()) {
            let text = std::fs::read_to_string(path).expect("sources are UTF-8");
            // A program that only calls its library has its lines there, and the attribute as well.
            assert!(
                may || text.contains("#![forbid(unsafe_code)]"),
                "{} does not forbid unsafe code",
                path.display()
            );
        }
        if may {
            continue;
        }
        for (path, text) in sources(room) {
            let found =
                code(&text).find(|line| line.split_whitespace().any(|word| word == "unsafe"));
            assert!(
                found.is_none_or(|line| line.contains('"')),
                "{}: {found:?}",
                path.display()
            );
        }
    }
}

#[test]
fn nothing_is_left_over() {
    // Written in two halves, so that this file does not find itself.
    let words = ["TO", "FIX", "XX", "db", "todo", "unimplemented"];
    let ends = ["DO", "ME", "X:", "g!(", "!(", "!("];
    let words: Vec<String> = words
        .iter()
        .zip(ends)
        .map(|(word, end)| format!("{word}{end}"))
        .collect();
    for room in rooms().keys() {
        for (path, text) in sources(room) {
            for (number, line) in text.lines().enumerate() {
                let found = words.iter().find(|word| line.contains(&word[..]));
                assert!(found.is_none(), "{}:{}: {line}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn runtimes_have_one_owner() {
    let rooms = rooms();
    let owners: &[(&str, &[&str])] = &[
        ("monoio", &["engine/runtime"]),
        ("io-uring", &["engine/runtime"]),
        ("tokio", &["engine/ringpost"]),
        ("tokio-uring", &["engine/ringpost"]),
        ("heed", &["store/lmdb"]),
    ];
    for (room, manifest) in &rooms {
        let imports = imports(manifest, true);
        for (library, may) in owners {
            let named = imports.iter().any(|import| import == library);
            assert!(!named || may.contains(&&room[..]), "{room} names {library}");
        }
    }
}

#[test]
fn tests_neither_sleep_nor_are_switched_off() {
    let words = [["thread::", "sleep"].concat(), ["#[", "ignore"].concat()];
    for room in rooms().keys() {
        for (path, text) in sources(room) {
            let whole = path.components().any(|part| part.as_os_str() == "tests");
            // In other files, the tests stand last.
            let tests = if whole {
                0
            } else {
                text.find("#[cfg(test)]").unwrap_or(text.len())
            };
            let found = text[tests..]
                .lines()
                .find(|line| words.iter().any(|word| line.contains(&word[..])));
            assert!(found.is_none(), "{}: {found:?}", path.display());
        }
    }
}
