//! Chance as a function of a seed: `SplitMix64`, a counter mixed into 64 bits.

/// A stream of numbers that look random.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    /// The stream of a seed and a number within it: neighbours have nothing in common.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut first = Self(seed);
        let mixed = first.next() ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut stream = Self(mixed);
        stream.next();
        stream
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, and 0 where that is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product is spread evenly enough for any bound that occurs here.
        let product = u128::from(self.next()).wrapping_mul(u128::from(bound));
        u64::try_from(product >> 64).unwrap_or_default()
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that others publish for this seed.
    #[test]
    fn it_is_splitmix64() {
        let mut chance = Chance(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| chance.next()), expected);
    }

    #[test]
    fn so_many_of_a_hundred_are_true() {
        let of_ten_thousand = |percent: u64| {
            let mut chance = Chance::of(3, 4);
            (0..10_000).filter(|_| chance.percent(percent)).count()
        };
        assert_eq!((of_ten_thousand(0), of_ten_thousand(100)), (0, 10_000));
        assert!((2_700..3_300).contains(&of_ten_thousand(30)));
    }

    #[test]
    fn numbers_stay_below_their_bound_and_are_spread() {
        let mut chance = Chance::of(1, 2);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            let at = usize::try_from(chance.below(10)).unwrap();
            counts[at] += 1;
        }
        assert!(counts.iter().all(|n| (800..1200).contains(n)), "{counts:?}");
        assert_eq!(chance.below(0), 0);
        assert_ne!(
            Chance::of(1, 2).below(1 << 40),
            Chance::of(1, 3).below(1 << 40)
        );
        assert_ne!(
            Chance::of(1, 2).below(1 << 40),
            Chance::of(2, 2).below(1 << 40)
        );
    }
}
