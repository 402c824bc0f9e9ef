//! How `zone sign` signs: the times of signatures, how absence is proven, and with how many threads.

use super::instant;
use crate::dnssec::denial::Denial;
use crate::dnssec::next::{BACKDATED, VALIDITY};
use crate::dnssec::nsec3::Hashing;
use crate::dnssec::sign::{SigningPolicy, usual_jitter, usual_refresh};
use crate::rotation::timing::{Instant, Span};
use crate::workspace::config::duration;
use std::num::NonZeroUsize;

#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
    /// Begin of new signatures [default: an hour ago]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    inception: Option<Instant>,
    /// End of new signatures [default: in 14 days]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expiration: Option<Instant>,
    /// How much earlier some of them end, spread over the names, so that not all fall due at once; `0s` for none
    /// [default: 12h, but at most half of the time until new ones are due for refresh]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse)]
    jitter: Option<Span>,
    /// Signatures with this much time left, or less, are made anew [default: 8 days, or
    /// four sevenths of what new ones have if they hold for less than 14 days]
    #[arg(long, value_name = "SPAN", value_parser = duration::parse)]
    refresh: Option<Span>,
    /// Prove absence by NSEC3 (RFC 5155) instead of NSEC
    #[arg(long)]
    nsec3: bool,
    /// Additional NSEC3 iterations, at most 50; anything but 0 only costs (RFC 9276)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "nsec3")]
    iterations: u16,
    /// NSEC3 salt in hexadecimal digits, `-` for none; anything but none is of no use (RFC 9276)
    #[arg(long, value_name = "HEX", default_value = "-", value_parser = salt, requires = "nsec3")]
    salt: Salt,
    /// Leave delegations without DS out of the NSEC3 chain; refused for a zone that holds TLSA records
    #[arg(long, requires = "nsec3")]
    opt_out: bool,
    /// Threads that sign and verify [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
}

/// An NSEC3 salt on the command line.
#[derive(Clone, Debug)]
struct Salt(Vec<u8>);

fn salt(text: &str) -> Result<Salt, String> {
    if text == "-" {
        return Ok(Salt(Vec::new()));
    }
    let octets = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes());
    let expected = |_| "expected pairs of hexadecimal digits, or `-` for no salt".to_owned();
    octets.map(Salt).map_err(expected)
}

impl PolicyArgs {
    /// The policy at the present; what is allowed and questionable is told on stderr.
    #[allow(clippy::arithmetic_side_effects)] // instants and spans saturate
    pub(super) fn policy(&self, now: Instant) -> SigningPolicy {
        let expiration = self.expiration.unwrap_or(now + VALIDITY);
        let lasting = expiration.since(now);
        let refresh = self.refresh.unwrap_or(usual_refresh(lasting));
        let usual = SigningPolicy::default();
        SigningPolicy {
            now,
            inception: self.inception.unwrap_or(now - BACKDATED),
            expiration,
            refresh,
            jitter: self.jitter.unwrap_or(usual_jitter(lasting, refresh)),
            denial: self.denial(),
            threads: self.threads.unwrap_or(usual.threads),
        }
    }

    fn denial(&self) -> Denial {
        if !self.nsec3 {
            return Denial::Nsec;
        }
        if self.iterations > 0 || !self.salt.0.is_empty() {
            eprintln!(
                "warning: additional NSEC3 iterations and a salt hide nothing and cost validators work; RFC 9276 says to use neither"
            );
        }
        Denial::Nsec3 {
            hashing: Hashing {
                iterations: self.iterations,
                salt: self.salt.0.clone(),
            },
            opt_out: self.opt_out,
        }
    }
}
