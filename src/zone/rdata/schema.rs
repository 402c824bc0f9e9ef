//! Which fields the RDATA of each type has, in order, and how many octets each takes (the RFC of each type).

use super::{apl, bitmap, gateway, hip, historic, loc, svcb, wks};
use crate::zone::name::split_name;
use crate::zone::record::Rtype;

/// One field of RDATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// A name, lower-cased in canonical form (RFC 4034 §6.2).
    Name,
    /// A name that canonical form leaves alone.
    NameAsIs,
    /// A name or none, lower-cased in canonical form (A6's prefix).
    NameMaybe,
    U8,
    U16,
    U32,
    /// Seconds; text may use units (`1h30m`).
    Seconds,
    /// `YYYYMMDDHHmmSS` (RFC 4034 §3.2).
    Time,
    /// A DNSSEC algorithm: a number or its mnemonic.
    Algorithm,
    /// A digest type of DS: a number or its mnemonic.
    Digest,
    /// A scheme of DSYNC (RFC 9859 §2.3): a number or its mnemonic.
    Scheme,
    /// A certificate type (RFC 4398 §2.1): a number or its mnemonic.
    CertType,
    /// A record type.
    Type,
    Ipv4,
    Ipv6,
    /// EUI-48 and EUI-64 as `00-00-5e-…` (RFC 7043); the number is the count of octets.
    Eui(u8),
    /// 64 bits as `xxxx:xxxx:xxxx:xxxx` (RFC 6742).
    Locator,
    /// One character-string.
    Text,
    /// One character-string or none (ISDN's subaddress).
    TextMaybe,
    /// Character-strings to the end, at least one.
    Texts,
    /// A CAA tag: letters and digits, length in front.
    Tag,
    /// One string to the end, no length in front (CAA's value).
    Value,
    /// The same, not empty (URI's target).
    Target,
    /// Hexadecimal to the end.
    Hex,
    /// Base64 to the end.
    Base64,
    /// Base64 to the end, possibly none.
    Base64Maybe,
    /// Hexadecimal with the length in front, `-` when empty (NSEC3's salt).
    Salt,
    /// Base32hex without padding, length in front (NSEC3's next hashed owner).
    HashedOwner,
    /// Types present at a name, at least one (RFC 4034 §4.1.2).
    Types,
    /// Types present at a name, possibly none.
    TypesMaybe,
    /// Location (RFC 1876).
    Location,
    /// Address prefixes (RFC 3123).
    Prefixes,
    /// Services of SVCB (RFC 9460).
    Services,
    /// Address, protocol and ports (RFC 1035 §3.4.2).
    Ports,
    /// OSI address (RFC 1706).
    Nsap,
    /// Host identity and rendezvous servers (RFC 8005).
    HostIdentity,
    /// IPSECKEY's gateway and key (RFC 4025).
    IpsecKey,
    /// AMTRELAY's relay (RFC 8777).
    Relay,
    /// Prefix length and suffix of an IPv6 address (RFC 2874).
    Suffix,
    /// Types up to 127 present at a name, possibly none (RFC 2535 §5.2).
    EarlyTypes,
    /// ATM address.
    AtmAddress,
}

/// The fields of a type; `None` for types that have only the generic form here.
pub(super) fn fields(rtype: Rtype) -> Option<&'static [Field]> {
    use Field::{
        Algorithm, AtmAddress, Base64, Base64Maybe, CertType, Digest, EarlyTypes, Eui, HashedOwner,
        Hex, HostIdentity, IpsecKey, Ipv4, Ipv6, Location, Locator, Name, NameAsIs, NameMaybe,
        Nsap, Ports, Prefixes, Relay, Salt, Scheme, Seconds, Services, Suffix, Tag, Target, Text,
        TextMaybe, Texts, Time, Type, Types, TypesMaybe, U8, U16, U32, Value,
    };
    Some(match rtype {
        Rtype::A => &[Ipv4],
        Rtype::AAAA => &[Ipv6],
        Rtype::NS
        | Rtype::CNAME
        | Rtype::PTR
        | Rtype::DNAME
        | Rtype::MD
        | Rtype::MF
        | Rtype::MB
        | Rtype::MG
        | Rtype::MR
        // Not in the list of RFC 4034 §6.2, and folded by BIND; see `FOLDED_BY_SOME`.
        | Rtype::NSAP_PTR => &[Name],
        Rtype::SOA => &[Name, Name, U32, Seconds, Seconds, Seconds, Seconds],
        Rtype::MX | Rtype::AFSDB | Rtype::RT | Rtype::KX => &[U16, Name],
        Rtype::TXT | Rtype::SPF | Rtype::AVC | Rtype::NINFO | Rtype::RESINFO | Rtype::WALLET => {
            &[Texts]
        }
        Rtype::TLSA | Rtype::SMIMEA => &[U8, U8, U8, Hex],
        Rtype::DS | Rtype::CDS | Rtype::TA | Rtype::DLV => &[U16, Algorithm, Digest, Hex],
        Rtype::DNSKEY | Rtype::CDNSKEY | Rtype::RKEY => &[U16, U8, Algorithm, Base64],
        Rtype::KEY => &[U16, U8, Algorithm, Base64Maybe],
        Rtype::RRSIG | Rtype::SIG => &[Type, Algorithm, U8, Seconds, Time, Time, U16, Name, Base64],
        Rtype::NSEC => &[NameAsIs, Types],
        Rtype::NSEC3 => &[U8, U8, U16, Salt, HashedOwner, TypesMaybe],
        Rtype::NSEC3PARAM => &[U8, U8, U16, Salt],
        Rtype::SRV => &[U16, U16, U16, Name],
        Rtype::CAA => &[U8, Tag, Value],
        Rtype::SVCB | Rtype::HTTPS => &[U16, NameAsIs, Services],
        Rtype::SSHFP => &[U8, U8, Hex],
        Rtype::OPENPGPKEY | Rtype::DHCID | Rtype::HHIT | Rtype::BRID => &[Base64],
        Rtype::NAPTR => &[U16, U16, Text, Text, Text, Name],
        Rtype::HINFO => &[Text, Text],
        Rtype::MINFO | Rtype::RP => &[Name, Name],
        Rtype::CERT => &[CertType, U16, Algorithm, Base64],
        Rtype::LOC => &[Location],
        Rtype::APL => &[Prefixes],
        Rtype::URI => &[U16, U16, Target],
        Rtype::ZONEMD => &[U32, U8, U8, Hex],
        Rtype::CSYNC => &[U32, U16, TypesMaybe],
        Rtype::EUI48 => &[Eui(6)],
        Rtype::EUI64 => &[Eui(8)],
        Rtype::NID | Rtype::L64 => &[U16, Locator],
        Rtype::L32 => &[U16, Ipv4],
        Rtype::LP => &[U16, NameAsIs],
        Rtype::HIP => &[HostIdentity],
        Rtype::IPSECKEY => &[IpsecKey],
        Rtype::AMTRELAY => &[Relay],
        Rtype::WKS => &[Ports],
        Rtype::X25 => &[Text],
        Rtype::ISDN => &[Text, TextMaybe],
        Rtype::GPOS => &[Text, Text, Text],
        Rtype::NSAP => &[Nsap],
        Rtype::PX => &[U16, Name, Name],
        Rtype::SINK => &[U8, U8, U8, Base64Maybe],
        Rtype::TALINK => &[NameAsIs, NameAsIs],
        Rtype::DOA => &[U32, U32, U8, Text, Base64Maybe],
        Rtype::EID | Rtype::NIMLOC => &[Hex],
        Rtype::A6 => &[Suffix, NameMaybe],
        Rtype::NXT => &[Name, EarlyTypes],
        Rtype::ATMA => &[AtmAddress],
        Rtype::DSYNC => &[Type, Scheme, U16, NameAsIs],
        _ => return None,
    })
}

/// Splits the octets of `field` off the front; `None` when they are not well-formed.
pub(super) fn split(field: Field, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    match field {
        Field::Name | Field::NameAsIs => split_name(octets).ok(),
        Field::NameMaybe => split_name_maybe(octets),
        Field::U8 | Field::Algorithm | Field::Digest | Field::Scheme => octets.split_at_checked(1),
        Field::U16 | Field::Type | Field::CertType => octets.split_at_checked(2),
        Field::U32 | Field::Seconds | Field::Time | Field::Ipv4 => octets.split_at_checked(4),
        Field::Locator => octets.split_at_checked(8),
        Field::Ipv6 => octets.split_at_checked(16),
        Field::Eui(length) => octets.split_at_checked(usize::from(length)),
        Field::TextMaybe if octets.is_empty() => Some((octets, octets)),
        Field::Text | Field::TextMaybe | Field::Salt => split_counted(octets),
        Field::HashedOwner => split_counted(octets).filter(|(part, _)| part.len() > 1),
        Field::Tag => split_counted(octets).filter(|(part, _)| {
            part.len() > 1 && part.iter().skip(1).all(u8::is_ascii_alphanumeric)
        }),
        Field::Value | Field::Base64Maybe => rest_if(octets, true),
        Field::Target | Field::Hex | Field::Base64 | Field::Nsap => {
            rest_if(octets, !octets.is_empty())
        }
        Field::Texts => rest_if(octets, !octets.is_empty() && are_counted(octets)),
        Field::Types => rest_if(octets, !octets.is_empty() && bitmap::is_well_formed(octets)),
        Field::TypesMaybe => rest_if(octets, bitmap::is_well_formed(octets)),
        Field::Location => rest_if(octets, loc::is_well_formed(octets)),
        Field::Prefixes => rest_if(octets, apl::is_well_formed(octets)),
        Field::Services => rest_if(octets, svcb::is_well_formed(octets)),
        Field::Ports => rest_if(octets, wks::is_well_formed(octets)),
        Field::HostIdentity => rest_if(octets, hip::is_well_formed(octets)),
        Field::IpsecKey => rest_if(octets, gateway::is_ipseckey(octets)),
        Field::Relay => rest_if(octets, gateway::is_amtrelay(octets)),
        Field::Suffix => historic::split_suffix(octets),
        Field::EarlyTypes => rest_if(octets, historic::are_early_types(octets)),
        Field::AtmAddress => rest_if(octets, historic::is_atm_address(octets)),
    }
}

/// A name off the front, none where there is nothing.
pub(super) fn split_name_maybe(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    match octets {
        [] => Some((octets, octets)),
        _ => split_name(octets).ok(),
    }
}

/// How many octets a digest must have that stands in these octets, and how many it has; `None` where any number is right.
///
/// RFC 3658 §2.4, RFC 4509 and RFC 6605 for DS, RFC 4255 and RFC 6594 for SSHFP, RFC 8976 §2.2 for ZONEMD.
pub(super) fn digest_lengths(rtype: Rtype, octets: &[u8]) -> Option<(usize, usize)> {
    let (kind, digest) = match (rtype, octets) {
        (Rtype::DS | Rtype::CDS | Rtype::TA | Rtype::DLV, [_, _, _, kind, digest @ ..])
        | (Rtype::SSHFP, [_, kind, digest @ ..])
        | (Rtype::ZONEMD, [_, _, _, _, _, kind, digest @ ..]) => (*kind, digest.len()),
        _ => return None,
    };
    let wanted = match (rtype, kind) {
        (Rtype::ZONEMD, 1) => 48,
        (Rtype::ZONEMD, 2) => 64,
        (Rtype::ZONEMD, _) => digest.max(12),
        (_, 1) => 20,
        (Rtype::SSHFP, 2) => 32,
        (Rtype::SSHFP, _) => return None,
        (_, 2) => 32,
        (_, 4) => 48,
        _ => return None,
    };
    Some((wanted, digest))
}

fn rest_if(octets: &[u8], well_formed: bool) -> Option<(&[u8], &[u8])> {
    well_formed.then_some((octets, &[]))
}

/// A length octet and as many octets as it says.
pub(super) fn split_counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(*octets.first()?);
    octets.split_at_checked(length.saturating_add(1))
}

fn are_counted(mut octets: &[u8]) -> bool {
    while !octets.is_empty() {
        match split_counted(octets) {
            Some((_, rest)) => octets = rest,
            None => return false,
        }
    }
    true
}
