//! What the Web PKI thinks of a chain: what senders ask that follow MTA-STS instead of DANE (RFC 8461 §4.2, RFC 5280 §6).
//!
//! It takes no part in a DANE verdict (RFC 8461 §2).

use crate::dane::certificate::Certificate;
use crate::dane::name_check;
use crate::dane::web_path;
use crate::rotation::timing::Instant;

/// Why a sender that follows MTA-STS would refuse a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebRefusal {
    /// No valid path leads to a trusted root.
    #[error("{0}")]
    Path(String),
    /// The certificate does not name the host.
    #[error("it is issued for {}, not for {host}", if .names.is_empty() { "no DNS name".to_owned() } else { .names.join(", ") })]
    Name {
        /// The host.
        host: String,
        /// The names it has, the first few.
        names: Vec<String>,
    },
}

/// Names that an error tells.
const NAMES_SHOWN: usize = 5;

/// Judges `chain` (leaf first) for `host` at `at`: a valid path to one of `roots`, and a DNS name for the host.
pub fn judge(
    chain: &[Certificate],
    roots: &[Certificate],
    host: &str,
    at: Instant,
) -> Result<(), WebRefusal> {
    web_path::check_roots(chain, roots, at, None).map_err(WebRefusal::Path)?;
    let names = chain.first().map_or(&[][..], Certificate::dns_names);
    if name_check::names_any(names.iter().map(String::as_str), &[host]) {
        return Ok(());
    }
    Err(WebRefusal::Name {
        host: host.to_owned(),
        names: names.iter().take(NAMES_SHOWN).cloned().collect(),
    })
}
