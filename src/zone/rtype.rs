//! Record types by number, mnemonic and the generic form `TYPE65280` (RFC 3597 §5, IANA DNS parameters).

use std::fmt;
use std::str::FromStr;

/// A record type by number; prints and parses as its mnemonic or as `TYPE65280` (RFC 3597 §5).
///
/// ```
/// use tlsa_rotate::zone::record::Rtype;
/// assert_eq!("tlsa".parse(), Ok(Rtype::TLSA));
/// assert_eq!(Rtype(65280).to_string(), "TYPE65280");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rtype(pub u16);

/// A text that names no record type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a record type: expected a mnemonic such as TLSA, or TYPE and a number up to 65535")]
pub struct NotAType;

macro_rules! types {
    ($($number:literal $constant:ident $text:literal,)*) => {
        impl Rtype {
            $(#[doc = concat!("The type ", $text, ".")] pub const $constant: Self = Self($number);)*

            /// The mnemonic, for types that have one here.
            pub const fn mnemonic(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }

            fn from_upper(text: &[u8]) -> Option<Self> {
                match text {
                    $(known if known == $text.as_bytes() => Some(Self($number)),)*
                    _ => None,
                }
            }
        }
    };
}

// The types of everyday zones first: mnemonics are compared in this order.
types! {
    1 A "A", 28 AAAA "AAAA", 2 NS "NS", 5 CNAME "CNAME", 15 MX "MX", 16 TXT "TXT", 12 PTR "PTR", 6 SOA "SOA",
    46 RRSIG "RRSIG", 47 NSEC "NSEC", 50 NSEC3 "NSEC3", 43 DS "DS", 48 DNSKEY "DNSKEY", 52 TLSA "TLSA",
    33 SRV "SRV", 257 CAA "CAA", 51 NSEC3PARAM "NSEC3PARAM", 65 HTTPS "HTTPS", 64 SVCB "SVCB",
    3 MD "MD", 4 MF "MF", 7 MB "MB", 8 MG "MG", 9 MR "MR", 10 NULL "NULL", 11 WKS "WKS", 13 HINFO "HINFO",
    14 MINFO "MINFO", 17 RP "RP", 18 AFSDB "AFSDB", 19 X25 "X25", 20 ISDN "ISDN", 21 RT "RT", 22 NSAP "NSAP",
    23 NSAP_PTR "NSAP-PTR", 24 SIG "SIG", 25 KEY "KEY", 26 PX "PX", 27 GPOS "GPOS", 29 LOC "LOC", 30 NXT "NXT",
    31 EID "EID", 32 NIMLOC "NIMLOC", 34 ATMA "ATMA", 35 NAPTR "NAPTR", 36 KX "KX", 37 CERT "CERT", 38 A6 "A6",
    39 DNAME "DNAME", 40 SINK "SINK", 41 OPT "OPT", 42 APL "APL", 44 SSHFP "SSHFP", 45 IPSECKEY "IPSECKEY",
    49 DHCID "DHCID", 53 SMIMEA "SMIMEA", 55 HIP "HIP", 56 NINFO "NINFO", 57 RKEY "RKEY", 58 TALINK "TALINK",
    59 CDS "CDS", 60 CDNSKEY "CDNSKEY", 61 OPENPGPKEY "OPENPGPKEY", 62 CSYNC "CSYNC", 63 ZONEMD "ZONEMD", 66 DSYNC "DSYNC",
    67 HHIT "HHIT", 68 BRID "BRID",
    99 SPF "SPF", 100 UINFO "UINFO", 101 UID "UID", 102 GID "GID", 103 UNSPEC "UNSPEC", 104 NID "NID", 105 L32 "L32", 106 L64 "L64", 107 LP "LP", 108 EUI48 "EUI48", 109 EUI64 "EUI64",
    249 TKEY "TKEY", 250 TSIG "TSIG", 251 IXFR "IXFR", 252 AXFR "AXFR", 253 MAILB "MAILB", 254 MAILA "MAILA",
    255 ANY "ANY", 256 URI "URI", 258 AVC "AVC", 259 DOA "DOA", 260 AMTRELAY "AMTRELAY", 261 RESINFO "RESINFO",
    262 WALLET "WALLET", 32768 TA "TA", 32769 DLV "DLV",
}

impl Rtype {
    /// Reads a mnemonic or `TYPEnn`, in any case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // No mnemonic is longer than this buffer; nothing longer needs folding.
        let mut upper = [0; 16];
        let folded = upper.get_mut(..text.len())?;
        folded.copy_from_slice(text);
        folded.make_ascii_uppercase();
        Self::from_upper(folded).or_else(|| {
            let digits = std::str::from_utf8(folded.strip_prefix(b"TYPE")?).ok()?;
            let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|_| all_digits).map(Self)
        })
    }

    /// Reads a mnemonic, `TYPEnn` or a plain number, as some data allows.
    pub(crate) fn parse_or_number(text: &[u8]) -> Option<Self> {
        let plain = text.iter().all(u8::is_ascii_digit);
        let number = || {
            std::str::from_utf8(text)
                .ok()?
                .parse()
                .ok()
                .filter(|_| plain)
                .map(Self)
        };
        Self::parse(text).or_else(number)
    }

    /// The type as zone files have it: its mnemonic where every server that is in use reads it, else the generic form, which
    /// all of them read (RFC 3597 §5).
    pub(crate) fn in_zone(self) -> InZone {
        InZone(self)
    }

    /// Whether BIND 9.18, Knot 3.2, NSD 4.6, PowerDNS 4.7 and ldns 1.8 read the mnemonic and the data behind it; measured
    /// with each of them.
    pub(crate) const fn is_known_everywhere(self) -> bool {
        matches!(
            self,
            Self::A
                | Self::AAAA
                | Self::NS
                | Self::CNAME
                | Self::MX
                | Self::TXT
                | Self::PTR
                | Self::SOA
                | Self::RRSIG
                | Self::NSEC
                | Self::NSEC3
                | Self::NSEC3PARAM
                | Self::DS
                | Self::DNSKEY
                | Self::TLSA
                | Self::SRV
                | Self::CAA
                | Self::HTTPS
                | Self::SVCB
                | Self::HINFO
                | Self::MINFO
                | Self::RP
                | Self::AFSDB
                | Self::KEY
                | Self::LOC
                | Self::NAPTR
                | Self::KX
                | Self::CERT
                | Self::DNAME
                | Self::APL
                | Self::SSHFP
                | Self::IPSECKEY
                | Self::DHCID
                | Self::SMIMEA
                | Self::CDS
                | Self::CDNSKEY
                | Self::OPENPGPKEY
                | Self::CSYNC
                | Self::ZONEMD
                | Self::SPF
                | Self::NID
                | Self::L32
                | Self::L64
                | Self::LP
                | Self::EUI48
                | Self::EUI64
                | Self::URI
        )
    }

    /// Whether the type belongs to queries and messages and can never be zone data (RFC 6895 §3.1).
    pub const fn is_meta(self) -> bool {
        matches!(self.0, 0 | 41 | 128..=255)
    }
}

/// See [`Rtype::in_zone`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct InZone(Rtype);

impl fmt::Display for InZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            known if known.is_known_everywhere() => known.fmt(f),
            Rtype(number) => write!(f, "TYPE{number}"),
        }
    }
}

impl fmt::Display for Rtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(text) => f.pad(text),
            None => f.pad(&format!("TYPE{}", self.0)),
        }
    }
}

impl FromStr for Rtype {
    type Err = NotAType;

    fn from_str(text: &str) -> Result<Self, NotAType> {
        Self::parse(text.as_bytes()).ok_or(NotAType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_prints_and_parses_back() {
        for number in 0..=u16::MAX {
            assert_eq!(
                Rtype(number).to_string().parse(),
                Ok(Rtype(number)),
                "{number}"
            );
        }
    }

    #[test]
    fn what_names_no_type_is_refused() {
        for text in [
            "",
            "TYPE",
            "TYPE65536",
            "TYPE-1",
            "TYPE+1",
            "TLS",
            "TYPE1 ",
            "NSEC3PARAMETERS!!",
        ] {
            assert_eq!(text.parse::<Rtype>(), Err(NotAType), "{text}");
        }
        assert_eq!("type00052".parse(), Ok(Rtype::TLSA));
    }
}
