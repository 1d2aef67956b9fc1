//! Code lists: specialties and diagnoses in the codes of three systems, and the chapters that they have in common.

/// A specialty: the federation's code, each city's own, and its names.
#[derive(Debug, Clone, Copy)]
pub struct Specialty {
    /// The code that the common tables use.
    pub code: &'static str,
    /// Shenzhen: the mainland's list of medical subjects (诊疗科目名录).
    pub shenzhen: &'static str,
    /// Hong Kong.
    pub hong_kong: &'static str,
    /// Macau.
    pub macau: &'static str,
    /// In English.
    pub english: &'static str,
    /// In simplified Chinese.
    pub simplified: &'static str,
    /// In traditional Chinese.
    pub traditional: &'static str,
    /// In Portuguese.
    pub portuguese: &'static str,
    /// How often, in parts of the whole, before a city's peculiarities.
    pub weight: u32,
    /// What a visit costs, in hundredths of a yuan, at the least.
    pub base_cost: u32,
    /// What it is visited for.
    pub diagnoses: &'static [Diagnosis],
}

/// A diagnosis in both classifications; both codes lie in the same chapter.
#[derive(Debug, Clone, Copy)]
pub struct Diagnosis {
    /// ICD-10, as Shenzhen and Macau code.
    pub icd10: &'static str,
    /// ICD-9-CM, as Hong Kong codes.
    pub icd9: &'static str,
}

const fn d(icd10: &'static str, icd9: &'static str) -> Diagnosis {
    Diagnosis { icd10, icd9 }
}

macro_rules! specialties {
    ($($code:literal $sz:literal $hk:literal $mo:literal $weight:literal $cost:literal
       $en:literal $hans:literal $hant:literal $pt:literal [$($icd10:literal $icd9:literal),*];)*) => {
        /// Every specialty.
        pub const SPECIALTIES: &[Specialty] = &[$(Specialty {
            code: $code, shenzhen: $sz, hong_kong: $hk, macau: $mo, english: $en, simplified: $hans, traditional: $hant,
            portuguese: $pt, weight: $weight, base_cost: $cost, diagnoses: &[$(d($icd10, $icd9)),*],
        }),*];
    };
}

specialties! {
    "internal" "03" "MED" "MI" 160 9000 "Internal medicine" "内科" "內科" "Medicina interna"
        ["J18.9" "486", "I10" "401.9", "E11.9" "250.00", "K29.7" "535.50", "J06.9" "465.9", "D50.9" "280.9", "R50.9" "780.60", "Z00.0" "V70.0"];
    "surgery" "04" "SUR" "CG" 90 28000 "General surgery" "外科" "外科" "Cirurgia geral"
        ["K35.8" "540.9", "K40.9" "550.90", "K80.2" "574.20", "N20.0" "592.0", "L02.9" "682.9"];
    "paediatrics" "07" "PAE" "PED" 130 7000 "Paediatrics" "儿科" "兒科" "Pediatria"
        ["J06.9" "465.9", "J20.9" "466.0", "A09" "009.1", "J45.9" "493.90", "B08.4" "074.3", "L20.9" "691.8"];
    "obstetrics" "05" "O&G" "GO" 95 16000 "Obstetrics and gynaecology" "妇产科" "婦產科" "Ginecologia e obstetrícia"
        ["O80" "650", "O14.9" "642.40", "N92.0" "626.2", "Z34.9" "V22.1"];
    "cardiology" "03.04" "CAR" "CAR" 70 21000 "Cardiology" "心血管内科" "心臟科" "Cardiologia"
        ["I25.1" "414.01", "I48" "427.31", "I50.9" "428.0", "I21.9" "410.90"];
    "orthopaedics" "04.03" "ORT" "ORT" 75 24000 "Orthopaedics" "骨科" "骨科" "Ortopedia"
        ["M54.5" "724.2", "M17.9" "715.96", "S52.5" "813.41", "S72.0" "820.8"];
    "ophthalmology" "10" "OPH" "OFT" 50 12000 "Ophthalmology" "眼科" "眼科" "Oftalmologia"
        ["H25.9" "366.10", "H40.9" "365.9", "H52.1" "367.1"];
    "ent" "11" "ENT" "ORL" 50 10000 "Ear, nose and throat" "耳鼻咽喉科" "耳鼻喉科" "Otorrinolaringologia"
        ["H66.9" "382.9", "J30.4" "477.9", "J32.9" "473.9", "H91.9" "389.9"];
    "dermatology" "13" "DER" "DER" 60 8000 "Dermatology" "皮肤科" "皮膚科" "Dermatologia"
        ["L30.9" "692.9", "L40.0" "696.1", "L50.9" "708.9", "B02.9" "053.9"];
    "psychiatry" "15" "PSY" "PSI" 30 15000 "Psychiatry" "精神科" "精神科" "Psiquiatria"
        ["F32.9" "296.20", "F41.1" "300.02", "F20.9" "295.90"];
    "oncology" "19" "ONC" "ONC" 40 62000 "Oncology" "肿瘤科" "腫瘤科" "Oncologia"
        ["C34.9" "162.9", "C50.9" "174.9", "C18.9" "153.9", "D24" "217"];
    "nephrology" "03.06" "REN" "NEF" 30 38000 "Nephrology" "肾病学" "腎科" "Nefrologia"
        ["N18.9" "585.9", "N04.9" "581.9", "E11.2" "250.40"];
    "neurology" "03.03" "NEU" "NEU" 40 22000 "Neurology" "神经内科" "神經內科" "Neurologia"
        ["G40.9" "345.90", "G43.9" "346.90", "G20" "332.0", "I63.9" "434.91"];
    "emergency" "20" "A&E" "URG" 100 18000 "Emergency" "急诊医学科" "急症室" "Urgência"
        ["S06.0" "850.9", "T78.2" "995.0", "R07.4" "786.50", "J18.9" "486", "R10.4" "789.00"];
    "rehabilitation" "21" "REH" "MFR" 25 13000 "Rehabilitation" "康复医学科" "復康科" "Medicina física e de reabilitação"
        ["M54.5" "724.2", "I69.3" "438.9", "G81.9" "342.90"];
    "dentistry" "12" "DEN" "EST" 60 14000 "Dentistry" "口腔科" "牙科" "Estomatologia"
        ["K02.9" "521.00", "K05.1" "523.10"];
    "rheumatology" "03.08" "RHE" "REU" 12 19000 "Rheumatology" "风湿免疫科" "風濕科" "Reumatologia"
        ["M06.9" "714.0", "M32.9" "710.0", "M45" "720.0"];
    "infectious" "16" "INF" "INF" 25 17000 "Infectious diseases" "传染科" "傳染病科" "Infecciologia"
        ["B18.1" "070.32", "A15.0" "011.90", "B20" "042", "A90" "061"];
    "geriatrics" "03.10" "GER" "GER" 30 16000 "Geriatrics" "老年病科" "老人科" "Geriatria"
        ["I10" "401.9", "F03" "290.0", "J44.9" "496", "M81.9" "733.00"];
    "nuclear_medicine" "32.04" "NUM" "MNU" 6 75000 "Nuclear medicine" "核医学科" "核子醫學科" "Medicina nuclear"
        ["E05.9" "242.90", "C73" "193"];
}

/// The diagnoses of chapter XVII, which only a few planted persons have.
pub const RARE_DIAGNOSES: &[Diagnosis] = &[d("Q21.1", "745.5"), d("Q90.9", "758.0")];

/// Where specialties that some rule of the generator names stand in [`SPECIALTIES`].
pub mod at {
    /// Internal medicine: for whoever fits no other.
    pub const INTERNAL: u8 = 0;
    /// Paediatrics: below 15.
    pub const PAEDIATRICS: u8 = 2;
    /// Obstetrics and gynaecology.
    pub const OBSTETRICS: u8 = 3;
    /// Emergency.
    pub const EMERGENCY: u8 = 13;
    /// Rheumatology: a planted small cell in Macau.
    pub const RHEUMATOLOGY: u8 = 16;
    /// Geriatrics: 65 and above.
    pub const GERIATRICS: u8 = 18;
    /// Nuclear medicine: a planted small cell in Macau.
    pub const NUCLEAR_MEDICINE: u8 = 19;
}

/// A chapter of ICD-10: its number, first and last code, and names in English, simplified, traditional, Portuguese.
pub type Chapter = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

/// The chapters of ICD-10.
pub const CHAPTERS: &[Chapter] = &[
    (
        "I",
        "A00",
        "B99",
        "Infectious and parasitic diseases",
        "传染病和寄生虫病",
        "傳染病和寄生蟲病",
        "Doenças infecciosas e parasitárias",
    ),
    ("II", "C00", "D48", "Neoplasms", "肿瘤", "腫瘤", "Neoplasias"),
    (
        "III",
        "D50",
        "D89",
        "Blood and immune disorders",
        "血液及免疫疾病",
        "血液及免疫疾病",
        "Doenças do sangue e da imunidade",
    ),
    (
        "IV",
        "E00",
        "E90",
        "Endocrine and metabolic diseases",
        "内分泌和代谢疾病",
        "內分泌和代謝疾病",
        "Doenças endócrinas e metabólicas",
    ),
    ("V", "F00", "F99", "Mental disorders", "精神障碍", "精神障礙", "Transtornos mentais"),
    ("VI", "G00", "G99", "Nervous system", "神经系统疾病", "神經系統疾病", "Doenças do sistema nervoso"),
    ("VII", "H00", "H59", "Eye", "眼疾病", "眼疾病", "Doenças do olho"),
    ("VIII", "H60", "H95", "Ear", "耳疾病", "耳疾病", "Doenças do ouvido"),
    ("IX", "I00", "I99", "Circulatory system", "循环系统疾病", "循環系統疾病", "Doenças do aparelho circulatório"),
    ("X", "J00", "J99", "Respiratory system", "呼吸系统疾病", "呼吸系統疾病", "Doenças do aparelho respiratório"),
    ("XI", "K00", "K93", "Digestive system", "消化系统疾病", "消化系統疾病", "Doenças do aparelho digestivo"),
    ("XII", "L00", "L99", "Skin", "皮肤疾病", "皮膚疾病", "Doenças da pele"),
    ("XIII", "M00", "M99", "Musculoskeletal system", "肌肉骨骼系统疾病", "肌肉骨骼系統疾病", "Doenças osteomusculares"),
    (
        "XIV",
        "N00",
        "N99",
        "Genitourinary system",
        "泌尿生殖系统疾病",
        "泌尿生殖系統疾病",
        "Doenças do aparelho geniturinário",
    ),
    ("XV", "O00", "O99", "Pregnancy and childbirth", "妊娠和分娩", "妊娠和分娩", "Gravidez e parto"),
    ("XVI", "P00", "P96", "Perinatal conditions", "围生期疾病", "圍產期疾病", "Afeções perinatais"),
    ("XVII", "Q00", "Q99", "Congenital malformations", "先天性畸形", "先天性畸形", "Malformações congénitas"),
    ("XVIII", "R00", "R99", "Symptoms and signs", "症状和体征", "症狀和體徵", "Sintomas e sinais"),
    ("XIX", "S00", "T98", "Injury and poisoning", "损伤和中毒", "損傷和中毒", "Lesões e envenenamentos"),
    ("XX", "V01", "Y98", "External causes", "外因", "外因", "Causas externas"),
    (
        "XXI",
        "Z00",
        "Z99",
        "Contact with health services",
        "与保健机构接触",
        "與保健機構接觸",
        "Contactos com os serviços de saúde",
    ),
    ("XXII", "U00", "U99", "Codes for special purposes", "特殊目的编码", "特殊目的編碼", "Códigos para fins especiais"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The chapter of an ICD-10 code.
    fn chapter10(code: &str) -> Option<&'static str> {
        CHAPTERS.iter().find(|c| c.1 <= &code[..3] && &code[..3] <= c.2).map(|c| c.0)
    }

    /// The chapter in which ICD-10 has what a range of ICD-9-CM holds; the manifest's expression says the same.
    fn chapter9(code: &str) -> &'static str {
        let ends = [
            ("140", "I"),
            ("240", "II"),
            ("280", "IV"),
            ("290", "III"),
            ("320", "V"),
            ("360", "VI"),
            ("380", "VII"),
            ("390", "VIII"),
            ("460", "IX"),
            ("520", "X"),
            ("580", "XI"),
            ("630", "XIV"),
            ("680", "XV"),
            ("710", "XII"),
            ("740", "XIII"),
            ("760", "XVII"),
            ("780", "XVI"),
            ("800", "XVIII"),
            ("A", "XIX"),
            ("F", "XX"),
        ];
        ends.iter().find(|(end, _)| code < *end).map_or("XXI", |(_, chapter)| chapter)
    }

    #[test]
    fn both_codes_of_a_diagnosis_lie_in_one_chapter() {
        for diagnosis in SPECIALTIES.iter().flat_map(|s| s.diagnoses).chain(RARE_DIAGNOSES) {
            assert_eq!(chapter10(diagnosis.icd10), Some(chapter9(diagnosis.icd9)), "{diagnosis:?}");
        }
        for diagnosis in RARE_DIAGNOSES {
            assert_eq!(chapter10(diagnosis.icd10), Some("XVII"));
        }
        let common = |d: &Diagnosis| chapter10(d.icd10) != Some("XVII");
        assert!(SPECIALTIES.iter().flat_map(|s| s.diagnoses).all(common));
    }

    #[test]
    fn named_specialties_stand_where_they_are_said_to() {
        for (place, code) in [
            (at::INTERNAL, "internal"),
            (at::PAEDIATRICS, "paediatrics"),
            (at::OBSTETRICS, "obstetrics"),
            (at::EMERGENCY, "emergency"),
            (at::RHEUMATOLOGY, "rheumatology"),
            (at::GERIATRICS, "geriatrics"),
            (at::NUCLEAR_MEDICINE, "nuclear_medicine"),
        ] {
            assert_eq!(SPECIALTIES[usize::from(place)].code, code);
        }
    }
}
