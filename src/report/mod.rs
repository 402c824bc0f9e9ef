//! The same values as text, markdown, JSON and a calendar.

mod by_hand;
pub mod calendar;
pub mod diagram;
pub mod emergency;
mod listed;
pub mod metrics;
pub mod news;
pub mod page;
pub mod rehearsal;
pub mod runbook;
pub mod standing;
pub mod ttl_before;

use crate::rotation::act_by::ActBy;
use serde_json::{Value, json};

/// The last moments for a person to act, for programs.
fn act_by_json(act_by: &[ActBy]) -> Vec<Value> {
    let each = act_by.iter().map(|one| {
        json!({
            "act": one.act.name(),
            "by": one.by.to_string(),
            "ends": one.ends.to_string(),
            "near": one.is_near,
            "what": one.to_string(),
            "way_out": one.advice(),
        })
    });
    each.collect()
}
