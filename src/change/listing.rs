//! Changes as lines that a person compares: one verb each, old above new, long hashes in groups and halves.
//!
//! The sign in front is that of a diff, so that tools that colour diffs colour this too; the word behind it says the
//! same without colour. Nothing in it depends on when or where it is printed.

use crate::change::changes::{Change, Changes, split_hash};
use crate::zone::rdata::Soa;
use crate::zone::record::Record;
use std::fmt;

/// Hexadecimal digits in a group, and groups in a row: 32 octets, a whole SHA-256 digest.
const GROUP: usize = 16;
const GROUPS: usize = 4;

impl fmt::Display for Changes {
    /// One change a line, or a few where a hash or a replacement needs them; nothing at all if nothing changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((old, new)) = &self.soa {
            write_soa(old.as_ref(), new.as_ref(), f)?;
        }
        for change in &self.listed {
            write_change(change, f)?;
        }
        if !self.counted.is_empty() {
            let counted: Vec<String> = self
                .counted
                .iter()
                .map(|(rtype, count)| format!("{rtype} {count}"))
                .collect();
            writeln!(f, "  not listed: {}", counted.join("; "))?;
        }
        Ok(())
    }
}

impl Changes {
    /// The same for a pull request: a summary, and the lines in a fence that is coloured as a diff.
    ///
    /// No line begins with a backtick, so nothing that stands in a zone can end the fence.
    pub fn markdown(&self) -> String {
        if self.is_empty() {
            return format!("{}.\n", self.summary());
        }
        format!("{}.\n\n```diff\n{self}```\n", self.summary())
    }
}

/// The fields of the SOA that differ, the serial first.
fn write_soa(old: Option<&Soa>, new: Option<&Soa>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (Some(old), Some(new)) = (old, new) else {
        let what = if new.is_some() {
            "+ add     SOA"
        } else {
            "- remove  SOA"
        };
        return writeln!(f, "{what}");
    };
    let fields = [
        ("serial", old.serial.to_string(), new.serial.to_string()),
        ("primary", old.primary.to_string(), new.primary.to_string()),
        ("mailbox", old.mailbox.to_string(), new.mailbox.to_string()),
        ("refresh", old.refresh.to_string(), new.refresh.to_string()),
        ("retry", old.retry.to_string(), new.retry.to_string()),
        ("expire", old.expire.to_string(), new.expire.to_string()),
        ("minimum", old.minimum.to_string(), new.minimum.to_string()),
    ];
    for (field, old, new) in fields.into_iter().filter(|(_, old, new)| old != new) {
        writeln!(f, "~ SOA {field} {old} -> {new}")?;
    }
    Ok(())
}

fn write_change(change: &Change, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match change {
        Change::Add(record) => write_one('+', change.verb(), record, f),
        Change::Remove(record) => write_one('-', change.verb(), record, f),
        Change::Replace { old, new } => {
            writeln!(f, "~ change  {}", front(new))?;
            write_both(old, new, f)
        }
        Change::Ttl {
            owner,
            rtype,
            old,
            new,
        } => writeln!(f, "~ ttl     {owner} {rtype} {old} -> {new}"),
    }
}

fn front(record: &Record) -> String {
    format!("{} {} IN {}", record.owner, record.ttl, record.rtype)
}

fn write_one(sign: char, verb: &str, record: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let data = record.rdata.to_text(record.rtype);
    let Some((head, digits)) = split_hash(&data, record.rtype) else {
        return writeln!(f, "{sign} {verb:<6}  {} {data}", front(record));
    };
    writeln!(f, "{sign} {verb:<6}  {}", front(record))?;
    for (number, row) in rows(&digits).iter().enumerate() {
        let shown = if number == 0 { &*head } else { "" };
        writeln!(f, "{sign}   {}", row_line(shown, head.len(), row))?;
    }
    Ok(())
}

/// Old above new, row by row where a number takes several.
fn write_both(old: &Record, new: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let texts = (old.rdata.to_text(old.rtype), new.rdata.to_text(new.rtype));
    let split = split_hash(&texts.0, old.rtype).zip(split_hash(&texts.1, new.rtype));
    let Some(((old_head, old_digits), (new_head, new_digits))) = split else {
        writeln!(f, "-   {}", texts.0)?;
        return writeln!(f, "+   {}", texts.1);
    };
    let width = old_head.len().max(new_head.len());
    let (old_rows, new_rows) = (rows(&old_digits), rows(&new_digits));
    for number in 0..old_rows.len().max(new_rows.len()) {
        for (sign, head, rows) in [('-', &old_head, &old_rows), ('+', &new_head, &new_rows)] {
            if let Some(row) = rows.get(number) {
                let head = if number == 0 { head } else { "" };
                writeln!(f, "{sign}   {}", row_line(head, width, row))?;
            }
        }
    }
    Ok(())
}

fn row_line(head: &str, width: usize, row: &str) -> String {
    format!("{head:<width$}  {row}")
}

/// The digits in groups of sixteen, four to a row, with a wider gap in the middle of the row.
fn rows(digits: &str) -> Vec<String> {
    let groups: Vec<&str> = digits
        .as_bytes()
        .chunks(GROUP)
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups
        .chunks(GROUPS)
        .map(|row| {
            let halves: Vec<String> = row.chunks(GROUPS / 2).map(|half| half.join(" ")).collect();
            halves.join("  ")
        })
        .collect()
}
