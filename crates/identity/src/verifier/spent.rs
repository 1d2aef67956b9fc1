//! Memory of tokens that were used and are good once. It is bounded, and lost at a restart: a token lives for minutes.

use std::collections::HashMap;

use super::TokenFault;

/// Greatest length of the name of a token, in bytes.
pub(super) const MAX_ID: usize = 64;

/// Greatest number of used tokens that are remembered: some MB.
const MOST: usize = 16_384;

/// The one use of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleUse {
    /// Issuer and name of the token: two issuers may give the same name.
    token: (String, String),
    expires: i64,
}

impl SingleUse {
    pub(super) fn new(issuer: &str, id: &str, expires: i64) -> Self {
        Self { token: (issuer.to_owned(), id.to_owned()), expires }
    }
}

/// Used tokens, each until it has expired.
#[derive(Debug, Default)]
pub(super) struct Spent(HashMap<(String, String), i64>);

impl Spent {
    /// Notes a use. A token that expired before `past` is forgotten: it is refused for that.
    pub(super) fn spend(&mut self, single_use: &SingleUse, past: i64) -> Result<(), TokenFault> {
        if self.0.contains_key(&single_use.token) {
            return Err(TokenFault::Spent);
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, expires| *expires > past);
        }
        if self.0.len() >= MOST {
            return Err(TokenFault::Busy);
        }
        self.0.insert(single_use.token.clone(), single_use.expires);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_once_and_forgotten_when_it_has_expired() {
        let mut spent = Spent::default();
        let one = SingleUse::new("kubernetes", "a", 100);
        assert_eq!(spent.spend(&one, 0), Ok(()));
        assert_eq!(spent.spend(&one, 0), Err(TokenFault::Spent));
        assert_eq!(spent.spend(&SingleUse::new("https://id.example", "a", 100), 0), Ok(()), "another issuer's");
        for id in 2..MOST {
            assert_eq!(spent.spend(&SingleUse::new("kubernetes", &id.to_string(), 200), 0), Ok(()));
        }
        let more = SingleUse::new("kubernetes", "more", 300);
        assert_eq!(spent.spend(&more, 0), Err(TokenFault::Busy), "nothing that was used is forgotten in its time");
        assert_eq!(spent.spend(&more, 100), Ok(()), "two have expired");
        assert_eq!(spent.0.len(), MOST - 1);
    }
}
