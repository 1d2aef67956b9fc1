//! Columns of each table of the health world, by their uses in a query.

/// The columns of one table, by kind.
#[derive(Debug, PartialEq)]
pub struct Vocabulary {
    /// Dimensions that are text, with values to compare them to.
    pub texts: &'static [(&'static str, &'static [&'static str])],
    /// Dimensions that are true or false.
    pub flags: &'static [&'static str],
    /// Dimensions that are days.
    pub days: &'static [&'static str],
    /// Dimensions that are moments.
    pub moments: &'static [&'static str],
    /// Dimensions that are whole numbers, with their range.
    pub numbers: &'static [(&'static str, i64, i64)],
    /// Measures, with their range.
    pub measures: &'static [(&'static str, i64, i64)],
    /// The privacy unit, if there is one.
    pub unit: Option<&'static str>,
}

const SPECIALTIES: &[&str] = &["cardiology", "orthopaedics", "paediatrics", "emergency", "psychiatry", "oncology"];
const DIAGNOSES: &[&str] = &["I10", "I25.1", "M54.5", "J06.9", "F32.0", "S52.5", "E11.9"];
const CITIES: &[&str] = &["CN-SZ", "HK", "MO"];
const FACILITIES: &[&str] = &["SZ-00", "SZ-03", "HK-01", "MO-02"];

/// `gba.health.visits`.
pub static VISITS: Vocabulary = Vocabulary {
    texts: &[("specialty", SPECIALTIES), ("diagnosis", DIAGNOSES), ("jurisdiction", CITIES), ("facility", FACILITIES)],
    flags: &["emergency"],
    days: &["visit_date"],
    moments: &["seen_at"],
    numbers: &[],
    measures: &[("cost", 0, 20_000), ("stay_days", 0, 30), ("pain", 0, 10)],
    unit: Some("patient"),
};

/// `gba.health.patients`.
pub static PATIENTS: Vocabulary = Vocabulary {
    texts: &[("sex", &["female", "male"]), ("district", &["福田", "沙田", "Taipa", "南山"]), ("jurisdiction", CITIES)],
    flags: &[],
    days: &[],
    moments: &[],
    numbers: &[("birth_year", 1930, 2015)],
    measures: &[("income", 10_000, 600_000), ("weight", 40, 260)],
    unit: Some("patient"),
};

/// `gba.health.screenings`.
pub static SCREENINGS: Vocabulary = Vocabulary {
    texts: &[("kind", &["glucose", "lipids", "blood-pressure"]), ("jurisdiction", CITIES)],
    flags: &["positive"],
    days: &[],
    moments: &[],
    numbers: &[],
    measures: &[("result", 0, 9)],
    unit: Some("patient"),
};

/// `shenzhen.health.visits`.
pub static SHENZHEN_VISITS: Vocabulary = Vocabulary {
    texts: &[("department", &["心内科", "骨科", "儿科", "急诊"]), ("icd10", DIAGNOSES), ("clinic", FACILITIES)],
    flags: &["urgent"],
    days: &["visit_day"],
    moments: &["seen_at"],
    numbers: &[],
    measures: &[("fee_cny", 0, 20_000), ("stay_days", 0, 30), ("pain", 0, 10)],
    unit: Some("resident_id"),
};

/// `hongkong.health.visits`.
pub static HONG_KONG_VISITS: Vocabulary = Vocabulary {
    texts: &[("specialty", &["CAR", "ORT", "PED"]), ("diagnosis", DIAGNOSES), ("hospital", &["HK-00", "HK-04"])],
    flags: &["emergency"],
    days: &["attended_on"],
    moments: &["seen_at"],
    numbers: &[],
    measures: &[("charge_hkd", 0, 20_000), ("los", 0, 30), ("pain_score", 0, 10)],
    unit: Some("hkid"),
};

/// `macau.health.visits`.
pub static MACAU_VISITS: Vocabulary = Vocabulary {
    texts: &[("servico", &["Cardiologia", "Pediatria", "Urgência"]), ("cid10", DIAGNOSES), ("unidade", &["MO-00"])],
    flags: &["urgente"],
    days: &["data"],
    moments: &["hora"],
    numbers: &[],
    measures: &[("custo_mop", 0, 20_000), ("dias", 0, 30), ("dor", 0, 10)],
    unit: Some("bir"),
};

/// `shenzhen.transit.trips`.
pub static TRIPS: Vocabulary = Vocabulary {
    texts: &[("line", &["1", "2", "4", "11"])],
    flags: &[],
    days: &["travelled_on"],
    moments: &[],
    numbers: &[],
    measures: &[("minutes", 5, 90), ("fare", 2, 15)],
    unit: Some("rider"),
};

/// `shenzhen.health.people`.
pub static PEOPLE: Vocabulary = Vocabulary {
    texts: &[("sex", &["女", "男"]), ("district", &["福田", "南山", "盐田"])],
    flags: &[],
    days: &[],
    moments: &[],
    numbers: &[("birth_year", 1930, 2015)],
    measures: &[("income_cny", 20_000, 600_000), ("kilograms", 40, 121)],
    unit: Some("resident_id"),
};

/// `gba.reference.specialties`, public.
pub static CODES: Vocabulary = Vocabulary {
    texts: &[("specialty", SPECIALTIES), ("family", &["medicine", "surgery", "acute"]), ("title", &["Heart", "Mind"])],
    flags: &[],
    days: &[],
    moments: &[],
    numbers: &[],
    measures: &[],
    unit: None,
};

/// `gba.health.facilities`, public.
pub static PLACES: Vocabulary = Vocabulary {
    texts: &[
        ("facility", FACILITIES),
        ("kind", &["general", "clinic", "specialist"]),
        ("title", &["SZ Hospital No. 1"]),
        ("jurisdiction", CITIES),
    ],
    flags: &[],
    days: &["opened"],
    moments: &[],
    numbers: &[("beds", 20, 900)],
    measures: &[],
    unit: None,
};

/// `gba.air.hourly`, public.
pub static AIR: Vocabulary = Vocabulary {
    texts: &[("station", &["shenzhen-north", "hongkong-south", "macau-north"]), ("jurisdiction", CITIES)],
    flags: &[],
    days: &[],
    moments: &["measured_at"],
    numbers: &[],
    measures: &[("pm25", 0, 80), ("no2", 0, 120)],
    unit: None,
};

/// `hongkong.finance.rates`, public.
pub static RATES: Vocabulary = Vocabulary {
    texts: &[("currency", &["HKD", "MOP"])],
    flags: &[],
    days: &["valid_from"],
    moments: &[],
    numbers: &[],
    measures: &[("rate", 0, 1)],
    unit: None,
};

/// A FROM clause, with the tables in it by alias.
#[derive(Debug, PartialEq)]
pub struct From {
    /// Its text.
    pub text: &'static str,
    /// Its tables.
    pub tables: &'static [(&'static str, &'static Vocabulary)],
    /// Conditions on membership elsewhere that fit it.
    pub members: &'static [&'static str],
}

const AMONG_VISITS: &[&str] = &[
    "v.patient IN (SELECT patient FROM gba.health.screenings WHERE positive)",
    "EXISTS (SELECT 1 FROM gba.health.patients q WHERE q.patient = v.patient AND q.sex = 'female')",
    "NOT EXISTS (SELECT 1 FROM gba.health.screenings q WHERE q.patient = v.patient AND q.kind = 'lipids')",
    "v.facility IN (SELECT facility FROM gba.health.facilities WHERE kind = 'clinic')",
    "v.specialty IN (SELECT specialty FROM gba.reference.specialties WHERE family = 'medicine')",
    "v.specialty NOT IN (SELECT specialty FROM gba.reference.specialties WHERE family = 'medicine')",
    "(v.emergency OR v.patient IN (SELECT patient FROM gba.health.screenings WHERE positive))",
    "(v.emergency OR v.specialty IN (SELECT specialty FROM gba.reference.specialties WHERE family = 'surgery'))",
    "(NOT v.emergency OR v.facility IN (SELECT facility FROM gba.health.facilities WHERE kind = 'clinic'))",
    "(v.emergency OR NOT EXISTS (SELECT 1 FROM gba.health.screenings q WHERE q.patient = v.patient))",
];

/// Over people.
pub static STATISTICS: &[From] = &[
    From { text: "gba.health.visits v", tables: &[("v", &VISITS)], members: AMONG_VISITS },
    From {
        text: "gba.health.patients p",
        tables: &[("p", &PATIENTS)],
        members: &["EXISTS (SELECT 1 FROM gba.health.visits q WHERE q.patient = p.patient AND q.emergency)"],
    },
    From { text: "gba.health.screenings s", tables: &[("s", &SCREENINGS)], members: &[] },
    From {
        text: "shenzhen.health.visits v",
        tables: &[("v", &SHENZHEN_VISITS)],
        members: &["v.resident_id IN (SELECT resident_id FROM shenzhen.health.people WHERE sex = '女')"],
    },
    From { text: "hongkong.health.visits v", tables: &[("v", &HONG_KONG_VISITS)], members: &[] },
    From { text: "macau.health.visits v", tables: &[("v", &MACAU_VISITS)], members: &[] },
    From { text: "shenzhen.transit.trips t", tables: &[("t", &TRIPS)], members: &[] },
    From {
        text: "gba.health.visits v JOIN gba.health.patients p ON v.patient = p.patient",
        tables: &[("v", &VISITS), ("p", &PATIENTS)],
        members: AMONG_VISITS,
    },
    From {
        text: "gba.health.visits v LEFT JOIN gba.health.patients p ON v.jurisdiction = p.jurisdiction AND v.patient = p.patient",
        tables: &[("v", &VISITS), ("p", &PATIENTS)],
        members: &[],
    },
    From {
        text: "gba.health.patients p LEFT JOIN gba.health.screenings s ON p.patient = s.patient",
        tables: &[("p", &PATIENTS), ("s", &SCREENINGS)],
        members: &[],
    },
    From {
        text: "gba.health.visits v JOIN gba.reference.specialties c ON v.specialty = c.specialty",
        tables: &[("v", &VISITS), ("c", &CODES)],
        members: &[],
    },
    From {
        text: "gba.health.visits v JOIN gba.health.facilities f ON v.facility = f.facility",
        tables: &[("v", &VISITS), ("f", &PLACES)],
        members: &[],
    },
    From {
        text: "shenzhen.transit.trips t JOIN shenzhen.health.people p ON t.rider = p.resident_id",
        tables: &[("t", &TRIPS), ("p", &PEOPLE)],
        members: &[],
    },
    From {
        text: "gba.health.visits v JOIN gba.health.patients p ON v.patient = p.patient JOIN gba.health.screenings s ON s.patient = p.patient",
        tables: &[("v", &VISITS), ("p", &PATIENTS), ("s", &SCREENINGS)],
        members: &[],
    },
];

/// Over public tables.
pub static PUBLIC: &[From] = &[
    From {
        text: "gba.health.facilities f",
        tables: &[("f", &PLACES)],
        members: &["f.beds > (SELECT avg(beds) FROM gba.health.facilities)"],
    },
    From {
        text: "gba.air.hourly a",
        tables: &[("a", &AIR)],
        members: &["a.measured_at IN (SELECT max(measured_at) FROM gba.air.hourly GROUP BY station)"],
    },
    From { text: "gba.reference.specialties c", tables: &[("c", &CODES)], members: &[] },
    From { text: "hongkong.finance.rates r", tables: &[("r", &RATES)], members: &[] },
    From {
        text: "gba.health.facilities f JOIN gba.health.facilities g ON f.kind = g.kind AND f.jurisdiction <> g.jurisdiction",
        tables: &[("f", &PLACES), ("g", &PLACES)],
        members: &[],
    },
    From {
        text: "gba.air.hourly a JOIN gba.air.hourly b ON a.measured_at = b.measured_at AND a.station < b.station",
        tables: &[("a", &AIR), ("b", &AIR)],
        members: &[],
    },
];
