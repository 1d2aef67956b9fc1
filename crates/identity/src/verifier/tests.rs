use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, encode};
use serde::Serialize;
use serde_json::{Map, Value, json};
use wanqu_model::audience::gateway_audience;
use wanqu_model::bundle::{BundleFormat, Limits, Member};

use super::*;
use crate::TokenIssuer;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "wanqu:gba.example/HK";

fn claims(change: impl FnOnce(&mut Map<String, Value>)) -> Value {
    let now = Timestamp::now().as_second();
    let mut claims = json!({
        "iss": ISSUER, "sub": "wei", "aud": AUDIENCE, "nbf": now - 1, "exp": now + 600,
    });
    change(claims.as_object_mut().unwrap());
    claims
}

fn signed(issuer: &TokenIssuer, claims: &Value) -> String {
    issuer.sign_as(&Header::new(Algorithm::EdDSA), claims)
}

fn with_header(token: &str, header: &str) -> String {
    let rest = token.split_once('.').unwrap().1;
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

/// An issuer, and the verifier of a gateway that accepts it alone.
fn house() -> (TokenIssuer, TokenVerifier) {
    let issuer = TokenIssuer::new(ISSUER).unwrap();
    let verifier = TokenVerifier::new(&[issuer.as_issuer(AUDIENCE)]).unwrap();
    (issuer, verifier)
}

/// The bundle of Hong Kong, which has these issuers; and so has Macau.
fn bundle(own: Vec<Issuer>, of_macau: Vec<Issuer>) -> NodeBundle {
    let member = |id: &str, name: &str, issuers| Member {
        jurisdiction: id.parse().unwrap(),
        sql_name: name.parse().unwrap(),
        display_name: name.to_owned(),
        endpoint: None,
        ca: None,
        issuers,
    };
    NodeBundle {
        federation: "gba".parse().unwrap(),
        trust_domain: "gba.example".to_owned(),
        jurisdiction: "HK".parse().unwrap(),
        members: vec![member("HK", "hongkong", own), member("MO", "macau", of_macau)],
        slices: vec![],
        common_tables: vec![],
        sources: vec![],
        agreements: vec![],
        projects: vec![],
        limits: Limits::default(),
        format: BundleFormat::default(),
    }
}

#[test]
fn a_token_names_its_bearer() {
    let (issuer, verifier) = house();
    let token = issuer.issue("wei", AUDIENCE, Timestamp::now(), Duration::from_mins(1)).unwrap();
    let subject = Subject { issuer: ISSUER.into(), subject: "wei".into() };
    assert_eq!(verifier.verify(&token, Timestamp::now()), Ok(Bearer { subject, single_use: None }));
    for aud in [json!([AUDIENCE]), json!(["account", AUDIENCE])] {
        let token = signed(&issuer, &claims(|c| drop(c.insert("aud".into(), aud.clone()))));
        assert!(verifier.verify(&token, Timestamp::now()).is_ok(), "{aud}");
    }
}

#[test]
fn claims_that_are_missing_or_wrong_are_refused() {
    let (issuer, verifier) = house();
    let now = Timestamp::now().as_second();
    let verify = |claims: &Value| verifier.verify(&signed(&issuer, claims), Timestamp::now());
    assert!(verify(&claims(|_| {})).is_ok(), "the untouched claims hold");
    for required in ["iss", "sub", "aud", "exp", "nbf"] {
        assert_eq!(verify(&claims(|c| drop(c.remove(required)))), Err(TokenFault::Claims), "without {required}");
    }
    let cases: [(&str, Value, TokenFault); 9] = [
        ("iss", "https://other.example".into(), TokenFault::Unknown),
        ("iss", vec![ISSUER, "https://other.example"].into(), TokenFault::Claims),
        ("aud", json!([AUDIENCE, 7]), TokenFault::Claims),
        ("aud", 7.into(), TokenFault::Claims),
        ("exp", (now - 120).into(), TokenFault::Expired),
        ("exp", "tomorrow".into(), TokenFault::Claims),
        ("nbf", (now + 120).into(), TokenFault::NotYet),
        ("iat", (now + 120).into(), TokenFault::NotYet),
        ("sub", "".into(), TokenFault::Bearer),
    ];
    for (claim, value, fault) in cases {
        assert_eq!(verify(&claims(|c| drop(c.insert(claim.into(), value.clone())))), Err(fault), "{claim} = {value}");
    }
    /// Claims in which there are two bearers.
    #[expect(clippy::items_after_statements, reason = "it is of this case alone")]
    #[derive(Serialize)]
    struct Twice {
        sub: &'static str,
        #[serde(flatten)]
        claims: Value,
    }
    let twice = issuer.sign_as(&Header::new(Algorithm::EdDSA), &Twice { sub: "mei", claims: claims(|_| {}) });
    let refused = verifier.verify(&twice, Timestamp::now());
    assert!(matches!(refused, Err(TokenFault::Claims | TokenFault::Unknown)), "{refused:?}");
}

#[test]
fn a_token_for_another_gateway_is_refused_and_says_for_which() {
    let (issuer, verifier) = house();
    let verify = |aud: Value| {
        let token = signed(&issuer, &claims(|c| drop(c.insert("aud".into(), aud))));
        verifier.verify(&token, Timestamp::now()).unwrap_err()
    };
    let macau = verify("wanqu:gba.example/MO".into());
    assert_eq!(
        macau.to_string(),
        "the token is for wanqu:gba.example/MO; this gateway takes tokens for wanqu:gba.example/HK"
    );
    assert_eq!(macau.remedy(), "ask the issuer for a token with the audience wanqu:gba.example/HK");
    for aud in [json!("gba.example"), json!([]), json!(""), json!("WANQU:gba.example/HK"), json!(["a", "b"])] {
        assert!(matches!(verify(aud.clone()), TokenFault::Audience { .. }), "{aud}");
    }
    // A gateway of the two that is shown such a token could show it to the other.
    let both = verify(json!([AUDIENCE, "wanqu:gba.example/MO"]));
    assert!(matches!(both, TokenFault::Several { .. }), "{both}");
    assert_eq!(both.remedy(), "ask the issuer for a token with the audience wanqu:gba.example/HK alone");
    let loud = verify(format!("\u{1b}[2J{}", "x".repeat(7000)).into()).to_string();
    assert!(loud.len() < 400 && !loud.contains('\u{1b}'), "{loud}");
}

#[test]
fn an_audience_that_another_gateway_takes_too_is_good_at_none() {
    let (issuer, other) = (TokenIssuer::new(ISSUER).unwrap(), TokenIssuer::new("https://other.example").unwrap());
    let verified = |own: &str, of_macau: Issuer, aud: Value| {
        let verifier = TokenVerifier::from_bundle(&bundle(vec![issuer.as_issuer(own)], vec![of_macau])).unwrap();
        verifier.verify(&signed(&issuer, &claims(|c| drop(c.insert("aud".into(), aud)))), Timestamp::now())
    };
    // Operators that knew no audiences of jurisdictions made such bundles.
    let shared = verified("gba.example", issuer.as_issuer("gba.example"), "gba.example".into()).unwrap_err();
    assert!(matches!(shared, TokenFault::Shared { .. }), "{shared}");
    assert!(
        shared.remedy().contains("leave out the audience of the issuer https://issuer.example"),
        "{}",
        shared.remedy()
    );
    assert!(verified("gba.example", other.as_issuer("gba.example"), "gba.example".into()).is_ok(), "another issuer's");
    // Audiences that an issuer has to choose itself.
    let hk_and_mo = verified("hk-client", issuer.as_issuer("mo-client"), json!(["hk-client", "mo-client"]));
    assert!(matches!(hk_and_mo, Err(TokenFault::Several { .. })), "{hk_and_mo:?}");
    assert!(verified("hk-client", issuer.as_issuer("mo-client"), json!(["hk-client", "account"])).is_ok());
}

#[test]
fn another_bundle_replaces_issuers_and_audiences() {
    let (issuer, verifier) = house();
    let token = |aud: &str| issuer.issue("wei", aud, Timestamp::now(), Duration::from_mins(1)).unwrap();
    let next = gateway_audience("other.example", &"HK".parse().unwrap());
    verifier.replace(&bundle(vec![issuer.as_issuer(&next)], vec![])).unwrap();
    assert!(verifier.verify(&token(&next), Timestamp::now()).is_ok());
    assert!(verifier.verify(&token(AUDIENCE), Timestamp::now()).is_err());
    let broken = Issuer { public_keys: vec!["no key".to_owned()], ..issuer.as_issuer(AUDIENCE) };
    assert!(verifier.replace(&bundle(vec![broken], vec![])).is_err());
    assert!(verifier.verify(&token(&next), Timestamp::now()).is_ok(), "those of before stay");
}

#[test]
fn only_access_tokens_are_taken() {
    let (issuer, verifier) = house();
    let verify = |typ: Option<&str>| {
        let header = Header { typ: typ.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
        verifier.verify(&issuer.sign_as(&header, &claims(|_| {})), Timestamp::now())
    };
    for typ in [None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("AT+JWT"), Some("application/at+jwt")] {
        assert!(verify(typ).is_ok(), "{typ:?}");
    }
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "", "at+jwt ", "application/application/jwt"] {
        assert_eq!(verify(Some(typ)), Err(TokenFault::Type(typ.to_owned())));
    }
}

#[test]
fn a_token_that_lives_for_too_long_is_refused() {
    let now = Timestamp::now();
    let (issuer, verifier) = house();
    let token = |lifetime| issuer.issue("wei", AUDIENCE, now, lifetime).unwrap();
    assert!(verifier.verify(&token(Duration::from_hours(24)), now).is_ok());
    let fault = verifier.verify(&token(Duration::from_hours(24) + Duration::from_secs(1)), now).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the token is valid for 86401 s; tokens of https://issuer.example live for at most 86400 s here"
    );
    assert!(fault.remedy().contains("maxLifeSeconds"), "{}", fault.remedy());
    // Its age counts from iat, if it says when it was issued; else all that is known is how long it has left.
    let seconds = now.as_second();
    let lives = |iat: Option<i64>, exp: i64| {
        let token = signed(
            &issuer,
            &claims(|c| {
                c.insert("nbf".into(), (seconds - 90_000).into());
                c.insert("exp".into(), exp.into());
                c.extend(iat.map(|iat| ("iat".into(), iat.into())));
            }),
        );
        verifier.verify(&token, now)
    };
    assert!(matches!(lives(Some(seconds - 86_000), seconds + 1000), Err(TokenFault::Life { .. })));
    assert!(lives(None, seconds + 1000).is_ok());
    assert!(matches!(lives(None, i64::MAX), Err(TokenFault::Life { .. })));
    assert!(matches!(lives(Some(i64::MIN), seconds + 1), Err(TokenFault::Life { .. })));
    let strict = Issuer { max_life_seconds: 60, ..issuer.as_issuer(AUDIENCE) };
    let verifier = TokenVerifier::new(&[strict]).unwrap();
    assert!(verifier.verify(&token(Duration::from_mins(1)), now).is_ok());
    assert!(verifier.verify(&token(Duration::from_secs(61)), now).is_err());
}

#[test]
fn a_token_for_one_result_is_good_once() {
    let (issuer, verifier) = house();
    let now = Timestamp::now();
    let token = || issuer.issue_for_result("wei", AUDIENCE, now, Duration::from_mins(5)).unwrap();
    let use_of = |token: &str| verifier.verify(token, now).unwrap().single_use.unwrap();
    let (first, second) = (token(), token());
    assert_ne!(use_of(&first), use_of(&second), "each has a name of its own");
    assert_eq!(verifier.spend(&use_of(&first), now), Ok(()));
    assert_eq!(verifier.clone().spend(&use_of(&first), now), Err(TokenFault::Spent));
    assert_eq!(verifier.spend(&use_of(&second), now), Ok(()));
    // A name is needed for that; and other words of other issuers mean nothing here.
    let with = |scope: &str, jti: Value| {
        let token = signed(
            &issuer,
            &claims(|c| {
                c.insert("scope".into(), scope.into());
                c.insert("jti".into(), jti);
            }),
        );
        verifier.verify(&token, now)
    };
    assert_eq!(with("wanqu:result", Value::Null), Err(TokenFault::Claims));
    assert_eq!(with("openid wanqu:result", "".into()), Err(TokenFault::Claims));
    assert_eq!(with("wanqu:result", "x".repeat(65).into()), Err(TokenFault::Claims));
    assert_eq!(with("openid profile", "one".into()).unwrap().single_use, None);
    assert!(with("openid\twanqu:result", "one".into()).unwrap().single_use.is_some());
    // A list of words narrows as much as a text does.
    let listed = signed(
        &issuer,
        &claims(|c| {
            c.insert("scope".into(), json!(["openid", "wanqu:result"]));
            c.insert("jti".into(), "two".into());
        }),
    );
    assert!(verifier.verify(&listed, now).unwrap().single_use.is_some());
}

#[test]
fn the_algorithm_is_never_the_tokens_choice() {
    let (issuer, verifier) = house();
    let good = signed(&issuer, &claims(|_| {}));
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{"alg":"HS256","typ":"JWT"}"#, "{}", "x"] {
        assert_eq!(
            verifier.verify(&with_header(&good, header), Timestamp::now()),
            Err(TokenFault::Unknown),
            "{header}"
        );
    }
    let unsigned = format!("{}.", with_header(&good, r#"{"alg":"none"}"#).rsplit_once('.').unwrap().0);
    assert!(verifier.verify(&unsigned, Timestamp::now()).is_err());
    // The public key as an HMAC secret: as PEM text and as raw bytes.
    let public = issuer.public_key_pem();
    for secret in [public.as_bytes(), &keys::ed25519_of_pem(&public).unwrap()] {
        let forged =
            encode(&Header::new(Algorithm::HS256), &claims(|_| {}), &EncodingKey::from_secret(secret)).unwrap();
        assert!(verifier.verify(&forged, Timestamp::now()).is_err());
    }
}

#[test]
fn nothing_in_a_header_leads_to_a_key_or_to_another_reading() {
    let (issuer, verifier) = house();
    let stranger = TokenIssuer::new(ISSUER).unwrap();
    let header = |change: Value| -> Header {
        let mut header = json!({"alg": "EdDSA", "typ": "JWT"});
        header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(header).unwrap()
    };
    let public = URL_SAFE_NO_PAD.encode(keys::ed25519_of_pem(&stranger.public_key_pem()).unwrap());
    let leads = [
        json!({"kid": "../../../../dev/null"}),
        json!({"kid": "' OR 1=1 --"}),
        json!({"kid": "x".repeat(4000)}),
        json!({"jku": "https://keys.example/jwks.json"}),
        json!({"x5u": "file:///etc/passwd"}),
        json!({"x5c": ["MIIB"]}),
        json!({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": public}}),
        json!({"cty": "JWT"}),
    ];
    for lead in leads {
        // Neither does it make a stranger's token good, nor a friend's bad.
        let forged = stranger.sign_as(&header(lead.clone()), &claims(|_| {}));
        assert_eq!(verifier.verify(&forged, Timestamp::now()), Err(TokenFault::Unknown), "{lead}");
        let honest = issuer.sign_as(&header(lead.clone()), &claims(|_| {}));
        assert!(verifier.verify(&honest, Timestamp::now()).is_ok(), "{lead}");
    }
    let extensions = [
        json!({"crit": ["exp"]}),
        json!({"crit": []}),
        json!({"b64": false}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"zip": "DEF"}),
        json!({"enc": "A128GCM"}),
    ];
    for extension in extensions {
        let token = issuer.sign_as(&header(extension.clone()), &claims(|_| {}));
        assert_eq!(verifier.verify(&token, Timestamp::now()), Err(TokenFault::Extension), "{extension}");
    }
    // A token within a token.
    let inner = signed(&issuer, &claims(|_| {}));
    let nested = issuer.sign_as(&header(json!({"cty": "JWT"})), &inner);
    assert_eq!(verifier.verify(&nested, Timestamp::now()), Err(TokenFault::Claims));
}

#[test]
fn a_header_that_says_something_twice_is_refused() {
    let (issuer, verifier) = house();
    let good = signed(&issuer, &claims(|_| {}));
    for header in [
        r#"{"alg":"none","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","alg":"none"}"#,
        r#"{"alg":"EdDSA","typ":"JWT","typ":"logout+jwt"}"#,
        r#"{"alg":["EdDSA","none"]}"#,
    ] {
        let refused = verifier.verify(&with_header(&good, header), Timestamp::now());
        assert_eq!(refused, Err(TokenFault::Unknown), "{header}");
    }
}

#[test]
fn a_token_is_tried_with_the_keys_of_the_issuer_that_it_names() {
    let issuers: Vec<Issuer> = (0..16)
        .map(|number| {
            let of = format!("https://{number}.example");
            let keys = (0..16).map(|_| TokenIssuer::new(&of).unwrap().public_key_pem()).collect();
            Issuer { issuer: of, audience: AUDIENCE.to_owned(), public_keys: keys, max_life_seconds: 60 }
        })
        .collect();
    let verifier = TokenVerifier::new(&issuers).unwrap();
    let tried = |issuer: &str| verifier.accepted.read().of_issuer(issuer).count();
    assert_eq!((tried("https://3.example"), tried("https://stranger.example")), (16, 0));
}

#[test]
fn a_key_counts_for_its_own_issuer_only() {
    let (ours, theirs) = (TokenIssuer::new(ISSUER).unwrap(), TokenIssuer::new("https://b.example").unwrap());
    let verifier = TokenVerifier::new(&[ours.as_issuer(AUDIENCE), theirs.as_issuer(AUDIENCE)]).unwrap();
    assert!(verifier.verify(&signed(&ours, &claims(|_| {})), Timestamp::now()).is_ok());
    assert!(verifier.verify(&signed(&theirs, &claims(|_| {})), Timestamp::now()).is_err(), "B's key in A's name");
    let stranger = TokenIssuer::new(ISSUER).unwrap();
    assert!(verifier.verify(&signed(&stranger, &claims(|_| {})), Timestamp::now()).is_err());
    let mut altered = signed(&ours, &claims(|_| {}));
    altered.replace_range(60..61, if &altered[60..61] == "A" { "B" } else { "A" });
    assert!(verifier.verify(&altered, Timestamp::now()).is_err());
    for garbage in ["", ".", "..", "a.b.c", "🦀.🦀.🦀", &"a".repeat(MAX_TOKEN + 1)] {
        assert!(verifier.verify(garbage, Timestamp::now()).is_err());
    }
}
