//! Values planted in each jurisdiction's raw rows. Where one of them is seen outside its jurisdiction, a raw value leaked.
//!
//! One person in each jurisdiction carries them. An attacker is assumed to know two things about that person, which
//! nobody else shares: the year of birth and one diagnosis. All the rest is secret, and unlike anything an aggregate
//! over others would give.

/// The year in which each planted person was born, and nobody else. The attacker knows it.
pub const KNOWN_BIRTH_YEAR: i32 = 1899;

/// A diagnosis that each planted person has, and nobody else. The attacker knows it.
pub const KNOWN_DIAGNOSIS: &str = "Q99.9";

/// Planted person of one jurisdiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planted {
    /// Its number: Shenzhen 0, Hong Kong 1, Macau 2.
    pub city: usize,
}

impl Planted {
    /// The person's identifier.
    #[must_use]
    pub fn patient(self) -> &'static str {
        ["CANARY-SZ-60317", "CANARY-HK-60318", "CANARY-MO-60319"][self.city]
    }

    /// District of the person: a dimension that nobody else shares.
    #[must_use]
    pub fn district(self) -> &'static str {
        ["金丝雀村", "金絲雀灣", "Rua do Canário"][self.city]
    }

    /// The person's income, in hundredths of the local currency.
    #[must_use]
    pub fn income(self) -> i64 {
        [8_192_637_411, 8_273_645_523, 8_354_719_631][self.city]
    }

    /// The person's weight, in the local unit.
    #[must_use]
    pub fn weight(self) -> f64 {
        [61.803_398_874_1, 173.205_080_756_8, 57.721_566_490_1][self.city]
    }

    /// Cost of the visit in hundredths of the local currency.
    #[must_use]
    pub fn cost(self) -> i64 {
        [7_719_283_641, 7_628_193_547, 7_537_284_659][self.city]
    }

    /// The length of the stay, in days.
    #[must_use]
    pub fn stay_days(self) -> i32 {
        [1_593_487_261, 1_694_598_373, 1_795_619_489][self.city]
    }

    /// The pain that was measured, on a scale.
    #[must_use]
    pub fn pain(self) -> f64 {
        [3.141_592_651_7, 2.718_281_829_9, 1.414_213_563_3][self.city]
    }

    /// Time of the visit in microseconds since 1970.
    #[must_use]
    pub fn seen_at(self) -> i64 {
        // Moments of 2 March 2019 with odd microseconds.
        [1_551_495_723_271_829, 1_551_496_834_314_159, 1_551_497_945_141_421][self.city]
    }

    /// Note about the person. Sealed.
    #[must_use]
    pub fn note(self) -> &'static str {
        ["note-of-canary-sz-x81", "note-of-canary-hk-x82", "note-of-canary-mo-x83"][self.city]
    }

    /// A screening's outcome.
    #[must_use]
    pub fn screening(self) -> f64 {
        [0.577_215_664_3, 0.693_147_180_7, 0.915_965_594_9][self.city]
    }
}

/// Everything planted in the three jurisdictions, as values to look for.
#[derive(Debug, Clone)]
pub struct Canaries {
    /// Texts.
    pub texts: Vec<String>,
    /// Floats, raw and as the mapping makes them.
    pub floats: Vec<f64>,
    /// Decimals as unscaled integers, with two digits after the point, raw and as the mapping makes them.
    pub hundredths: Vec<i128>,
    /// Whole numbers, as well as moments in microseconds.
    pub integers: Vec<i64>,
}

impl Canaries {
    /// Returns the values that [`raw_tables`](super::raw_tables) plants.
    #[must_use]
    pub fn planted() -> Self {
        let mut all = Self { texts: vec![], floats: vec![], hundredths: vec![], integers: vec![] };
        for city in 0..3 {
            let planted = Planted { city };
            all.texts.extend([planted.patient(), planted.district(), planted.note()].map(String::from));
            all.floats.extend([planted.weight(), planted.pain(), planted.screening()]);
            for local in [planted.income(), planted.cost()] {
                all.hundredths.push(i128::from(local));
                // The cost in CNY, by the mapping's rate.
                let rate = [10_000, 9_000, 8_500][city];
                all.hundredths.push(i128::from((local * rate + 5_000) / 10_000));
            }
            all.integers.extend([planted.seen_at(), i64::from(planted.stay_days())]);
        }
        // Pounds in Hong Kong, as the mapping turns them into kilograms.
        all.floats.push(Planted { city: 1 }.weight() * 0.453_592_37);
        all
    }
}
