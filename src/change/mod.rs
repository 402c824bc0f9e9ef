//! A proposed zone change: why it is made, what a reviewer must know to decide, and what exactly differs.
//!
//! [`changes`] says in a person's verbs what differs between two zones, and [`listing`] prints it; [`message`] is the
//! commit message around it. [`nsupdate`] is the same difference for a server that signs by itself.

pub mod changes;
pub mod listing;
pub mod message;
pub mod nsupdate;
