//! `tlsa-rotate` rotates the TLS key of a mail server under DANE without a single refused mail.
//!
//! # The promise
//!
//! > For every TLSA RRset `R` that any validating resolver may still hold, and every key `K` that any host behind the name
//! > may present: `R` is empty, or `R` matches `K`.
//!
//! It is one function, [`rotation::promise::breaches`]. Every move of the machine is guarded by it, every look at the
//! world is judged by it, and a model check (`tests/model.rs`) holds the machine against caches and senders that know
//! nothing of it.
//!
//! # The house
//!
//! Each folder is a room with one concern; imports go down only (`tests/layers.rs`).
//!
//! | room | concern |
//! | --- | --- |
//! | [`rotation`] | **the machine**: seven steps, one transition table, one decision. No clock, file, socket or other room |
//! | [`files`] | files that others can have made: no wait, no end, no link, kept as secrets are |
//! | [`dane`] | RFC 6698, 7671, 7672 over values: associations of certificates and keys, the judgement of a chain |
//! | [`zone`] | master files: read without loss, edited in their own style, printed, compared |
//! | [`dnssec`] | signing, and the check of what was signed, which shares no decision with the signer |
//! | [`change`] | what a reviewer is told about a zone change |
//! | [`observe`] | the live world as values: every authoritative address, every mail host |
//! | [`workspace`] | the operator's directory: configuration, journal, lock, whole files |
//! | [`publish`] | decisions into the world: git, commands, an authoritative server |
//! | [`workflow`] | one file per use case: observe, decide, record, render |
//! | [`report`] | the same values as text, markdown, JSON |
//! | [`cli`] | arguments in, exit code out |
//!
//! # Reading order
//!
//! [`rotation::step`], [`rotation::decide`], [`rotation::promise`]: now you know what the program is. Then
//! [`workflow::advance`], which carries facts to it and its decisions out.
//!
//! # Words
//!
//! - **association**: what a TLSA record says about a key or certificate; a key is known by its `3 1 1`: SHA-256 of the key.
//! - **combination**: usage, selector and matching type; each in an RRset must have a record that matches (RFC 7671 §8).
//! - **current, incoming, staying**: the keys that a rotation replaces, those that replace them, those it leaves alone.
//! - **proposed, merged, served**: we wrote it; the branch that counts holds it; every authoritative server answers it. Three facts.
//! - **`T_all`**: when all authoritative servers were first seen, in one run, serving the full set.
//! - **`Unknown`**: what silence and contradiction are; never a yes.
//! - **who acts**: *you*, *wait* (time alone) or *others* (a server or host that may come right by itself): every reason for not going on names one.

pub mod change;
pub mod cli;
pub mod dane;
pub mod dnssec;
pub mod files;
pub mod observe;
pub mod publish;
pub mod report;
pub mod rotation;
pub mod workflow;
pub mod workspace;
pub mod zone;
