//! Where names stand in a message that is being written, so that later ones can point to them (RFC 1035 §4.1.4).

/// Where suffixes of names stand in the message, by hash.
#[derive(Clone, Debug)]
pub(super) struct Suffixes {
    slots: Box<[(u32, u16); Self::SLOTS]>,
    used: usize,
}

impl Default for Suffixes {
    fn default() -> Self {
        Self {
            slots: Box::new([(0, 0); Self::SLOTS]),
            used: 0,
        }
    }
}

impl Suffixes {
    /// A power of two; more suffixes than three quarters of this are written in full.
    const SLOTS: usize = 256;
    /// What a pointer can reach (RFC 1035 §4.1.4).
    const REACH: usize = 0x3fff;

    fn slots_of(hash: u32) -> impl Iterator<Item = usize> {
        let first = usize::try_from(hash ^ (hash >> 16)).unwrap_or(0);
        (0..Self::SLOTS).map(move |step| first.wrapping_add(step) & (Self::SLOTS - 1))
    }

    pub(super) fn find(&self, hash: u32, suffix: &[u8], message: &[u8]) -> Option<u16> {
        for slot in Self::slots_of(hash) {
            match self.slots.get(slot) {
                Some((_, 0)) | None => return None,
                Some((kept, at)) if *kept == hash && stands_at(message, *at, suffix) => {
                    return Some(*at);
                }
                Some(_) => {}
            }
        }
        None
    }

    pub(super) fn remember(&mut self, hash: u32, at: usize) {
        if at > Self::REACH || self.used >= Self::SLOTS / 4 * 3 {
            return;
        }
        let free =
            Self::slots_of(hash).find(|slot| self.slots.get(*slot).is_some_and(|(_, at)| *at == 0));
        if let (Some(place), Ok(at)) = (
            free.and_then(|slot| self.slots.get_mut(slot)),
            u16::try_from(at),
        ) {
            *place = (hash, at);
            self.used = self.used.saturating_add(1);
        }
    }

    /// Forgets what stood at `at` and behind. Called when a record did not fit, after which little is written.
    pub(super) fn forget_from(&mut self, at: usize) {
        let kept: Vec<(u32, u16)> = self
            .slots
            .iter()
            .copied()
            .filter(|(_, place)| *place != 0 && usize::from(*place) < at)
            .collect();
        *self = Self::default();
        for (hash, place) in kept {
            self.remember(hash, usize::from(place));
        }
    }
}

/// Whether the name at `at` of a message, pointers followed, is `wire`, octet for octet.
fn stands_at(message: &[u8], at: u16, wire: &[u8]) -> bool {
    let (mut at, mut rest) = (usize::from(at), wire);
    loop {
        let Some(&octet) = message.get(at) else {
            return false;
        };
        match octet {
            0xc0.. => {
                let Some(&low) = message.get(at.saturating_add(1)) else {
                    return false;
                };
                at = usize::from(u16::from_be_bytes([octet & 0x3f, low]));
            }
            0 => return rest == [0],
            _ => {
                let length = usize::from(octet).saturating_add(1);
                let next = at.saturating_add(length);
                let (Some(label), Some(mine)) = (message.get(at..next), rest.get(..length)) else {
                    return false;
                };
                if label != mine {
                    return false;
                }
                rest = rest.get(length..).unwrap_or_default();
                at = next;
            }
        }
    }
}
