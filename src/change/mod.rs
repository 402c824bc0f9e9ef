//! A proposed zone change: why it is made, what a reviewer must know to decide, what exactly differs, and who signed it.
//!
//! [`changes`] says in a person's verbs what differs between two zones, and [`listing`] prints it; [`message`] is the
//! commit message around it, [`table`] that for several rotations at once. [`nsupdate`] is the same difference for a server that signs by itself.
//!
//! [`proposal`] puts all of it into one file that names its base and its target by their [`digest`] and is signed
//! ([`sshsig`], [`ssh_key`]); [`judgement`] says whether it may be applied, [`allowed_signers`] who may sign, and [`revoked`] who may no more.

pub mod allowed_signers;
pub mod changes;
pub mod digest;
pub mod judgement;
pub mod listing;
pub mod message;
pub mod nsupdate;
pub mod proposal;
pub mod revoked;
pub mod ssh_key;
pub mod sshsig;
pub mod table;
