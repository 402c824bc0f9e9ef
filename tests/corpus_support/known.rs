//! Where a peer and we differ, and why.

use super::peers::Peer::{self, Bind, BindCheck, Knot, Ldns, Nsd};
use How::{OtherRecords, PeerAccepts, PeerRefuses};

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The peer accepts a file that we refuse.
    PeerAccepts,
    /// The peer refuses a file that we accept.
    PeerRefuses,
    /// Both accept it and read other records.
    OtherRecords,
}

/// A difference that is known: who, what, part of what the one who refuses says (or of the records that differ), part of the
/// path of the file, why.
pub(crate) struct Known(
    pub(crate) Peer,
    pub(crate) How,
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

const OUTSIDE: &str = "data of another zone is a warning here, as in BIND and Knot, which drop it";
const URI: &str = "RFC 7553 §4.4 requires a target";
const SIGNATURE_TTL: &str = "an RRSIG gets the TTL of what it signs (RFC 4034 §3), and a warning where the file has another";
const NO_TTL: &str = "which TTL a record without one has: we follow BIND ($TTL, the record above, the SOA's minimum)";
const NO_RULES: &str = "it reads records and knows no rules for zones";
const UNCHECKED: &str = "it does not check this; BIND and we do";
const BIND_ONLY: &str = "a directive of BIND's";
const TEXT_FORM: &str = "a text form it does not know, or knows otherwise; BIND reads it as we do";
const STRICT_NAME: &str = "it allows fewer characters in names (RFC 2181 §11 allows all)";
const HIDDEN: &str = "what DNAME hides is a warning here, as BIND loads it";
const GLUE: &str = "missing glue is a warning here, as in BIND";

#[rustfmt::skip]
pub(crate) const KNOWN: &[Known] = &[
    Known(Bind, PeerAccepts, "expected a URI that is not empty", "", URI),
    Known(Bind, PeerAccepts, "is no hashed name", "bad-nsec3owner-padded", "with all its checks off it takes any owner of NSEC3"),
    Known(Bind, OtherRecords, "only TTLs differ", "", SIGNATURE_TTL),

    Known(BindCheck, PeerAccepts, "expected a URI that is not empty", "", URI),

    Known(Ldns, PeerAccepts, "expected a latitude", "", "it takes degrees without a space before N; BIND does not"),
    Known(Ldns, PeerAccepts, "cannot have", "", NO_RULES),
    Known(Ldns, PeerAccepts, "has a second", "", NO_RULES),
    Known(Ldns, PeerAccepts, "has no NS record at its apex", "", NO_RULES),
    Known(Ldns, PeerAccepts, "has no A or AAAA record", "", NO_RULES),
    Known(Ldns, PeerAccepts, "is an alias (CNAME)", "", NO_RULES),
    Known(Ldns, PeerAccepts, "lies below a DNAME record", "", NO_RULES),
    Known(Ldns, PeerAccepts, "no DNSKEY record has the algorithm", "", NO_RULES),
    Known(Ldns, PeerAccepts, "a DS record at the apex", "", NO_RULES),
    Known(Ldns, PeerAccepts, "stands in the zone", "fuzz/", NO_RULES),
    Known(Ldns, PeerAccepts, "is not supported, only IN is", "", "it takes every class, and several in one file"),
    Known(Ldns, PeerAccepts, "too long for any DNS message", "", UNCHECKED),
    Known(Ldns, PeerAccepts, "exists in messages only", "", UNCHECKED),
    Known(Ldns, PeerAccepts, "is obsolete", "", UNCHECKED),
    Known(Ldns, PeerAccepts, "are not well-formed", "", UNCHECKED),
    Known(Ldns, PeerAccepts, "the digest has", "", UNCHECKED),
    Known(Ldns, PeerAccepts, "expected a list of protocols", "svcb", UNCHECKED),
    Known(Ldns, PeerAccepts, "expected a port", "svcb", UNCHECKED),
    Known(Ldns, PeerAccepts, "expected base64", "svcb", UNCHECKED),
    Known(Ldns, PeerAccepts, "must name other keys", "svcb", UNCHECKED),
    Known(Ldns, PeerAccepts, "expected a service key", "svcb", "it knows keys that BIND 9.18 and we do not"),
    Known(Ldns, PeerAccepts, "expected an NSAP address", "", UNCHECKED),
    Known(Ldns, PeerAccepts, "expected a hashed owner name", "", UNCHECKED),
    Known(Ldns, PeerAccepts, "the record has no TTL", "", "it has a TTL of its own for that"),
    Known(Ldns, PeerAccepts, "no record above whose owner", "", "it takes the origin as owner"),
    Known(Ldns, PeerAccepts, "expected a record type", "xferquota", "it takes a word that is no type for data"),
    Known(Ldns, PeerRefuses, "could not parse the RR", "", "$GENERATE, $DATE, NXT, and hashes that are not of SHA-1"),
    Known(Ldns, PeerRefuses, "$INCLUDE not implemented", "", "it says so itself"),
    Known(Ldns, OtherRecords, "only TTLs differ", "", NO_TTL),
    Known(Ldns, OtherRecords, "BRID", "", "it calls a type that it does not know TYPE0"),
    Known(Ldns, OtherRecords, "TYPE0", "class/", "it calls a type that it does not know TYPE0"),
    Known(Ldns, OtherRecords, "lies outside of the zone", "generic.db", "it reads `$ORIGIN @` as a name of its own"),
    Known(Ldns, OtherRecords, "records differ", "svcb", "it drops escapes of commas in the values of SVCB"),

    Known(Knot, PeerAccepts, "no DNSKEY record has the algorithm", "", UNCHECKED),
    Known(Knot, PeerAccepts, "a DS record at the apex", "", UNCHECKED),
    Known(Knot, PeerAccepts, "expected a hashed owner name", "", "it takes padding, which RFC 5155 §3.3 forbids"),
    Known(Knot, PeerAccepts, "are not well-formed", "unknown/", "it does not look into the generic form of known types"),
    Known(Knot, PeerAccepts, "too long for any DNS message", "", UNCHECKED),
    Known(Knot, PeerAccepts, "exists in messages only", "", UNCHECKED),
    Known(Knot, PeerAccepts, "the digest has", "", UNCHECKED),
    Known(Knot, PeerRefuses, "missing glue record", "", GLUE),
    Known(Knot, PeerRefuses, "exists under DNAME", "", HIDDEN),
    Known(Knot, PeerRefuses, "beside DNAME", "", "BIND takes NS beside DNAME, and so do we"),
    Known(Knot, PeerRefuses, "invalid algorithm in DS", "", "algorithms we do not know are not for us to refuse"),
    Known(Knot, PeerRefuses, "invalid directive", "", BIND_ONLY),
    Known(Knot, PeerRefuses, "invalid FQDN zone origin", "", "`$ORIGIN @` is relative to the origin there is, as `@` is everywhere"),
    Known(Knot, PeerRefuses, "invalid origin in include directive", "", "an origin that is relative, as RFC 1035 §5.1 allows"),
    Known(Knot, PeerRefuses, "owner is invalid", "", STRICT_NAME),
    Known(Knot, PeerRefuses, "invalid record data", "", STRICT_NAME),
    Known(Knot, PeerRefuses, "unsupported record type", "", TEXT_FORM),
    Known(Knot, PeerRefuses, "invalid number", "", TEXT_FORM),
    Known(Knot, PeerRefuses, "invalid hexadecimal character", "", TEXT_FORM),
    Known(Knot, PeerRefuses, "invalid Base64 character", "", TEXT_FORM),
    Known(Knot, PeerRefuses, "invalid Base32hex character", "", TEXT_FORM),
    Known(Knot, PeerRefuses, "invalid parameter", "svcb", "it does not know dohpath yet"),

    Known(Nsd, PeerAccepts, "has no NS record at its apex", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "has no A or AAAA record", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "is an alias (CNAME)", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "lies below a DNAME record", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "no DNSKEY record has the algorithm", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "a DS record at the apex", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "is no hashed name", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "cannot have NXT", "", "it allows NXT beside CNAME, as RFC 2535 did; BIND no longer does"),
    Known(Nsd, PeerAccepts, "expected a list of protocols", "svcb", UNCHECKED),
    Known(Nsd, PeerAccepts, "expected a service key", "svcb", "it knows keys that BIND 9.18 and we do not"),
    Known(Nsd, PeerAccepts, "expected an NSAP address", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "octets are announced", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "too long for any DNS message", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "exists in messages only", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "the digest has", "", UNCHECKED),
    Known(Nsd, PeerAccepts, "no record above whose owner", "", "it takes the origin as owner"),
    Known(Nsd, PeerRefuses, "out of zone data", "", OUTSIDE),
    Known(Nsd, PeerRefuses, "Unknown directive", "", BIND_ONLY),
    Known(Nsd, PeerRefuses, "directive requires absolute domain name", "", "RFC 1035 §5.1 allows a relative one"),
    Known(Nsd, PeerRefuses, "this SOA record was already encountered", "", "the same SOA twice, as a zone transfer prints it, is one record"),
    Known(Nsd, PeerRefuses, "has data below it", "", HIDDEN),
    Known(Nsd, PeerRefuses, "CNAME and other data", "good-cname-and-key", "KEY may stand beside CNAME (RFC 2535 §3.1), as in BIND"),
    Known(Nsd, PeerRefuses, "date and time is expected", "", "times of RRSIG in seconds, which RFC 4034 §3.2 allows"),
    Known(Nsd, PeerRefuses, "syntax error", "", TEXT_FORM),
    Known(Nsd, OtherRecords, "only TTLs differ", "", NO_TTL),
    Known(Nsd, OtherRecords, "NSEC3", "good-nsec3-nopadhash", "it pads a hash that is not of SHA-1"),
    Known(Nsd, OtherRecords, "its output", "unknown/", "it prints empty data of an unknown type as nothing at all"),
];
