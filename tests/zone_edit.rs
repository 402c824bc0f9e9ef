//! Edits of master files: only the lines that must change do, in the file's own style.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
// Tables are long, and text is built in the plainest way.
#![allow(
    clippy::too_many_lines,
    clippy::format_collect,
    clippy::format_push_string
)]

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use tlsa_rotate::rotation::timing::{Instant, Ttl};
use tlsa_rotate::zone::edit::{Change, EditError, Edited, Outcome, edit, edit_included};
use tlsa_rotate::zone::file::ZoneFile;
use tlsa_rotate::zone::include::{Files, Included, NoFiles};
use tlsa_rotate::zone::name::Name;
use tlsa_rotate::zone::record::{Rdata, Record, Rtype};

/// 2026-11-23T12:00:00Z.
const NOW: Instant = Instant::from_unix(1_795_435_200);
const OLD: &str = "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NEW: &str = "3 1 1 ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn record(owner: &str, ttl: u32, rtype: &str, data: &str) -> Record {
    let rtype: Rtype = rtype.parse().unwrap();
    Record {
        owner: name(owner),
        ttl: Ttl(ttl),
        rtype,
        rdata: Rdata::from_text(rtype, data.as_bytes(), None).unwrap(),
    }
}

fn add(owner: &str, data: &str) -> Change {
    Change::Add(record(owner, 3600, "TLSA", data))
}

fn remove(owner: &str, rtype: &str, data: &str) -> Change {
    let Record {
        owner,
        rtype,
        rdata,
        ..
    } = record(owner, 0, rtype, data);
    Change::Remove {
        owner,
        rtype,
        rdata,
    }
}

fn read(text: &str) -> ZoneFile {
    ZoneFile::read(
        "example.com.zone",
        text.as_bytes().to_vec(),
        Some(&name("example.com.")),
        &NoFiles,
    )
}

fn text(file: &ZoneFile) -> String {
    String::from_utf8(file.sources()[0].bytes.to_vec()).unwrap()
}

/// What is wrong with a file. That hosts of TLSA records have no address here is nothing to these tests.
fn found(file: &ZoneFile) -> Vec<&str> {
    let messages = file.diagnostics().iter().map(|d| d.message.as_str());
    messages
        .filter(|message| !message.ends_with("so nobody asks for its TLSA records"))
        .collect()
}

fn edited(text: &str, changes: &[Change]) -> Edited {
    let file = read(text);
    assert_eq!(found(&file), [""; 0], "{text}");
    edit(&file, changes, NOW).unwrap_or_else(|e| panic!("{e}\nin\n{text}"))
}

/// The lines that differ, as `-old` and `+new`, in order.
fn line_diff(before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .iter_all_changes()
        .filter(|c| c.tag() != similar::ChangeTag::Equal)
        .map(|c| format!("{}{}", c.tag(), c.value()))
        .collect()
}

const HEAD: &str =
    "$TTL 3600\n@ SOA ns1 host 2026112301 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n";
const SERIAL: &str = "-@ SOA ns1 host 2026112301 7200 3600 1209600 300\n+@ SOA ns1 host 2026112302 7200 3600 1209600 300\n";

#[test]
fn a_new_record_looks_like_its_neighbour() {
    let (old, new) = (&OLD[6..], &NEW[6..]);
    let table: &[(String, String, &str)] = &[
        (
            format!("_25._tcp.mx1 TLSA 3 1 1 {old}\n"),
            format!("_25._tcp.mx1 TLSA 3 1 1 {new}\n"),
            "plain",
        ),
        (
            format!("_25._tcp.mx1\tIN\tTLSA\t3 1 1 {old}\n"),
            format!("_25._tcp.mx1\tIN\tTLSA\t3 1 1 {new}\n"),
            "tabs and class",
        ),
        (
            format!("_25._tcp.mx1     3600 IN TLSA 3 1 1 {old}\n"),
            format!("_25._tcp.mx1     3600 IN TLSA 3 1 1 {new}\n"),
            "TTL, columns",
        ),
        (
            format!("_25._tcp.mx1 IN 1H TLSA 3 1 1 {old}\n"),
            format!("_25._tcp.mx1 IN 1H TLSA 3 1 1 {new}\n"),
            "class first, TTL in units",
        ),
        (
            format!("_25._tcp.mx1.example.com. TLSA 3 1 1 {old}\n"),
            format!("_25._tcp.mx1.example.com. TLSA 3 1 1 {new}\n"),
            "absolute owner",
        ),
        (
            format!("_25._tcp.mx1 tlsa 3 1 1 {old}\n"),
            format!("_25._tcp.mx1 tlsa 3 1 1 {new}\n"),
            "lower-case type",
        ),
        (
            format!("_25._tcp.mx1 TLSA 3 1 1 {}\n", old.to_uppercase()),
            format!("_25._tcp.mx1 TLSA 3 1 1 {}\n", new.to_uppercase()),
            "upper-case digits",
        ),
        (
            format!("_25._tcp.mx1 TLSA 3 1 1 {} {}\n", &old[..56], &old[56..]),
            format!("_25._tcp.mx1 TLSA 3 1 1 {} {}\n", &new[..56], &new[56..]),
            "groups as dig prints them",
        ),
        (
            format!(
                "_25._tcp.mx1 TLSA 3 1 1 ( ; key in use\n    {} ; first\n    {} ) ; end\n",
                &old[..40],
                &old[40..]
            ),
            format!(
                "_25._tcp.mx1 TLSA 3 1 1 (\n    {}\n    {} )\n",
                &new[..40],
                &new[40..]
            ),
            "parentheses, without the neighbour's comments",
        ),
        (
            format!("_25._tcp.mx1 TLSA ( 3 1 1\n    {old}\n    )\n"),
            format!("_25._tcp.mx1 TLSA ( 3 1 1\n    {new}\n    )\n"),
            "parenthesis before the data",
        ),
        (
            format!("_25._tcp.mx1    TLSA 3 1 1 {old}\n                TLSA 3 0 1 {old}\n"),
            format!("_25._tcp.mx1    TLSA 3 1 1 {new}\n"),
            "with its owner, though the record above leaves it out",
        ),
        (
            format!("_25._tcp.mx1\tTLSA\t3 1 1 {old}\n\t\tTLSA\t3 0 1 {old}\n"),
            format!("_25._tcp.mx1\tTLSA\t3 1 1 {new}\n"),
            "the same with tabs",
        ),
    ];
    for (present, expected, why) in table {
        let before = format!("{HEAD}{present}; after\nmx1 A 192.0.2.25\n");
        let result = edited(&before, &[add("_25._tcp.mx1.example.com.", NEW)]);
        let after = text(&result.file);
        let expected = format!(
            "{}{present}{expected}; after\nmx1 A 192.0.2.25\n",
            HEAD.replace("2301", "2302")
        );
        assert_eq!(after, expected, "{why}");
        assert_eq!(result.outcomes, [Outcome::Added]);
        // And away again: nothing but the serial is left of it.
        let back = edited(&after, &[remove("_25._tcp.mx1.example.com.", "TLSA", NEW)]);
        assert_eq!(text(&back.file).replace("2303", "2301"), before, "{why}");
    }
}

/// Two people add a line at the same place, and who resolves the conflict keeps both, in either order.
#[test]
fn a_conflict_resolved_by_keeping_both_gives_no_record_to_another_owner() {
    let present = format!("{HEAD}_25._tcp.mx1 TLSA {OLD}\n             TXT note\n");
    let (ours, theirs) = (add("_25._tcp.mx1.example.com.", NEW), "mx2 A 192.0.2.26\n");
    let added = text(&edited(&present, &[ours]).file);
    let whole = added.lines().find(|line| line.contains(NEW)).unwrap();
    let at = added.find(whole).unwrap();
    let (before, after) = added.split_at(at);
    let (ours, after) = after.split_at(whole.len() + 1);
    for both in [format!("{ours}{theirs}"), format!("{theirs}{ours}")] {
        let merged = read(&format!("{before}{both}{after}"));
        let zone = merged.zone().unwrap();
        let held = zone.records().filter(|one| one.rtype == Rtype::TLSA);
        let owners: Vec<String> = held.map(|one| one.owner.to_string()).collect();
        assert_eq!(owners, ["_25._tcp.mx1.example.com."; 2], "{both}");
    }
}

#[test]
fn a_first_record_goes_to_the_nearest_owner() {
    let before = format!(
        "{HEAD}mx1             IN A    192.0.2.25\n                IN AAAA 2001:db8::25\nmx2             IN A    192.0.2.26\n"
    );
    let result = edited(&before, &[add("_25._tcp.mx1.example.com.", NEW)]);
    let expected = format!("{SERIAL}+_25._tcp.mx1    IN TLSA {NEW}\n");
    assert_eq!(line_diff(&before, &text(&result.file)), expected);
    assert_eq!(
        result.serial.unwrap().to_string(),
        "2026112301 -> 2026112302 (date and count)"
    );
}

#[test]
fn relative_owners_are_relative_to_the_origin_in_force() {
    let before = format!("{HEAD}$ORIGIN mx1.example.com.\n@ A 192.0.2.25\n_25._tcp TLSA {OLD}\n");
    let result = edited(&before, &[add("_25._tcp.mx1.example.com.", NEW)]);
    assert_eq!(
        line_diff(&before, &text(&result.file)),
        format!("{SERIAL}+_25._tcp TLSA {NEW}\n")
    );
    let result = edited(
        &before,
        &[Change::Add(record(
            "mx1.example.com.",
            3600,
            "A",
            "192.0.2.26",
        ))],
    );
    assert_eq!(
        line_diff(&before, &text(&result.file)),
        format!("{SERIAL}+@ A 192.0.2.26\n")
    );
}

#[test]
fn a_removed_record_leaves_its_owner_to_the_next() {
    let table = [
        (
            format!("_25._tcp.mx1    IN TLSA {OLD} ; old\n                IN TLSA {NEW} ; new\n"),
            format!("_25._tcp.mx1    IN TLSA {NEW} ; new\n"),
            "columns stay",
        ),
        (
            format!("_25._tcp.mx1\tIN\tTLSA\t{OLD}\n; the new one\n\n\t\tIN\tTLSA\t{NEW}\n"),
            format!("; the new one\n\n_25._tcp.mx1\tIN\tTLSA\t{NEW}\n"),
            "across comments, with tabs",
        ),
        (
            format!("_25._tcp.mx1 TLSA {OLD}\n$ORIGIN mx1.example.com.\n TLSA {NEW}\n"),
            format!("$ORIGIN mx1.example.com.\n_25._tcp TLSA {NEW}\n"),
            "across a change of the origin",
        ),
        (
            format!("_25._tcp.mx1 TLSA {NEW}\n TLSA (\n {OLD}\n ) ; old\nx A 192.0.2.1\n"),
            format!("_25._tcp.mx1 TLSA {NEW}\nx A 192.0.2.1\n"),
            "all lines of the record go",
        ),
    ];
    for (present, expected, why) in table {
        let before = format!("{HEAD}{present}");
        let result = edited(&before, &[remove("_25._tcp.mx1.example.com.", "TLSA", OLD)]);
        let expected = format!("{}{expected}", HEAD.replace("2301", "2302"));
        assert_eq!(text(&result.file), expected, "{why}");
        assert_eq!(result.outcomes, [Outcome::Removed]);
    }
}

#[test]
fn line_ends_stay_what_they_are() {
    let dos = format!("{HEAD}_25._tcp.mx1 TLSA {OLD}\n").replace('\n', "\r\n");
    let open = format!("{HEAD}_25._tcp.mx1 TLSA {OLD}");
    for before in [dos, open] {
        let result = edited(&before, &[add("_25._tcp.mx1.example.com.", NEW)]);
        let after = text(&result.file);
        assert_eq!(
            after.matches("\r\n").count(),
            after.matches('\n').count() * usize::from(before.contains('\r'))
        );
        assert_eq!(after.ends_with('\n'), before.ends_with('\n'));
        let back = edited(&after, &[remove("_25._tcp.mx1.example.com.", "TLSA", NEW)]);
        assert_eq!(text(&back.file).replace("2303", "2301"), before);
    }
}

#[test]
fn what_needs_no_change_is_said_and_not_written() {
    let before = format!("{HEAD}_25._tcp.mx1 TLSA {}\n", OLD.to_uppercase());
    let changes = [
        add("_25._tcp.MX1.example.com.", OLD),
        remove("_25._tcp.mx1.example.com.", "TLSA", NEW),
    ];
    let result = edited(&before, &changes);
    assert_eq!(
        result.outcomes,
        [Outcome::AlreadyPresent, Outcome::AlreadyAbsent]
    );
    assert_eq!((result.serial, result.touched), (None, vec![]));
    assert_eq!(text(&result.file), before);
}

#[test]
fn what_one_line_cannot_do_is_refused_with_the_reason() {
    let generated = format!("{HEAD}$GENERATE 1-2 _25._tcp.mx$ TLSA \"{OLD}\"\n");
    let ttl = format!("{HEAD}_25._tcp.mx1 300 TLSA {OLD}\n");
    let table = [
        (
            generated.as_str(),
            remove("_25._tcp.mx1.example.com.", "TLSA", OLD),
            "example.com.zone:5: _25._tcp.mx1.example.com. TLSA is made by $GENERATE together with others: write it out before it can be removed",
        ),
        (
            &ttl,
            add("_25._tcp.mx1.example.com.", NEW),
            "_25._tcp.mx1.example.com. TLSA has the TTL 300, the new record asks for 3600: an RRset has one TTL",
        ),
        (
            HEAD,
            add("_25._tcp.mx1.example.net.", NEW),
            "_25._tcp.mx1.example.net. lies outside of the zone example.com.",
        ),
        (
            HEAD,
            Change::Add(record("ns1.example.com.", 3600, "CNAME", "x.")),
            "the edited zone would have errors:\nexample.com.zone:4:1: error: ns1.example.com. has a CNAME record and cannot have A beside it\n    \
             ns1 A 192.0.2.53\n    ^^^\n    help: remove one of the two (RFC 2181 §10.1)",
        ),
        (
            "$TTL 3600\n@ SOA \\# 21 0000 00000001 00000001 00000001 00000001 00000001\n@ NS x.\n",
            add("a.example.com.", NEW),
            "the file has errors; correct them first",
        ),
        (
            "$TTL 3600\n@ SOA \\# 22 0000 00000001 00000001 00000001 00000001 00000001\n@ NS x.\n",
            add("a.example.com.", NEW),
            "example.com.zone:2: the serial of the SOA record is not written as a number that could be raised",
        ),
        (
            "@ 3600 SOA ns1 host 1 1 1 1 1\n NS ns1.example.net.\nns1 7200 A 192.0.2.1\nns2 A 192.0.2.1\n",
            remove("ns1.example.com.", "A", "192.0.2.1"),
            "the edit would also change other records (ns2.example.com. 7200 IN A 192.0.2.1): make it by hand",
        ),
    ];
    for (before, change, message) in table {
        let error = edit(&read(before), &[change], NOW).unwrap_err();
        assert!(
            error.to_string().starts_with(message),
            "{error}\nexpected: {message}"
        );
    }
    let soa = Change::Add(record("example.com.", 3600, "SOA", "a. b. 1 1 1 1 1"));
    assert_eq!(edit(&read(HEAD), &[soa], NOW).unwrap_err(), EditError::Soa);
}

struct InMemory(BTreeMap<&'static str, String>);

impl Files for InMemory {
    fn open(&self, _: &str, wanted: &str) -> Result<Included, String> {
        let text = self.0.get(wanted).ok_or("no such file")?;
        Ok(Included {
            path: wanted.to_owned(),
            bytes: Arc::new(text.clone().into_bytes()),
        })
    }
}

#[test]
fn a_record_is_edited_in_the_file_it_stands_in() {
    let included = format!("_25._tcp  TLSA {OLD}\n");
    let files = InMemory(BTreeMap::from([("mx1.inc", included.clone())]));
    let main = format!("{HEAD}$INCLUDE mx1.inc mx1.example.com.\n NS ns2.example.net.\n");
    // The line behind the $INCLUDE takes the owner from before it.
    let main = main.replace("ns1 A", "ns1.example.com. A");
    let file = ZoneFile::read(
        "main",
        main.clone().into_bytes(),
        Some(&name("example.com.")),
        &files,
    );
    assert_eq!(found(&file), [""; 0]);
    let result = edit(&file, &[add("_25._tcp.mx1.example.com.", NEW)], NOW).unwrap();
    assert_eq!(result.touched, [0, 1]);
    assert_eq!(text(&result.file), main.replace("2301", "2302"));
    let second = String::from_utf8(result.file.sources()[1].bytes.to_vec()).unwrap();
    assert_eq!(second, format!("{included}_25._tcp  TLSA {NEW}\n"));
}

#[test]
fn only_the_included_file_that_is_ours_is_written() {
    let read = |ours: &str, main: &str| {
        let files = InMemory(BTreeMap::from([("tlsa.inc", ours.to_owned())]));
        let main = format!("{HEAD}$INCLUDE tlsa.inc\n{main}");
        let apex = name("example.com.");
        ZoneFile::read("main", main.into_bytes(), Some(&apex), &files)
    };
    let owner = "_25._tcp.mx1.example.com.";
    let after = |ours: &str, changes: &[Change]| {
        let edited = edit_included(&read(ours, ""), changes, "tlsa.inc").unwrap();
        assert!(edited.serial.is_none());
        assert!(edited.touched == [1] || edited.touched.is_empty());
        String::from_utf8(edited.file.sources()[1].bytes.to_vec()).unwrap()
    };
    let old = format!("_25._tcp.mx1  TLSA {OLD}\n");
    let new_line = format!("{owner} 3600 IN TLSA {NEW}\n");
    let both = after(&old, &[add(owner, NEW)]);
    assert!(both.starts_with(&old) && both.contains(NEW), "{both}");
    assert_eq!(after(&both, &[add(owner, NEW)]), both, "it is there");
    assert_eq!(after(&both, &[remove(owner, "TLSA", NEW)]), old);
    let gone = after(&old, &[remove(owner, "TLSA", OLD)]);
    assert_eq!(gone, "");
    assert_eq!(after("", &[add(owner, NEW)]), new_line);
    assert_eq!(
        after("; ours", &[add(owner, NEW)]),
        format!("; ours\n{new_line}")
    );

    let in_main = read("", &format!("{owner} 3600 TLSA {OLD}\n"));
    for change in [add(owner, NEW), remove(owner, "TLSA", OLD)] {
        let refused = edit_included(&in_main, &[change], "tlsa.inc").unwrap_err();
        let EditError::NotOurs {
            file, line, ours, ..
        } = &refused
        else {
            panic!("{refused}")
        };
        let place = (file.as_str(), *line, ours.as_str());
        assert_eq!(place, ("main", HEAD.lines().count() + 2, "tlsa.inc"));
    }
    for (stranger, what) in [
        ("other.inc", "not part of it"),
        ("main", "the zone file itself"),
    ] {
        let refused = edit_included(&read(&old, ""), &[add(owner, NEW)], stranger);
        assert!(
            matches!(refused, Err(EditError::NotIncluded { .. })),
            "{what}"
        );
    }
}

/// Zones in many styles, one to three TLSA owners.
fn zones() -> impl Strategy<Value = String> {
    let record = (0..3_u8, 0..4_usize, 0..5_usize, any::<[u8; 32]>()).prop_map(|(mx, gap, form, hash)| {
        let gap = [" ", "\t", "   ", "\t\t"][gap];
        let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
        let owner = format!("_25._tcp.mx{mx}");
        match form {
            0 => format!("{owner}{gap}TLSA{gap}3 1 1 {hash}\n"),
            1 => format!("{owner}.example.com.{gap}IN{gap}TLSA 3 1 1 ( {} ; x\n {} )\n", &hash[..32], &hash[32..]),
            2 => format!("{owner}{gap}TLSA 3 1 1 {hash} ; comment\n{gap}TLSA 3 0 1 {hash}\n"),
            3 => format!("\n; {owner}\n{owner} 1h in tlsa 3 1 1 {}\r\n", hash.to_uppercase()),
            _ => format!("$ORIGIN mx{mx}.example.com.\n_25._tcp{gap}TLSA 3 1 1 {hash}\n$ORIGIN example.com.\n"),
        }
    });
    (proptest::collection::vec(record, 0..8), any::<bool>()).prop_map(|(records, ended)| {
        let zone = format!("{HEAD}{}", records.concat());
        if ended {
            zone
        } else {
            zone.trim_end().to_owned()
        }
    })
}

proptest! {
    #[test]
    fn adding_then_removing_restores_the_file(zone in zones(), mx in 0..4_u8) {
        let owner = format!("_25._tcp.mx{mx}.example.com.");
        let added = edited(&zone, &[add(&owner, NEW)]);
        let back = edited(&text(&added.file), &[remove(&owner, "TLSA", NEW)]);
        prop_assert_eq!(text(&back.file).replace("2026112303", "2026112301"), zone);
    }

    #[test]
    fn removing_means_what_the_content_says(zone in zones(), pick: prop::sample::Index) {
        let before = read(&zone).zone().unwrap();
        let tlsa: Vec<Record> = before.records().filter(|r| r.rtype == Rtype::TLSA).collect();
        prop_assume!(!tlsa.is_empty());
        let Record { owner, rtype, rdata, .. } = pick.get(&tlsa).clone();
        let result = edited(&zone, &[Change::Remove { owner: owner.clone(), rtype, rdata: rdata.clone() }]);
        let mut expected = before.clone();
        expected.remove(&owner, rtype, &rdata);
        let after = result.file.zone().unwrap();
        prop_assert_eq!(after.soa().unwrap().serial, 2_026_112_302);
        expected.nodes.remove(&expected.apex.clone());
        let mut after = after;
        after.nodes.remove(&after.apex.clone());
        prop_assert_eq!(after, expected);
    }
}

/// The example of RFC 8976 appendix A.1, its digest over several lines, in generic form, and one that nobody can check.
#[test]
fn what_vouches_for_the_whole_zone_is_made_anew_in_its_place() {
    let digest = "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c";
    let (first, second) = digest.split_at(50);
    let data = "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let add = Record {
        owner: name("_25._tcp.ns1.example."),
        ttl: Ttl(3600),
        rtype: Rtype::TLSA,
        rdata: Rdata::from_text(Rtype::TLSA, data.as_bytes(), None).unwrap(),
    };
    for written in [
        format!("ZONEMD 2018031900 1 1 {digest}"),
        format!("ZONEMD (\n  2018031900 ; serial\n  1 1 {first} ; one\n  {second} )"),
        format!("TYPE63 \\# 54 7848b91c 0101 {digest}"),
    ] {
        let text = format!(
            "example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400\nexample. 86400 IN NS ns1.example.\n\
             example. 86400 IN NS ns2.example.\nexample. 86400 IN {written} ; kept\n\
             ns1.example. 3600 IN A 203.0.113.63\nns2.example. 3600 IN AAAA 2001:db8::63\n"
        );
        let read = |text: &str| ZoneFile::read("z", text.as_bytes().to_vec(), None, &NoFiles);
        let file = read(&text);
        assert_eq!(found(&file), [""; 0], "{written}");
        let edited = edit(&file, &[Change::Add(add.clone())], NOW).unwrap();
        assert_eq!(
            found(&edited.file),
            [""; 0],
            "the digest is that of the edited zone: {written}"
        );
        let after = self::text(&edited.file);
        assert!(
            !after.contains(first) && after.contains("; kept"),
            "{after}"
        );
        assert_eq!(after.lines().count(), text.lines().count() + 1, "{after}");
        let back = Change::Remove {
            owner: add.owner.clone(),
            rtype: Rtype::TLSA,
            rdata: add.rdata.clone(),
        };
        let restored = edit(&edited.file, &[back], NOW).unwrap();
        assert_eq!(found(&restored.file), [""; 0], "{written}");
        let stale = read(&text.replace("::63", "::64"));
        assert_eq!(
            found(&stale),
            ["the digest is not that of this zone: something was changed since it was made"]
        );
        assert!(
            edit(&stale, &[Change::Add(add.clone())], NOW).is_ok(),
            "an old digest stops nobody"
        );
    }
}
