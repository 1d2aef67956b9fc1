//! Faults of tokens, in words for their bearers.

/// Greatest length of a text of a token that a message repeats, in characters.
const MAX_SHOWN: usize = 200;

/// Rule that a token breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// The token is longer than any that is read.
    #[error("the token is too long")]
    TooLong,
    /// No key of an accepted issuer signed the token in that issuer's name, or the text is no token.
    #[error("the token is not one that an issuer of this jurisdiction signed")]
    Unknown,
    /// The token lacks a claim, or has one of another type.
    #[error("the token lacks one of the claims iss, sub, aud, nbf and exp, or has one that cannot be read")]
    Claims,
    /// The token's header has an extension that its reader has to understand.
    #[error("the token's header has an extension that this gateway does not know: crit, b64, zip or enc")]
    Extension,
    /// The token is something else than an access token.
    #[error("the token is of the type {0}, which is no access token")]
    Type(String),
    /// The token is for another gateway.
    #[error("the token is for {named}; this gateway takes tokens for {taken}")]
    Audience {
        /// Audiences that it names.
        named: String,
        /// Audience that this gateway takes.
        taken: String,
    },
    /// The token is good at several gateways.
    #[error("the token is for several gateways, {named}: each that is shown it could show it to the others")]
    Several {
        /// Audiences that it names.
        named: String,
        /// Audience that this gateway takes.
        taken: String,
    },
    /// The token's audience stands for several gateways.
    #[error(
        "the token is for {audience}, which gateways of other jurisdictions take too: each could show it to the others"
    )]
    Shared {
        /// Issuer of the token.
        issuer: String,
        /// Audience of the issuer's tokens, here and elsewhere.
        audience: String,
    },
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet: nbf or iat is in the future")]
    NotYet,
    /// The token lives for too long.
    #[error("the token is valid for {life} s; tokens of {issuer} live for at most {most} s here")]
    Life {
        /// Its life, in seconds.
        life: i64,
        /// Longest life, in seconds.
        most: i64,
        /// Its issuer.
        issuer: String,
    },
    /// The token names nobody.
    #[error("the token does not name its bearer")]
    Bearer,
    /// The token is good once, and was used.
    #[error("the token was used already, and is good for one use")]
    Spent,
    /// The gateway remembers as many used tokens as it can.
    #[error("the gateway remembers as many used tokens as it can, and takes no other of this kind now")]
    Busy,
}

impl TokenFault {
    /// Returns what the bearer can do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::TooLong => "use a token of at most 8 KiB".to_owned(),
            Self::Unknown => {
                "use a token of an issuer that the Jurisdiction lists (spec.issuers), at the jurisdiction whose \
                              issuer it is"
                    .to_owned()
            }
            Self::Claims => {
                "have the issuer add them: iss, sub and aud as text, nbf and exp as whole seconds".to_owned()
            }
            Self::Extension => "have the issuer leave crit, b64, zip and enc out of the token's header".to_owned(),
            Self::Type(_) => "use an access token: typ is at+jwt or JWT, or is not there".to_owned(),
            Self::Audience { taken, .. } => format!("ask the issuer for a token with the audience {taken}"),
            Self::Several { taken, .. } => format!("ask the issuer for a token with the audience {taken} alone"),
            Self::Shared { issuer, .. } => format!(
                "have the Jurisdictions leave out the audience of the issuer {issuer}, or give each its own, and ask for a \
                 token with it"
            ),
            Self::Expired => "ask the issuer for a new one".to_owned(),
            Self::NotYet => {
                "ask again in a moment; if it happens again, compare the clocks of issuer and gateway".to_owned()
            }
            Self::Life { .. } => {
                "ask the issuer for one that lives shorter, or have maxLifeSeconds of the issuer raised in the \
                                  Jurisdiction"
                    .to_owned()
            }
            Self::Bearer => "have the issuer name you in sub, in at most 255 characters".to_owned(),
            Self::Spent => "ask for the result again, which gives a new token".to_owned(),
            Self::Busy => "ask for the result again in some minutes".to_owned(),
        }
    }
}

/// Returns a text of a token as a message may repeat it: no control characters, and not too long.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
    if text.chars().count() > MAX_SHOWN {
        shown.push('…');
    }
    shown
}
