//! A sender that validates: it delivers one message to one host if, and only if, DANE allows it (RFC 7672 §2.2, §8.1).

use crate::dane::judge::{self, Rules, Verdict};
use crate::observe::probe::connect;
use crate::observe::smtp::{Caller, Session, SmtpError};
use crate::observe::tls::{self, Ask};
use crate::rotation::association::Association;
use crate::rotation::timing::Instant;
use std::net::SocketAddr;
use tokio::time::timeout;

/// One message for one host.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    /// Envelope sender.
    pub from: &'a str,
    /// Envelope recipient.
    pub to: &'a str,
    /// Header and body, lines ended by `\n`.
    pub text: &'a str,
}

/// The host as the sender's resolver told it.
#[derive(Clone, Debug)]
pub struct Host<'a> {
    /// Its name: SNI and TLSA base domain.
    pub name: &'a str,
    /// Where it is.
    pub address: SocketAddr,
    /// Its TLSA RRset, DNSSEC-secure; empty if there is provably none.
    pub rrset: &'a [Association],
}

/// What became of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken over by a host this record authenticates.
    Delivered(Association),
    /// Taken over, encrypted, by a host that nothing authenticates: no usable record is published.
    DeliveredUnauthenticated,
    /// Kept, to be tried again: DANE refuses the host. This is what a rotation must never cause.
    RefusedByDane(String),
    /// Kept, to be tried again, for any other reason.
    Deferred(String),
}

/// Delivers `mail` to `host`, at `at`, over TLS and never without.
pub async fn deliver(host: &Host<'_>, mail: &Mail<'_>, at: Instant, caller: &Caller) -> Outcome {
    match timeout(caller.whole, attempt(host, mail, at, caller)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(reason)) => Outcome::Deferred(reason),
        Err(_) => Outcome::Deferred("the conversation took too long".to_owned()),
    }
}

async fn attempt(
    host: &Host<'_>,
    mail: &Mail<'_>,
    at: Instant,
    caller: &Caller,
) -> Result<Outcome, String> {
    let said = |e: SmtpError| e.to_string();
    let stream = connect(host.address, caller).await?;
    let mut session = Session::greeted(stream, caller).await.map_err(said)?;
    let extensions = session.ehlo(&caller.name).await.map_err(said)?;
    let stream = session.starttls(&extensions).await.map_err(said)?;
    let secured = timeout(
        caller.step,
        tls::handshake(stream, host.name, Ask::Anything),
    )
    .await
    .map_err(|_| "no TLS handshake in time".to_owned())?
    .map_err(|e| e.to_string())?;
    let mut session = Session::resumed(secured.stream, caller);
    let chain = judge::presented(&secured.chain).map_err(|e| e.to_string())?;
    let judgement = judge::judge(host.rrset, &chain, &[host.name], at, Rules::Smtp);
    let delivered = match judgement.verdict {
        Verdict::Verified(by) => Outcome::Delivered(by),
        Verdict::NoUsableRecords => Outcome::DeliveredUnauthenticated,
        Verdict::Refused => {
            session.quit().await;
            let reasons: Vec<String> = judgement
                .records
                .iter()
                .map(|(record, finding)| format!("{}: {finding}", record.short()))
                .collect();
            return Ok(Outcome::RefusedByDane(reasons.join("; ")));
        }
    };
    session.ehlo(&caller.name).await.map_err(said)?;
    let envelope = [
        (format!("MAIL FROM:<{}>", mail.from), 250),
        (format!("RCPT TO:<{}>", mail.to), 250),
        ("DATA".to_owned(), 354),
    ];
    for (command, code) in envelope {
        session.command(&command, code).await.map_err(said)?;
    }
    session.message(mail.text).await.map_err(said)?;
    session.quit().await;
    Ok(delivered)
}
