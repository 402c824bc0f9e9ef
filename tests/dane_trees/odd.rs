//! One odd thing in a certificate: what somebody's tool wrote, which one library refuses and another does not.

use crate::der::{extension, int, oid, seq, tlv};
use std::fmt;

/// What is odd about a certificate; nothing about most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Odd {
    /// In place of the start of validity.
    from: Option<&'static str>,
    /// In place of the end of validity.
    until: Option<&'static str>,
    /// Stands beside the other extensions.
    extra: Option<&'static str>,
    /// Stands twice.
    twice: Option<&'static str>,
    /// Extensions in a certificate of a version that has none.
    extended_anyway: bool,
    /// The algorithm inside is not the one outside.
    other_algorithm: bool,
    /// The string type of the common names, as its tag.
    strings: Option<u8>,
    serial: Option<&'static [u8]>,
}

/// `u:` is a `UTCTime`, `x:` another type, all others are `GeneralizedTime`.
const DATES: &[&str] = &[
    "u:250101000000Z",
    "u:2501010000Z",
    "u:250101000000+0100",
    "u:2501010000+0100",
    "u:250101000000",
    "u:500101000000Z",
    "u:490101000000Z",
    "u:251301000000Z",
    "u:250230000000Z",
    "u:250101240000Z",
    "u:250101000060Z",
    "u:2501010000 0Z",
    "u:250101000000z",
    "u:",
    "u:25010100000\u{e9}",
    "u:20250101000000Z",
    "20250101000000.5Z",
    "20250101000000.Z",
    "20250101000000",
    "20250101000000+0100",
    "202501010000Z",
    "2025010100Z",
    "20250101000000ZZ",
    "20251301000000Z",
    "20250230000000Z",
    "20250101000060Z",
    "00000101000000Z",
    "19490101000000Z",
    "20491231235959Z",
    "20500101000000Z",
    "99991231235959Z",
    "250101000000Z",
    "",
    "x:20250101000000Z",
    "20261220000000Z",
    "20261220000001Z",
    "20261219235959Z",
];

/// `c:` is critical. What each of these holds is in [`value`].
const EXTRA: &[&str] = &[
    "policyConstraints",
    "c:policyConstraints",
    "c:policyConstraints0",
    "policyMappings",
    "c:policyMappings",
    "c:inhibitAnyPolicy",
    "policies",
    "c:policies",
    "c:nsServer",
    "nsServer",
    "c:nsClient",
    "nsClient",
    "c:nsCA",
    "c:crl",
    "c:aia",
    "c:issuerAltName",
    "c:tlsFeature",
    "tlsFeature",
    "c:addresses",
    "c:noCheck",
    "noCheck",
    "c:keyPeriod",
    "c:poison",
    "poison",
    "c:nsComment",
    "c:subjectKey",
    "c:authorityKey",
    "c:constraintsOther",
    "constraintsOther",
    "c:constraintsAddress",
    "c:constraintsDirectory",
    "c:constraintsUri",
    "c:constraintsEmpty",
    "garbageNames",
];

const TWICE: &[&str] = &[
    "2.5.29.19",
    "2.5.29.15",
    "2.5.29.37",
    "2.5.29.14",
    "2.5.29.35",
    "2.5.29.17",
    "2.5.29.30",
    "1.3.6.1.4.1.99999.1",
];

/// Printable, Teletex, IA5, Universal, BMP, Visible and Numeric strings.
const STRINGS: &[u8] = &[0x13, 0x14, 0x16, 0x1c, 0x1e, 0x1a, 0x12];

const SERIALS: &[&[u8]] = &[&[], &[0], &[0x80], &[0xff, 0xff], &[0x7f; 21], &[0, 0, 1]];

fn value(name: &str) -> (&'static str, Vec<u8>) {
    let any_policy = oid("2.5.29.32.0");
    let one_policy = oid("1.3.6.1.4.1.99999.2");
    let constraint = |tag, base: &[u8]| ("2.5.29.30", seq(&[tlv(0xa0, &seq(&[tlv(tag, base)]))]));
    let other = [oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xa0, &tlv(0x0c, b"x"))].concat();
    let ns = |bit: u8| {
        (
            "2.16.840.1.113730.1.1",
            tlv(3, &[bit.trailing_zeros() as u8, bit]),
        )
    };
    let uri = tlv(0x86, b"http://example.com/x");
    match name {
        "policyConstraints" => ("2.5.29.36", seq(&[tlv(0x80, &[1])])),
        "policyConstraints0" => ("2.5.29.36", seq(&[tlv(0x80, &[0])])),
        "policyMappings" => (
            "2.5.29.33",
            seq(&[seq(&[one_policy, oid("1.3.6.1.4.1.99999.3")])]),
        ),
        "inhibitAnyPolicy" => ("2.5.29.54", int(0)),
        "policies" => ("2.5.29.32", seq(&[seq(&[any_policy])])),
        "nsServer" => ns(0x40),
        "nsClient" => ns(0x80),
        "nsCA" => ns(0x04),
        "crl" => ("2.5.29.31", seq(&[seq(&[tlv(0xa0, &tlv(0xa0, &uri))])])),
        "aia" => (
            "1.3.6.1.5.5.7.1.1",
            seq(&[seq(&[oid("1.3.6.1.5.5.7.48.1"), uri])]),
        ),
        "issuerAltName" => ("2.5.29.18", seq(&[uri])),
        "tlsFeature" => ("1.3.6.1.5.5.7.1.24", seq(&[int(5)])),
        "addresses" => (
            "1.3.6.1.5.5.7.1.7",
            seq(&[seq(&[tlv(4, &[0, 1]), tlv(5, &[])])]),
        ),
        "noCheck" => ("1.3.6.1.5.5.7.48.1.5", tlv(5, &[])),
        "keyPeriod" => ("2.5.29.16", seq(&[tlv(0x80, b"20250101000000Z")])),
        "poison" => ("1.3.6.1.4.1.11129.2.4.3", tlv(5, &[])),
        "nsComment" => ("2.16.840.1.113730.1.13", tlv(0x16, b"made by hand")),
        "subjectKey" => ("2.5.29.14", tlv(4, &[7; 20])),
        "authorityKey" => ("2.5.29.35", seq(&[])),
        "constraintsOther" => constraint(0xa0, &other),
        "constraintsAddress" => constraint(0x87, &[192, 0, 2, 0, 255, 255, 255, 0]),
        "constraintsDirectory" => constraint(0xa4, &crate::der::name("mx1.example.com")),
        "constraintsUri" => constraint(0x86, b"example.com"),
        "constraintsEmpty" => ("2.5.29.30", seq(&[])),
        _ => ("2.5.29.17", vec![1, 2, 3]),
    }
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = format!("{self:?}");
        let parts = told.trim_start_matches("Odd { ").trim_end_matches(" }");
        let parts = parts
            .split(", ")
            .filter(|part| !part.ends_with(": None") && !part.ends_with("false"));
        f.write_str(&parts.collect::<Vec<_>>().join(" "))
    }
}

impl Odd {
    /// One thing each.
    pub(crate) fn all() -> Vec<Self> {
        let one = |change: &dyn Fn(&mut Self)| {
            let mut odd = Self::default();
            change(&mut odd);
            odd
        };
        let mut all = vec![
            one(&|odd| odd.extended_anyway = true),
            one(&|odd| odd.other_algorithm = true),
        ];
        for date in DATES {
            all.push(one(&|odd| odd.from = Some(date)));
            all.push(one(&|odd| odd.until = Some(date)));
        }
        all.extend(
            EXTRA
                .iter()
                .map(|extra| one(&|odd| odd.extra = Some(extra))),
        );
        all.extend(TWICE.iter().map(|id| one(&|odd| odd.twice = Some(id))));
        all.extend(
            STRINGS
                .iter()
                .map(|tag| one(&|odd| odd.strings = Some(*tag))),
        );
        all.extend(
            SERIALS
                .iter()
                .map(|octets| one(&|odd| odd.serial = Some(octets))),
        );
        all
    }

    pub(crate) fn validity(&self, from: &str, until: &str) -> Vec<u8> {
        let one = |text: &str| match text.split_once(':') {
            Some(("u", digits)) => tlv(0x17, digits.as_bytes()),
            Some((_, digits)) => tlv(0x0c, digits.as_bytes()),
            None => tlv(0x18, text.as_bytes()),
        };
        seq(&[
            one(self.from.unwrap_or(from)),
            one(self.until.unwrap_or(until)),
        ])
    }

    /// The version, where it would be `usual`.
    pub(crate) fn version(&self, usual: u8) -> u8 {
        if self.extended_anyway { 1 } else { usual }
    }

    pub(crate) fn has_extensions_anyway(&self) -> bool {
        self.extended_anyway
    }

    pub(crate) fn serial(&self, usual: Vec<u8>) -> Vec<u8> {
        self.serial.map_or(usual, |octets| tlv(2, octets))
    }

    /// The algorithm inside, where `outer` stands outside.
    pub(crate) fn inner(&self, outer: Vec<u8>) -> Vec<u8> {
        if self.other_algorithm {
            return seq(&[oid("1.2.840.113549.1.1.12"), tlv(5, &[])]);
        }
        outer
    }

    /// The extensions of the certificate, whose first part is their name.
    pub(crate) fn extensions(&self, list: &mut Vec<Vec<u8>>) {
        if let Some(id) = self.twice {
            let id = oid(id);
            let has = |one: &&Vec<u8>| one.windows(id.len()).any(|part| part == id);
            if let Some(again) = list.iter().find(has).cloned() {
                list.push(again);
            }
        }
        if let Some(extra) = self.extra {
            let (critical, name) = match extra.strip_prefix("c:") {
                Some(name) => (true, name),
                None => (false, extra),
            };
            let (id, value) = value(name);
            let id_der = oid(id);
            // In place of the one that is there.
            list.retain(|one| !one.windows(id_der.len()).any(|part| part == id_der));
            list.push(extension(id, critical, &value));
        }
    }

    /// A name whose common names are of the odd string type.
    pub(crate) fn name(&self, common: &str) -> Vec<u8> {
        let Some(tag) = self.strings.filter(|_| !common.is_empty()) else {
            return crate::der::name(common);
        };
        let sets = common.split('+').map(|one| {
            let octets: Vec<u8> = match tag {
                0x1e => one.encode_utf16().flat_map(u16::to_be_bytes).collect(),
                0x1c => one.chars().flat_map(|c| (c as u32).to_be_bytes()).collect(),
                _ => one.as_bytes().to_vec(),
            };
            tlv(0x31, &seq(&[oid("2.5.4.3"), tlv(tag, &octets)]))
        });
        seq(&sets.collect::<Vec<_>>())
    }
}
