//! What the comparison with other readers shares: which files are master files, how each peer is asked, what it means.
#![allow(dead_code)] // each test file uses its part

pub(crate) mod files;
pub(crate) mod known;
pub(crate) mod peers;
pub(crate) mod raw;

/// A record as compared: owner in lower case, type, TTL, data octets.
pub(crate) type Row = (String, u16, u32, Vec<u8>);

pub(crate) type Rows = std::collections::BTreeSet<Row>;

/// The records of a zone of ours, in the form in which they are compared.
pub(crate) fn rows(zone: &tlsa_rotate::zone::content::Zone) -> Rows {
    zone.records()
        .map(|r| {
            (
                r.owner.to_string().to_lowercase(),
                r.rtype.0,
                r.ttl.0,
                r.rdata.0.to_vec(),
            )
        })
        .collect()
}

/// The rows that `rows` has and `other` lacks, one a line.
pub(crate) fn only(rows: &Rows, other: &Rows) -> String {
    rows.difference(other)
        .map(|(owner, rtype, ttl, data)| {
            let rtype = tlsa_rotate::zone::record::Rtype(*rtype);
            format!("{owner} {ttl} {rtype} {}\n", data.escape_ascii())
        })
        .collect()
}
