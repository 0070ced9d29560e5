//! A small house: domains, accounts and aliases over a snapshot held in a map.

#![allow(dead_code)] // each test file uses some of it

use ringpost_api::behaviour::model::Memory;
use ringpost_api::edits::Rows;
use ringpost_api::row::AddressRow;
use ringpost_api::table::AccountRow;
use ringpost_api::write::AliasTarget;
use ringpost_api::{Table, key};
use ringpost_directory::{Domains, LocalDomain};
use ringpost_types::{AccountId, Address, Domain, address as text};

/// Rows of a directory, put one by one.
#[derive(Default)]
pub struct Map(pub Memory);

impl Map {
    pub fn account(&mut self, id: u32, name: &str, secret: &str, disabled: bool) {
        let row = AccountRow {
            disabled,
            secret,
            name,
            ..AccountRow::default()
        };
        let mut value = Vec::new();
        row.encode(&mut value);
        self.put(Table::Account, &key::account(AccountId(id)), &value);
        self.alias(name, &[AliasTarget::Account(AccountId(id))]);
    }

    pub fn alias(&mut self, name: &str, targets: &[AliasTarget]) {
        let mut value = Vec::new();
        AddressRow::encode(targets, &mut value);
        self.put(
            Table::Address,
            text::key(name).expect(name).as_bytes(),
            &value,
        );
    }

    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.0.put(table, key, value).expect("memory");
    }
}

pub fn address(text: &str) -> Address {
    Address::parse(text).expect("a test's address")
}

pub fn to(name: &str) -> AliasTarget {
    AliasTarget::Address(address(name).to_string())
}

pub fn domains() -> Domains {
    let domain = |name| LocalDomain::new(Domain::parse(name).expect("a test's domain"));
    let mut second = domain("example.net");
    second.postmaster = Some(address("bob@example.org"));
    second.subaddress = "-=".into();
    second.literals = vec![
        "192.0.2.1".parse().expect("an address"),
        "2001:db8::1".parse().expect("an address"),
    ];
    Domains::new(vec![
        domain("example.org"),
        second,
        domain("empty.example"),
        domain("s\u{f6}rensen.example"),
        domain("caught.example"),
        domain("shared.example"),
    ])
}

pub fn house() -> Map {
    let mut map = Map::default();
    map.account(1, "Alice@example.org", "", false);
    map.account(2, "bob@example.org", "", false);
    map.account(3, "carol@example.net", "", false);
    map.alias(
        "sales@example.org",
        &[to("alice@example.org"), to("bob@example.org")],
    );
    map.alias(
        "all@example.org",
        &[to("sales@example.org"), to("carol@example.net")],
    );
    map.alias("bob+exact@example.org", &[to("carol@example.net")]);
    map.alias("ring1@example.org", &[to("ring2@example.org")]);
    map.alias("ring2@example.org", &[to("ring1@example.org")]);
    map.alias(
        "out@example.org",
        &[to("bob@example.org"), to("X@elsewhere.example")],
    );
    map.alias(
        "both@example.org",
        &[
            to("out@example.org"),
            to("x@elsewhere.example"),
            to("alice@example.org"),
            to("X@elsewhere.example"),
        ],
    );
    map.alias("\"a b\"@example.org", &[to("bob@example.org")]);
    map.account(4, "D\u{f6}rte@s\u{f6}rensen.example", "", false);
    map.alias("@caught.example", &[to("carol@example.net")]);
    map.alias("own@caught.example", &[to("alice@example.org")]);
    map.alias("info@caught.example", &[to("elsewhere@caught.example")]);
    map.alias(
        "@shared.example",
        &[to("alice@example.org"), to("bob@example.org")],
    );
    map
}
