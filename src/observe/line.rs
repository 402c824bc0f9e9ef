//! One server on the line: the same question over UDP and over TCP, and what of the two answers counts (RFC 7766 §5).

use super::ailment::{Ailment, Trouble};
use super::authorities::Limits;
use super::dns::{self, Reply, Silence, Transport};
use super::extended_error::Flaw;
use super::served_answer::Told;
use crate::zone::name::Name;
use crate::zone::record::Rtype;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant as Tick;

/// One server on the line, for as long as it may take.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) address: SocketAddr,
    pub(super) deadline: Option<Tick>,
    pub(super) limits: Limits,
}

/// The answers to one question over both transports.
pub(super) struct Both {
    udp: Result<Reply, Silence>,
    tcp: Result<Reply, Silence>,
}

impl Line {
    fn patience(&self) -> Duration {
        let left = self.deadline.map_or(self.limits.answer, |d| {
            d.saturating_duration_since(Tick::now())
        });
        self.limits.answer.min(left)
    }

    /// The answer over UDP; where that is cut off or does not come, over TCP, as a resolver asks.
    pub(super) async fn one(&self, name: &Name, rtype: Rtype) -> Result<Reply, Silence> {
        let over = |transport| dns::ask(self.address, transport, name, rtype, self.patience());
        match over(Transport::Udp).await {
            Ok(reply) if !reply.truncated => Ok(reply),
            _ => over(Transport::Tcp).await,
        }
    }

    /// The answers over both.
    pub(super) async fn both(&self, name: &Name, rtype: Rtype) -> Both {
        let patience = self.patience();
        let over = |transport| dns::ask(self.address, transport, name, rtype, patience);
        let (udp, tcp) = tokio::join!(over(Transport::Udp), over(Transport::Tcp));
        Both { udp, tcp }
    }
}

impl Both {
    /// Whether an answer over either transport holds `wanted` without speaking for the zone (AA): that of a resolver.
    pub(super) fn is_second_hand(&self, wanted: impl Fn(&Reply) -> bool) -> bool {
        let replies = [&self.udp, &self.tcp].into_iter().flatten();
        replies
            .into_iter()
            .any(|reply| !reply.authoritative && wanted(reply))
    }

    /// What both transports say, each judged by itself; a truncated datagram leaves the word to TCP.
    pub(super) fn agree<T: Told>(
        &self,
        judge: impl Fn(&Reply) -> Result<T, Flaw>,
        merge: impl Fn(&T, &T) -> Option<T>,
    ) -> Result<T, Trouble> {
        let judged = |answer: &Result<Reply, Silence>| match answer {
            Ok(reply) => judge(reply).map_err(Trouble::from),
            Err(silence) => Err(Trouble::from(silence)),
        };
        let truncated = self.udp.as_ref().is_ok_and(|reply| reply.truncated);
        match (judged(&self.udp), judged(&self.tcp)) {
            (_, Ok(tcp)) if truncated => Ok(tcp),
            // Whoever says "ask over TCP" and then does not answer there has cut his answer off.
            (_, Err(tcp)) if truncated => Err(Trouble::new(
                Ailment::Truncated,
                format!("TCP: {}", tcp.reason),
            )),
            (Ok(udp), Ok(tcp)) => merge(&udp, &tcp).ok_or_else(|| {
                let reason = format!(
                    "UDP and TCP disagree: UDP says {}, TCP {}",
                    udp.told(),
                    tcp.told()
                );
                Trouble::new(Ailment::Wrong, reason)
            }),
            (Err(udp), Err(tcp)) if udp == tcp => {
                Err(udp.saying(|why| format!("{why} (UDP and TCP)")))
            }
            (Err(udp), Err(tcp)) => Err(Trouble::new(
                udp.ailment.max(tcp.ailment),
                format!("UDP: {}; TCP: {}", udp.reason, tcp.reason),
            )),
            (Err(udp), Ok(_)) => Err(udp.saying(|why| format!("UDP: {why} (TCP is fine)"))),
            (Ok(_), Err(tcp)) => Err(tcp.saying(|why| format!("TCP: {why} (UDP is fine)"))),
        }
    }
}
