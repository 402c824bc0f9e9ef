//! A proposed zone change: why it is made, what a reviewer must know to decide, and what exactly differs.

pub mod message;
pub mod nsupdate;
