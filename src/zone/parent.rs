//! What a zone says about its own delegation: no DS at its apex, CDS and CDNSKEY that fit its keys (RFC 4035 §2.4, RFC 7344 §4.1, RFC 8078 §4).

use crate::zone::check::{Check, Part};
use crate::zone::diagnostic::Severity;
use crate::zone::record::Rtype;
use crate::zone::records::Stored;

/// `0 0 0 00`: the parent shall remove the DS records (RFC 8078 §4).
const DELETE_DS: &[u8] = &[0, 0, 0, 0, 0];
/// `0 3 0 AA==`: the same as CDNSKEY.
const DELETE_KEY: &[u8] = &[0, 0, 3, 0, 0];

/// Checks the records of the apex.
pub(super) fn check(check: &mut Check<'_>, apex: &[(u32, &Stored)]) {
    for (_, record) in apex.iter().filter(|(_, r)| r.rtype == Rtype::DS) {
        check.say(
            record,
            Part::Owner,
            Severity::Error,
            "a DS record at the apex is never served".to_owned(),
            Some("DS records belong to the parent zone: `tlsa-rotate key ds` prints them (RFC 4035 §2.4)"),
        );
    }
    wishes(check, apex, Rtype::CDS, DELETE_DS);
    wishes(check, apex, Rtype::CDNSKEY, DELETE_KEY);
}

/// CDS or CDNSKEY: each algorithm is that of a key, and a wish for deletion stands alone.
fn wishes(check: &mut Check<'_>, apex: &[(u32, &Stored)], rtype: Rtype, delete: &[u8]) {
    let records = check.records;
    let algorithm = |record: &Stored| records.data(record).get(ALGORITHM_AT).copied();
    let keys = apex.iter().filter(|(_, r)| r.rtype == Rtype::DNSKEY);
    let keys: Vec<u8> = keys.filter_map(|(_, r)| algorithm(r)).collect();
    let wishes = || apex.iter().filter(|(_, r)| r.rtype == rtype);
    let deletes = wishes().any(|(_, r)| records.data(r) == delete);
    for (_, record) in wishes().filter(|(_, r)| records.data(r) != delete) {
        let Some(algorithm) = cds_algorithm(rtype, records.data(record)) else {
            continue;
        };
        let (severity, message, help) = if deletes {
            (
                Severity::Error,
                format!("this {rtype} record asks for a DS record, another one for none at all"),
                "a record that asks for deletion stands alone (RFC 8078 §4)",
            )
        } else if keys.is_empty() {
            (
                Severity::Warning,
                format!(
                    "this {rtype} record asks for a DS record, and the zone has no DNSKEY record"
                ),
                "sign the zone before it is published: `tlsa-rotate zone sign` adds the keys",
            )
        } else if !keys.contains(&algorithm) {
            (
                Severity::Error,
                format!("no DNSKEY record has the algorithm {algorithm} of this {rtype} record"),
                "the parent would publish a DS record that nothing here answers to (RFC 7344 §4.1)",
            )
        } else {
            continue;
        };
        check.say(record, Part::LastField, severity, message, Some(help));
    }
}

/// Where DNSKEY, and CDNSKEY like it, has its algorithm (RFC 4034 §2.1).
const ALGORITHM_AT: usize = 3;

/// The algorithm that a CDS or CDNSKEY record speaks of.
fn cds_algorithm(rtype: Rtype, data: &[u8]) -> Option<u8> {
    let at = if rtype == Rtype::CDS { 2 } else { ALGORITHM_AT };
    data.get(at).copied()
}
