//! The live world as observations: what servers answer and what hosts present. Bounded and cancellable.

pub mod addresses;
pub mod ailment;
mod alias;
pub mod anchors;
mod answer;
pub mod answer_of_parent;
pub mod apex;
pub mod authorities;
pub mod chain;
mod cut;
pub mod delegation;
mod denial;
pub mod dns;
pub mod extended_error;
mod host_name;
mod line;
pub mod listing;
pub(crate) mod message;
pub mod mta_sts;
mod no_tlsa;
pub mod nonterminals;
pub mod probe;
pub mod progress;
mod proof;
pub mod referral;
pub mod resolver;
pub mod senders_view;
mod served_answer;
pub mod servers;
pub mod side_by_side;
pub mod smtp;
pub mod survey;
pub mod tls;
pub mod tlsrpt;
mod turns;
pub mod vantage;
pub mod web_roots;

use std::io;
use tokio::time::{Instant, timeout_at};

/// Runs one look at the world to its end, for callers that are not asynchronous themselves.
pub fn wait_for<T>(look: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(progress::telling(look)))
}

/// The answer to a question, if it comes before the deadline.
pub async fn in_time<T>(deadline: Option<Instant>, question: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, question).await.ok(),
        None => Some(question.await),
    }
}
