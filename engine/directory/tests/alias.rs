//! What may become an alias, and what is said of the rest.

mod house;

use house::{Map, domains, house, to};
use ringpost_api::Write;
use ringpost_api::write::AliasTarget;
use ringpost_directory::account::Refusal;
use ringpost_directory::alias::{self, Report};
use ringpost_directory::alias_file;
use ringpost_directory::resolve::ADDRESSES_MAX;
use ringpost_types::{AccountId, Domain};

fn put(map: &Map, name: &str, targets: &[&str]) -> Result<Write, Refusal> {
    let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
    alias::put(&map.0, &domains(), name, &targets)
}

fn one(address: &str, targets: Vec<AliasTarget>) -> Result<Write, Refusal> {
    let address = address.to_owned();
    Ok(Write::AliasPut { address, targets })
}

#[test]
fn what_may_be_put() {
    let map = house();
    let account = |id| AliasTarget::Account(AccountId(id));
    let cases: &[(&str, &[&str], Result<Write, Refusal>)] = &[
        (
            "News@example.net",
            &[
                "alice@example.org",
                "sales@example.org",
                "ALICE@example.org",
            ],
            one(
                "news@example.net",
                vec![account(1), to("sales@example.org")],
            ),
        ),
        (
            "away@example.org",
            &["Bob.X@Elsewhere.example", "bob+copy@example.org"],
            one(
                "away@example.org",
                vec![to("Bob.X@elsewhere.example"), to("bob+copy@example.org")],
            ),
        ),
        (
            "@Example.NET",
            &["carol@example.net"],
            one("@example.net", vec![account(3)]),
        ),
        (
            "\"J. Doe\"@example.org",
            &["postmaster@empty.example"],
            one(
                "\"j. doe\"@example.org",
                vec![to("postmaster@empty.example")],
            ),
        ),
        (
            "sörensen@Sörensen.example",
            &["DÖRTE@xn--srensen-90a.example"],
            one("sörensen@xn--srensen-90a.example", vec![account(4)]),
        ),
    ];
    for (name, targets, expected) in cases {
        assert_eq!(put(&map, name, targets), *expected, "{name}");
    }
}

#[test]
fn what_is_refused_and_why() {
    let mut map = house();
    map.alias("a@example.org", &[to("b@example.org")]);
    map.alias(
        "b@example.org",
        &[to("c+x@example.org"), to("bob@example.org")],
    );
    map.alias("c@example.org", &[to("bob@example.org")]);
    let cases: &[(&str, &[&str], &str)] = &[
        (
            "alice@example.org",
            &["bob@example.org"],
            "alice@example.org is the address of an account, not an alias",
        ),
        (
            "n@elsewhere.example",
            &["bob@example.org"],
            "n@elsewhere.example is not of a local domain; add its domain to the configuration as [[domain]]",
        ),
        (
            "n@[192.0.2.1]",
            &["bob@example.org"],
            "n@[192.0.2.1] is not of a local domain; add its domain to the configuration as [[domain]]",
        ),
        (
            "@elsewhere.example",
            &["bob@example.org"],
            "@elsewhere.example is not of a local domain; add its domain to the configuration as [[domain]]",
        ),
        (
            "n@example.org",
            &["x@example.org"],
            "x@example.org is neither an account nor an alias here",
        ),
        // Caught is not there: it may be a misspelling.
        (
            "n@example.org",
            &["x@caught.example"],
            "x@caught.example is neither an account nor an alias here",
        ),
        (
            "n",
            &["bob@example.org"],
            "\"n\" is not an address: an address is local-part@domain",
        ),
        (
            "n@example.org",
            &["bob"],
            "\"bob\" is not an address: an address is local-part@domain",
        ),
        (
            "n@example.org",
            &["@example.org"],
            "\"@example.org\" is not an address: an address is local-part@domain",
        ),
        (
            "do\u{308}@example.org",
            &["bob@example.org"],
            "do\u{308}@example.org is not in normal form (NFC); write d\u{f6}@example.org",
        ),
        (
            "c@example.org",
            &["a@example.org"],
            "an alias leads back to itself: c@example.org -> a@example.org -> b@example.org -> c@example.org",
        ),
        (
            "sales@example.org",
            &["sales@example.org"],
            "an alias leads back to itself: sales@example.org -> sales@example.org",
        ),
        (
            "sales@example.org",
            &["bob@example.org", "sales+x@example.org"],
            "an alias leads back to itself: sales@example.org -> sales@example.org",
        ),
        (
            "@caught.example",
            &["info@caught.example"],
            "an alias leads back to itself: @caught.example -> info@caught.example -> @caught.example",
        ),
    ];
    for (name, targets, expected) in cases {
        let refusal = put(&map, name, targets).expect_err(name);
        assert_eq!(refusal.to_string(), *expected, "{name}");
    }
    let text = |refusal: Refusal| refusal.to_string();
    let remove = |name: &str| alias::remove(&map.0, name).map_err(text);
    assert_eq!(
        remove("alice@example.org"),
        Err("alice@example.org is the address of an account, not an alias".to_owned())
    );
    assert_eq!(
        remove("none@example.org"),
        Err("there is no alias none@example.org".to_owned())
    );
    for (name, address) in [
        ("ALL@example.org", "all@example.org"),
        ("\"A b\"@example.org", "\"a b\"@example.org"),
        ("@caught.example", "@caught.example"),
    ] {
        let address = address.to_owned();
        assert_eq!(remove(name), Ok(Write::AliasRemove { address }));
    }
}

#[test]
fn an_alias_of_too_many_is_refused() {
    let mut map = house();
    let targets = |count: usize| -> Vec<String> {
        let numbers = 0..count;
        numbers.map(|n| format!("x{n}@elsewhere.example")).collect()
    };
    let put =
        |map: &Map, count| alias::put(&map.0, &domains(), "many@example.org", &targets(count));
    assert!(put(&map, ADDRESSES_MAX - 1).is_ok());
    let refusal = put(&map, ADDRESSES_MAX).expect_err("one more");
    assert_eq!(refusal, Refusal::TooMany("many@example.org".to_owned()));
    // Also where another alias brings them.
    let leads: Vec<_> = targets(ADDRESSES_MAX - 2)
        .iter()
        .map(|text| to(text))
        .collect();
    map.alias("half@example.org", &leads);
    let on = |extra: &[&str]| {
        let targets: Vec<String> = [&["half@example.org"], extra]
            .concat()
            .iter()
            .map(|t| (*t).to_owned())
            .collect();
        alias::put(&map.0, &domains(), "top@example.org", &targets)
    };
    assert!(on(&[]).is_ok());
    assert!(matches!(
        on(&["y@elsewhere.example"]),
        Err(Refusal::TooMany(_))
    ));
}

#[test]
fn the_list_has_all_but_accounts() {
    let aliases = alias::list(&house().0).expect("lists");
    let sales = aliases
        .iter()
        .find(|alias| alias.name == "sales@example.org");
    let targets = sales.map(|alias| alias.targets.clone());
    assert_eq!(
        targets,
        Some(vec!["alice@example.org".into(), "bob@example.org".into()])
    );
    assert!(
        aliases
            .iter()
            .all(|alias| alias.name != "alice@example.org")
    );
    assert!(aliases.iter().any(|alias| alias.name == "@caught.example"));
}

#[test]
fn what_went_wrong_since_is_told() {
    let mut map = house();
    map.alias(
        "lost@example.org",
        &[to("gone@example.org"), to("y@elsewhere.example")],
    );
    let faults = alias::faults(&map.0, &domains()).expect("reads");
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let expected = [
        "alias info@caught.example leads to elsewhere@caught.example, which is not there",
        "alias lost@example.org leads to gone@example.org, which is not there",
        "an alias leads back to itself: ring1@example.org -> ring2@example.org -> ring1@example.org",
    ];
    assert_eq!(told, expected);
}

fn import(map: &Map, text: &str) -> Result<(Write, Report), Vec<String>> {
    let domain = Domain::parse("example.org").expect("a domain");
    let entries = alias_file::parse(text).expect("a good table");
    let done = alias::import(&map.0, &domains(), &domain, &entries);
    done.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn a_table_is_put_as_a_whole() {
    let map = house();
    let text = "root: alice, Admin@Elsewhere.example\ndaemon: root\n\"web master\": \\bob\n\
        sales: alice@example.org, bob\nhelp@example.net: root, daemon\n";
    let (write, report) = import(&map, text).expect("a good table");
    let account = |id| AliasTarget::Account(AccountId(id));
    let aliases = vec![
        (
            "daemon@example.org".to_owned(),
            vec![to("root@example.org")],
        ),
        (
            "help@example.net".to_owned(),
            vec![to("root@example.org"), to("daemon@example.org")],
        ),
        (
            "root@example.org".to_owned(),
            vec![account(1), to("Admin@elsewhere.example")],
        ),
        ("sales@example.org".to_owned(), vec![account(1), account(2)]),
        ("\"web master\"@example.org".to_owned(), vec![account(2)]),
    ];
    assert_eq!(write, Write::AliasesPut { aliases });
    assert_eq!(
        (report.added.len(), report.replaced.len(), report.unchanged),
        (4, 1, 0)
    );
    assert_eq!(report.replaced[0].name, "sales@example.org");
    assert_eq!(
        report.replaced[0].targets,
        ["Alice@example.org", "bob@example.org"]
    );
}

#[test]
fn a_table_is_refused_as_a_whole() {
    let map = house();
    let text = "root: alice\nbob: \\bob, x@elsewhere.example\na: b, nobody\nb: a\n\
        x@elsewhere.example: root\nRoot@example.org: bob\nd: \\sales\n";
    let expected = [
        "2: bob@example.org is the address of an account, not an alias",
        "3: nobody@example.org is neither an account nor an alias here",
        "3: an alias leads back to itself: a@example.org -> b@example.org -> a@example.org",
        "4: an alias leads back to itself: b@example.org -> a@example.org -> b@example.org",
        "5: x@elsewhere.example is not of a local domain; add its domain to the configuration as [[domain]]",
        "6: root@example.org is here twice",
        "7: there is no account sales@example.org",
    ];
    assert_eq!(import(&map, text).expect_err("a bad table"), expected);
}
