//! What a running server has to tell: to its operator, and to whoever keeps its zones new.

use crate::zone::name::Name;
use std::fmt;
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody who may say so says that there is a new version of a zone.
    NotifyCame {
        /// The zone.
        zone: Name,
        /// Who.
        from: SocketAddr,
    },
    /// A secondary was told of a version and confirmed it.
    Notified {
        /// The zone.
        zone: Name,
        /// The secondary.
        secondary: SocketAddr,
        /// The serial.
        serial: u32,
    },
    /// A secondary could not be told.
    NotNotified {
        /// The zone.
        zone: Name,
        /// The secondary.
        secondary: SocketAddr,
        /// The serial.
        serial: u32,
        /// Why.
        why: String,
        /// Whether it is tried again.
        again: bool,
    },
    /// A zone was transferred.
    Transferred {
        /// The zone.
        zone: Name,
        /// To whom.
        to: SocketAddr,
        /// The serial.
        serial: u32,
        /// The changes since this serial; the whole zone if none is given.
        since: Option<u32>,
    },
    /// A transfer did not come to its end.
    TransferBroke {
        /// The zone.
        zone: Name,
        /// To whom.
        to: SocketAddr,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotifyCame { zone, from } => write!(f, "{from} says that {zone} has changed"),
            Self::Notified {
                zone,
                secondary,
                serial,
            } => {
                write!(f, "told {secondary} of {zone} serial {serial}")
            }
            Self::NotNotified {
                zone,
                secondary,
                serial,
                why,
                again,
            } => {
                let again = if *again { "trying again" } else { "giving up" };
                write!(
                    f,
                    "cannot tell {secondary} of {zone} serial {serial}: {why}; {again}"
                )
            }
            Self::Transferred {
                zone,
                to,
                serial,
                since: None,
            } => {
                write!(f, "sent {zone} serial {serial} to {to}")
            }
            Self::Transferred {
                zone,
                to,
                serial,
                since: Some(since),
            } => {
                write!(
                    f,
                    "sent {zone} serial {serial} to {to}: the changes since {since}"
                )
            }
            Self::TransferBroke { zone, to, why } => {
                write!(f, "the transfer of {zone} to {to} broke off: {why}")
            }
        }
    }
}

/// Where events go. Nobody need listen, and nothing ever waits for who does.
#[derive(Clone, Debug)]
pub(super) struct Events(mpsc::Sender<Event>);

/// Events that are kept for a listener that is busy; later ones are lost.
const KEPT: usize = 256;

impl Events {
    pub(super) fn channel() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(KEPT);
        (Self(sender), receiver)
    }

    pub(super) fn tell(&self, event: Event) {
        let _ = self.0.try_send(event);
    }
}
