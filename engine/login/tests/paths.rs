//! What a password and a SCRAM name lead to, over rows held in a map; and that it costs the same whoever is meant.

use ringpost_api::behaviour::model::Memory;
use ringpost_api::credential::{APP, CredentialRow, MAIN, scope};
use ringpost_api::edits::Rows;
use ringpost_api::row::AddressRow;
use ringpost_api::table::AccountRow;
use ringpost_api::write::AliasTarget;
use ringpost_api::{Table, key};
use ringpost_directory::app_password::{self, AppPassword};
use ringpost_directory::secret;
use ringpost_login::cache::Cache;
use ringpost_login::check::{self, Start, Subject};
use ringpost_login::keys;
use ringpost_sasl::Keys;
use ringpost_sasl::scram::keys::{ITERATIONS, ITERATIONS_RANDOM};
use ringpost_types::{AccountId, Address};
use std::sync::LazyLock;

const PASSWORD: &str = "correct horse";
const NOBODY: [u8; 32] = [7; 32];

/// Its hash, made once: hashes are counted for the whole process.
static PHC: LazyLock<String> = LazyLock::new(|| secret::hash(PASSWORD.as_bytes()).expect("hashes"));

/// Alice with password, keys and an app password for IMAP; Bob with a password alone; Carol, who may not log in; Dave,
/// who has no password.
struct House {
    rows: Memory,
    phone: AppPassword,
    keys: Keys,
}

impl House {
    fn new() -> House {
        let phc = &**PHC;
        let phone = app_password::generate().expect("random octets");
        // As many rounds as it takes to see that they are these.
        let keys = Keys::derive(PASSWORD.as_bytes(), [1; 16], 7);
        let mut house = House {
            rows: Memory::default(),
            phone,
            keys,
        };
        house.account(1, "alice@example.org", phc, false);
        house.account(2, "bob@example.org", phc, false);
        house.account(3, "carol@example.org", phc, true);
        house.account(4, "dave@example.org", "", false);
        let main = keys::stored(&house.keys);
        let main = CredentialRow {
            scopes: scope::ALL,
            scram: Some(main.row()),
            ..CredentialRow::default()
        };
        let app = keys::stored(&house.phone.keys);
        let secret = house.phone.secret.clone();
        let app = CredentialRow {
            scopes: scope::IMAP,
            secret: &secret,
            name: "phone",
            scram: Some(app.row()),
            ..CredentialRow::default()
        };
        house.credential(MAIN, 0, &main);
        house.credential(APP, 9, &app);
        house
    }

    fn account(&mut self, id: u32, name: &str, secret: &str, disabled: bool) {
        let (mut row, mut address) = (Vec::new(), Vec::new());
        AccountRow {
            disabled,
            secret,
            name,
            ..AccountRow::default()
        }
        .encode(&mut row);
        AddressRow::encode(&[AliasTarget::Account(AccountId(id))], &mut address);
        let name = Address::parse(name).expect("an address").key();
        self.put(Table::Account, &key::account(AccountId(id)), &row);
        self.put(Table::Address, name.as_bytes(), &address);
    }

    fn credential(&mut self, kind: u8, id: u32, row: &CredentialRow<'_>) {
        let mut octets = Vec::new();
        row.encode(&mut octets).expect("within all lengths");
        let key = key::credential(AccountId(1), kind, id);
        self.put(Table::Credential, &key, &octets);
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.rows.put(table, key, value).expect("memory");
    }

    /// Who it is, and how many passwords were hashed for it.
    fn log_in(&self, cache: &mut Cache, identity: &str, password: &str) -> (Option<Subject>, u64) {
        let before = secret::hashed();
        let start = check::start(&self.rows, cache, identity, password.into(), 0);
        let subject = match start.expect("memory") {
            Start::Known(subject) => Some(subject),
            Start::Hash(hash) => check::settle(cache, hash.verify(), 0).0,
        };
        (subject, secret::hashed() - before)
    }
}

fn who(subject: &Option<Subject>) -> Option<(u32, u32, Option<&str>)> {
    let subject = subject.as_ref()?;
    let app = subject.app.as_ref().map(|app| &*app.name);
    Some((subject.login.account.0, subject.scopes, app))
}

/// The one test that hashes, for hashes are counted for the whole process.
#[test]
fn passwords_and_what_they_cost() {
    let house = House::new();
    let phone = &*house.phone.text;
    let other = app_password::generate().expect("random octets").text;
    let alice = Some((1, scope::ALL, None));
    let by_phone = Some((1, scope::IMAP, Some("phone")));
    let accent = "pa\u{308}ssword";
    type Case<'c> = (&'c str, &'c str, Option<(u32, u32, Option<&'c str>)>, u64);
    let cases: &[Case] = &[
        // Identity, password; account, scopes, app password; hashes.
        ("alice@example.org", PASSWORD, alice, 1),
        ("Alice@EXAMPLE.org", PASSWORD, alice, 1),
        ("bob@example.org", PASSWORD, Some((2, scope::ALL, None)), 1),
        // An app password costs none.
        ("alice@example.org", phone, by_phone, 0),
        ("alice@example.org/phone", phone, by_phone, 0),
        // Whoever is refused costs one: known, unknown, disabled, without password, with a name that nobody could have.
        ("alice@example.org", "wrong", None, 1),
        ("alice@example.org", &other, None, 1),
        ("alice@example.org/phone", PASSWORD, None, 1),
        ("alice@example.org/laptop", phone, None, 1),
        ("bob@example.org", phone, None, 1),
        ("carol@example.org", PASSWORD, None, 1),
        ("dave@example.org", PASSWORD, None, 1),
        ("nobody@example.org", PASSWORD, None, 1),
        ("nobody@example.org", phone, None, 1),
        ("no address", PASSWORD, None, 1),
        // A password that another keyboard writes otherwise is looked at twice, for everybody.
        ("alice@example.org", accent, None, 2),
        ("nobody@example.org", accent, None, 2),
        ("carol@example.org", accent, None, 2),
    ];
    for &(identity, password, expected, hashes) in cases {
        let mut cache = Cache::new(10);
        let (subject, hashed) = house.log_in(&mut cache, identity, password);
        assert_eq!(who(&subject), expected, "{identity} {password}");
        assert_eq!(hashed, hashes, "{identity} {password}");
    }

    // Minutes later it costs none, and a failure in between neither helps nor harms.
    let mut cache = Cache::new(10);
    let mut hashes = |password| house.log_in(&mut cache, "alice@example.org", password).1;
    assert_eq!(
        [
            hashes(PASSWORD),
            hashes(PASSWORD),
            hashes("wrong"),
            hashes(PASSWORD)
        ],
        [1, 0, 1, 0]
    );

    // The first good login of an account without keys makes them.
    let mut cache = Cache::new(10);
    for (name, made) in [("bob@example.org", true), ("alice@example.org", false)] {
        let start = check::start(&house.rows, &cache, name, PASSWORD.into(), 0);
        let Ok(Start::Hash(hash)) = start else {
            panic!("{name} is not known yet");
        };
        let (_, keys) = check::settle(&mut cache, hash.verify(), 0);
        assert_eq!(keys.is_some(), made, "{name}");
        if let Some(keys) = keys {
            assert_eq!(keys.account, AccountId(2));
            let Keys { salt, .. } = keys.keys;
            assert_eq!(
                keys.keys,
                Keys::derive(PASSWORD.as_bytes(), salt, ITERATIONS)
            );
        }
    }
}

#[test]
fn keys_of_somebody_and_of_nobody() {
    let house = House::new();
    let find = |identity: &str| keys::find(&house.rows, &NOBODY, identity).expect("memory");
    let (keys, subject) = find("alice@example.org");
    assert_eq!(
        (keys, who(&subject)),
        (house.keys.clone(), Some((1, scope::ALL, None)))
    );
    let (keys, subject) = find("alice@example.org/phone");
    assert_eq!(keys, house.phone.keys);
    assert_eq!(who(&subject), Some((1, scope::IMAP, Some("phone"))));
    const NOBODIES: &[(&str, u32)] = &[
        ("nobody@example.org", ITERATIONS),
        ("bob@example.org", ITERATIONS),
        ("carol@example.org", ITERATIONS),
        ("dave@example.org", ITERATIONS),
        ("no address", ITERATIONS),
        ("alice@example.org/laptop", ITERATIONS_RANDOM),
        ("nobody@example.org/phone", ITERATIONS_RANDOM),
    ];
    for (identity, iterations) in NOBODIES {
        let (keys, subject) = find(identity);
        assert_eq!(who(&subject), None, "{identity}");
        assert_eq!(
            keys,
            Keys::nobody(&NOBODY, identity, *iterations),
            "{identity}"
        );
        assert_eq!(find(identity).0, keys, "{identity}: the same each time");
    }
    // Whoever asks in many spellings sees no difference between somebody and nobody.
    for somebody in ["alice", "nobody"] {
        let salt = |identity: String| find(&identity).0.salt;
        let usual = salt(format!("{somebody}@example.org"));
        for identity in [
            format!("\"{somebody}\"@EXAMPLE.org"),
            format!("\"\\{somebody}\"@example.org"),
            format!("{}@example.org.", somebody.to_uppercase()),
        ] {
            assert_eq!(salt(identity.clone()), usual, "{identity}");
        }
        let app = |name: &str| salt(format!("{somebody}@example.org/{name}"));
        assert_ne!(app("phone"), app("Phone"));
        assert_ne!(app("phone"), usual);
    }
}
