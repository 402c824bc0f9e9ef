//! Reads regular files alone, and of those no more than is expected: a FIFO, a device or a file without end is an error
//! that says so, never a wait.

use super::links;
use rustix::fs::OFlags;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// The largest zone file that is read as a whole, in bytes: several million records.
pub const ZONE: u64 = 2 << 30;

/// The largest file of what the program remembers (journal, notes, seals), in bytes.
pub const STATE: u64 = 1 << 30;

/// The largest list that people write by hand (trust anchors, signers, resolvers), in bytes.
pub const LIST: u64 = 16 << 20;

/// Opens the regular file at `path` to be read. Never waits, whatever is there.
pub fn open(path: &Path) -> io::Result<File> {
    if is_handed_over(path) {
        // The shell's `<(…)`: a pipe that whoever called us has opened, and writes to. It is waited for.
        return File::open(path);
    }
    regular(fs::metadata(path)?.file_type())?;
    open_regular(path, OFlags::empty())
}

/// As [`open`], and refuses a symbolic link in the file's own place.
pub fn open_unlinked(path: &Path) -> io::Result<File> {
    let found = fs::symlink_metadata(path)?.file_type();
    if found.is_symlink() {
        return Err(io::Error::other(
            "it is a symbolic link, which is not followed here",
        ));
    }
    if is_handed_over(path) {
        return File::open(path);
    }
    regular(found)?;
    open_regular(path, OFlags::NOFOLLOW)
}

/// Opens what was seen to be a regular file: to open a device can do something. It is looked at again when it is open: then it
/// counts.
fn open_regular(path: &Path, flags: OFlags) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(bits(flags | OFlags::NONBLOCK | OFlags::NOCTTY))
        .open(path)?;
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Flags as the standard library takes them.
pub fn bits(flags: OFlags) -> i32 {
    i32::from_ne_bytes(flags.bits().to_ne_bytes())
}

fn is_handed_over(path: &Path) -> bool {
    path.starts_with("/dev/fd") || path == Path::new("/dev/stdin")
}

/// Refuses what is no regular file, by what it is.
pub fn regular(found: FileType) -> io::Result<()> {
    let what = match found {
        found if found.is_file() => return Ok(()),
        found if found.is_dir() => {
            let why = "it is a directory, and a file is expected";
            return Err(io::Error::new(ErrorKind::IsADirectory, why));
        }
        found if found.is_fifo() => "a FIFO",
        found if found.is_socket() => "a socket",
        found if found.is_block_device() || found.is_char_device() => "a device",
        _ => "no regular file",
    };
    Err(io::Error::other(format!(
        "it is {what}, and a file is expected"
    )))
}

/// The file at `path`, which has at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    bounded(&file, limit)
}

/// As [`read`], through no symbolic link: not in the file's own place, and not on the way.
pub fn read_unlinked(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let absolute = std::path::absolute(path)?;
    links::none_on(&absolute).map_err(io::Error::other)?;
    bounded(&open_unlinked(path)?, limit)
}

/// What is in an open file, from where it stands, which is at most `limit` bytes.
pub fn bounded(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > limit {
        return Err(too_large(length, limit));
    }
    let mut octets = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(limit.saturating_add(1))
        .read_to_end(&mut octets)?;
    // It can have grown meanwhile.
    match u64::try_from(octets.len()) {
        Ok(length) if length <= limit => Ok(octets),
        _ => Err(too_large(limit.saturating_add(1), limit)),
    }
}

/// As [`read`], of text in UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    text(read(path, limit)?)
}

fn text(octets: Vec<u8>) -> io::Result<String> {
    // The standard error would be as short, and say less.
    String::from_utf8(octets)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not text in UTF-8"))
}

/// As [`read_unlinked`], of text in UTF-8.
pub fn read_text_unlinked(path: &Path, limit: u64) -> io::Result<String> {
    text(read_unlinked(path, limit)?)
}

/// The beginning of the file at `path`: one byte more than `limit` at most, for a reader that tells a longer file by that.
pub fn beginning(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut octets = Vec::new();
    open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut octets)?;
    Ok(octets)
}

fn too_large(length: u64, limit: u64) -> io::Error {
    let why = format!("it has {length} bytes, and at most {limit} are read here");
    io::Error::new(ErrorKind::FileTooLarge, why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::fs::{CWD, FileType as Kind, Mode};

    #[test]
    fn what_is_no_file_is_said_at_once_and_what_is_too_large_is_not_read() {
        let home = tempfile::tempdir().unwrap();
        let fifo = home.path().join("fifo");
        rustix::fs::mknodat(CWD, &fifo, Kind::Fifo, Mode::from(0o600), 0).unwrap();
        let sparse = home.path().join("sparse");
        File::create(&sparse).unwrap().set_len(10 << 30).unwrap();
        let link = home.path().join("link");
        std::os::unix::fs::symlink("plain", &link).unwrap();
        let plain = home.path().join("plain");
        fs::write(&plain, "text").unwrap();
        let table: [(&Path, &str); 4] = [
            (&fifo, "a FIFO"),
            (home.path(), "a directory"),
            (Path::new("/dev/zero"), "a device"),
            (&sparse, "10737418240 bytes"),
        ];
        for (path, why) in table {
            let error = read(path, 1 << 20).unwrap_err().to_string();
            assert!(error.contains(why), "{}: {error}", path.display());
        }
        assert_eq!(beginning(&sparse, 10).unwrap().len(), 11);
        assert_eq!(read(&plain, 4).unwrap(), b"text");
        assert!(read(&plain, 3).is_err());
        assert_eq!(read(&link, 4).unwrap(), b"text");
        assert!(open_unlinked(&link).is_err());
        assert!(open_unlinked(&plain).is_ok());
    }
}
