//! Trust anchors: the root's own, or those of a file of DS and DNSKEY lines, which may be one that an RFC 5011
//! tracker keeps (RFC 4033 §2, RFC 5011 §4, RFC 7958).

use super::proof::Trust;
use crate::zone::diagnostic::{Diagnostic, Kind};
use crate::zone::file::ZoneFile;
use crate::zone::include::NoFiles;
use crate::zone::name::Name;
use crate::zone::record::{Rdata, Record, Rtype};
use std::collections::BTreeMap;

/// The root's key-signing keys: KSK-2017 (tag 20326) and KSK-2024 (tag 38696), as IANA publishes their DS.
const ROOT: [&str; 2] = [
    "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
];

/// A file is larger only by mistake.
pub const MAX_OCTETS: usize = 1024 * 1024;

/// Zones whose keys are trusted without asking anyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchors {
    zones: BTreeMap<Name, Trust>,
}

/// A file holds no trust anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnchor {
    /// Too much.
    #[error("larger than 1 MiB: not a trust anchor")]
    TooLarge,
    /// Not a master file.
    #[error("{0}")]
    Syntax(String),
    /// Nothing of use.
    #[error(
        "no DS or DNSKEY record in it that can be a trust anchor (lines such as `. IN DS 20326 8 2 E06D…`)"
    )]
    Nothing,
}

impl Anchors {
    /// The anchor of the root zone, built in.
    pub fn root() -> Self {
        let ds = ROOT.iter();
        let ds = ds.filter_map(|text| Rdata::from_text(Rtype::DS, text.as_bytes(), None).ok());
        let trust = Trust::new(&Name::root(), ds.collect(), &[]);
        Self {
            zones: BTreeMap::from([(Name::root(), trust)]),
        }
    }

    /// The DS and DNSKEY records of a file, of whatever zones, each line with its absolute owner. `file` names it in
    /// errors.
    ///
    /// Keys that an RFC 5011 tracker marks as pending, revoked or removed (`;;state=…`) and keys with the REVOKE flag
    /// are no anchors.
    pub fn read(file: &str, octets: &[u8]) -> Result<Self, NoAnchor> {
        let mut found: BTreeMap<Name, (Vec<Rdata>, Vec<Rdata>)> = BTreeMap::new();
        for record in records(file, octets, &Name::root())? {
            let (ds, dnskeys) = found.entry(record.owner).or_default();
            match record.rtype {
                Rtype::DS => ds.push(record.rdata),
                _ => dnskeys.push(record.rdata),
            }
        }
        let zones = found
            .into_iter()
            .map(|(zone, (ds, dnskeys))| (zone.clone(), Trust::new(&zone, ds, &dnskeys)))
            .collect();
        Ok(Self { zones })
    }

    /// The anchor of this very zone.
    pub(super) fn of(&self, zone: &Name) -> Option<&Trust> {
        self.zones.get(zone)
    }

    /// The deepest zone with an anchor at or above `name`.
    pub(super) fn above(&self, name: &Name) -> Option<&Name> {
        let above = self.zones.keys().filter(|zone| name.is_at_or_below(zone));
        above.max_by_key(|zone| zone.label_count())
    }
}

/// The records of a file that can be trust anchors, at least one; names in it are relative to `origin`. `file` names it in
/// errors.
pub fn records(file: &str, octets: &[u8], origin: &Name) -> Result<Vec<Record>, NoAnchor> {
    if octets.len() > MAX_OCTETS {
        return Err(NoAnchor::TooLarge);
    }
    let parsed = ZoneFile::read(file, readable(octets), Some(origin), &NoFiles);
    // An anchor is no zone: what a zone would lack is no fault here, what is no master file is.
    let fault = parsed.diagnostics().iter().find(|d| d.kind == Kind::Syntax);
    if let Some(fault) = fault.cloned() {
        let line = fault.line.saturating_sub(1);
        return Err(NoAnchor::Syntax(Diagnostic { line, ..fault }.to_string()));
    }
    let all = parsed.records().all().iter();
    let records: Vec<Record> = all
        .map(|stored| parsed.records().to_record(stored))
        .filter(|record| match record.rtype {
            Rtype::DS => true,
            Rtype::DNSKEY => !is_revoked(&record.rdata),
            _ => false,
        })
        .collect();
    if records.is_empty() {
        return Err(NoAnchor::Nothing);
    }
    Ok(records)
}

fn is_revoked(dnskey: &Rdata) -> bool {
    use crate::dnssec::dnskey::{Dnskey, REVOKE};
    Dnskey::parse(dnskey).is_none_or(|key| key.flags & REVOKE != 0)
}

/// A master file of the same lines, one further down: key files carry no TTL, and an anchor needs none.
///
/// Lines that a tracker marks with a state in which a key is not trusted (all but valid, 2, and missing, 3) are emptied
/// (RFC 5011 §4.2).
fn readable(octets: &[u8]) -> Vec<u8> {
    let mark = b";;state=";
    let trusted = |line: &[u8]| {
        let state = line.windows(mark.len()).position(|w| w == mark);
        state.is_none_or(|at| {
            let digit = line.get(at.saturating_add(mark.len()));
            matches!(digit, Some(b'2' | b'3'))
        })
    };
    let mut readable = b"$TTL 0\n".to_vec();
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        readable.extend_from_slice(if trusted(line) { line } else { b"\n" });
    }
    readable
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects)]
    use super::*;
    use crate::dnssec::dnskey::{DigestType, Dnskey};

    /// The root's DNSKEYs, as the root zone serves them.
    const KEYS: &str = "\
. 172800 IN DNSKEY 257 3 8 AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU= ;{id = 20326 (ksk), size = 2048b} ;;state=2 [  VALID  ] ;;count=0
. 172800 IN DNSKEY 257 3 8 AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHspaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc= ;{id = 38696 (ksk), size = 2048b} ;;state=2 [  VALID  ] ;;count=0
";

    #[test]
    fn what_is_built_in_is_the_digest_of_the_keys_that_the_root_serves() {
        assert_eq!(
            Anchors::read("root.key", KEYS.as_bytes()),
            Ok(Anchors::root())
        );
    }

    type Zones = &'static [&'static [u8]];

    #[test]
    fn files_of_every_kind() {
        let key = KEYS.lines().next().unwrap().split(" ;").next().unwrap();
        let rdata = key.split("DNSKEY ").nth(1).unwrap();
        let dnskey = Rdata::from_text(Rtype::DNSKEY, rdata.as_bytes(), None).unwrap();
        let ds = Dnskey::parse(&dnskey)
            .unwrap()
            .ds(&Name::root(), DigestType::Sha256);
        let ds = format!(". IN DS {}", ds.to_text(Rtype::DS));
        let elsewhere = key.replacen('.', "example.com.", 1);
        let revoked = key.replacen("257", "385", 1);
        let table: [(&str, String, Result<Zones, &str>); 10] = [
            ("a DS line", ds.clone(), Ok(&[b"."])),
            ("a DNSKEY line", key.to_owned(), Ok(&[b"."])),
            (
                "two zones",
                format!("{ds}\n{elsewhere}\n"),
                Ok(&[b".", b"example.com."]),
            ),
            (
                "pending",
                format!("{key} ;;state=1 [ ADDPEND ]\n"),
                Err("no DS or DNSKEY"),
            ),
            (
                "missing, still trusted",
                format!("{key} ;;state=3\n"),
                Ok(&[b"."]),
            ),
            ("the REVOKE flag", revoked, Err("no DS or DNSKEY")),
            ("empty", String::new(), Err("no DS or DNSKEY")),
            ("not a master file", "\n. IN DS x".to_owned(), Err("f:2:")),
            (
                "a BIND key file",
                format!("; made by\n{}\n", key.replace(" 172800", "")),
                Ok(&[b"."]),
            ),
            ("huge", " ".repeat(MAX_OCTETS + 1), Err("larger than 1 MiB")),
        ];
        for (what, text, expected) in table {
            match (Anchors::read("f", text.as_bytes()), expected) {
                (Ok(anchors), Ok(zones)) => {
                    let zones = zones.iter().map(|z| Name::parse(z, None).unwrap());
                    assert!(anchors.zones.into_keys().eq(zones), "{what}");
                }
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{what}: {error}");
                }
                (found, _) => panic!("{what}: {found:?}"),
            }
        }
    }

    #[test]
    fn lines_without_ttl_and_with_relative_names_are_of_the_zone_that_is_asked_for() {
        let apex = Name::parse(b"example.com.", None).unwrap();
        let digest = "ab".repeat(32);
        let table = [
            (format!("@ IN DS 1 13 2 {digest}\n"), 1, "as ldns writes it"),
            (
                format!("example.com. DS 1 13 2 {digest}\nwww A 192.0.2.1\n"),
                1,
                "other records are no anchors",
            ),
            (
                format!("example.com. 3600 IN DS 1 13 2 {digest} ;;state=4\n"),
                0,
                "revoked",
            ),
        ];
        for (text, expected, why) in table {
            let read = records("anchor", text.as_bytes(), &apex).unwrap_or_default();
            assert_eq!(read.len(), expected, "{why}");
            assert!(read.iter().all(|record| record.owner == apex), "{why}");
        }
    }
}
