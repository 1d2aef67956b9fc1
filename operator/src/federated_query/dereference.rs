//! Step 1: the objects that a query refers to.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::core::object::HasStatus;
use wanqu_crds::Audiences;
use wanqu_crds::kinds::{FederatedQuery, Federation, Jurisdiction, ResearchProject};
use wanqu_identity::TokenIssuer;
use wanqu_model::bundle::usual_token_life;

use super::guarded::is_guarded;
use crate::context::Context;
use crate::federation::token_issuer;
use crate::framework::Result;
use crate::framework::conditions::{Type, holds};
use crate::framework::watched::in_namespace;
use crate::names::{self, TOKEN_ISSUER};

/// Objects that a query refers to.
pub(super) struct References {
    /// The federation of its namespace.
    pub(super) federation: Option<Federation>,
    /// The jurisdiction that it is asked from.
    pub(super) home: Option<Home>,
    /// Its project.
    pub(super) project: Option<ResearchProject>,
    /// The operator's own key as an issuer of tokens.
    pub(super) issuer: Option<Arc<TokenIssuer>>,
    /// True if an admission policy holds `spec.requester` to the user who creates the query.
    pub(super) guarded: bool,
}

/// A home jurisdiction.
pub(super) struct Home {
    /// Its resource.
    pub(super) jurisdiction: Jurisdiction,
    /// True if its node can be asked.
    pub(super) ready: bool,
    /// The reason for which it cannot, as its Jurisdiction says it.
    pub(super) why: Option<String>,
    /// The certificate authority that vouches for its gateway.
    pub(super) ca: Option<String>,
    /// Claims of the operator's own tokens for its gateway, if it lists the operator as an issuer.
    pub(super) tokens: Option<OwnTokens>,
}

/// Claims of the operator's own tokens that a gateway takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnTokens {
    /// Their audience: the gateway, and no other.
    pub(super) audience: String,
    /// Their longest life.
    pub(super) longest: Duration,
}

/// Looks up the objects that a query refers to.
pub(super) async fn dereference(context: &Context, query: &FederatedQuery) -> Result<References> {
    let namespace = query.namespace().unwrap_or_default();
    let federation = context.catalogue.federation(&namespace);
    let jurisdictions = in_namespace(&context.catalogue.jurisdictions, &namespace);
    let jurisdictions: Vec<&Jurisdiction> = jurisdictions.iter().filter_map(|j| j.read()).collect();
    let home = jurisdictions.iter().copied().find(|j| j.spec.id == query.spec.from);
    let projects = in_namespace(&context.catalogue.projects, &namespace);
    let project = query.spec.project.as_ref().and_then(|name| {
        projects.iter().filter_map(|project| project.read()).find(|project| project.name_any() == name.as_str())
    });
    let federation = federation.and_then(|federation| federation.read().cloned());
    let trust_domain = federation.as_ref().map(|federation| federation.spec.trust_domain.as_str()).unwrap_or_default();
    let home = home.map(|home| home_of(context, &namespace, home, own_tokens(trust_domain, &jurisdictions, home)));
    Ok(References {
        federation,
        home,
        project: project.cloned(),
        issuer: token_issuer(context, &namespace).await?.map(Arc::new),
        guarded: is_guarded(context, &namespace).await?,
    })
}

/// Returns the claims of the operator's own tokens that the gateway of `home` takes by its bundle; `None` if it does not list the
/// operator as an issuer.
fn own_tokens(trust_domain: &str, all: &[&Jurisdiction], home: &Jurisdiction) -> Option<OwnTokens> {
    let listed = home.spec.issuers.iter().find(|issuer| issuer.issuer == TOKEN_ISSUER)?;
    let audience = Audiences::of(trust_domain, all.iter().map(|j| &j.spec)).at(&home.spec.id, listed);
    let longest = Duration::from_secs(listed.max_life_seconds.unwrap_or(usual_token_life()).into());
    Some(OwnTokens { audience, longest })
}

fn home_of(context: &Context, namespace: &str, jurisdiction: &Jurisdiction, tokens: Option<OwnTokens>) -> Home {
    let conditions = jurisdiction.status().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let trust = context.children.get("ConfigMap", namespace, &names::trust(&jurisdiction.name_any()));
    Home {
        ready: holds(conditions, Type::Ready, jurisdiction.metadata.generation),
        why: conditions
            .iter()
            .find(|c| c.type_ == Type::Ready.as_str() && c.status != "True")
            .and_then(|condition| condition.message.lines().next().map(str::to_owned)),
        ca: trust.and_then(|map| Some(map.data.get("data")?.get("ca.pem")?.as_str()?.to_owned())),
        jurisdiction: jurisdiction.clone(),
        tokens,
    }
}

#[cfg(test)]
mod tests {
    use wanqu_crds::{Placements, compile, manifests};

    use super::*;

    /// Manifests of a federation whose two members list the operator as an issuer in these words.
    fn manifests(of_hong_kong: &str, of_macau: &str) -> String {
        format!(
            "apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {{name: gba}}
spec: {{trustDomain: gba.example, members: [HK, MO]}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: hongkong}}
spec: {{id: HK, sqlName: hongkong, issuers: [{{{of_hong_kong}}}]}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: macau}}
spec: {{id: MO, sqlName: macau, issuers: [{{{of_macau}}}]}}
"
        )
    }

    #[test]
    fn the_operators_tokens_are_those_that_the_gateways_bundle_takes() {
        for (of_hong_kong, of_macau, expected) in [
            ("issuer: kubernetes", "issuer: kubernetes", Some("wanqu:gba.example/HK")),
            ("issuer: kubernetes, audience: hk", "issuer: kubernetes, audience: mo", Some("hk")),
            ("issuer: kubernetes, maxLifeSeconds: 60", "issuer: kubernetes", Some("wanqu:gba.example/HK")),
            // Stated by both, so it stands for neither.
            ("issuer: kubernetes, audience: gba", "issuer: kubernetes, audience: gba", Some("wanqu:gba.example/HK")),
            ("issuer: kubernetes, audience: gba", "issuer: another, audience: gba", Some("gba")),
            ("issuer: another", "issuer: kubernetes", None),
        ] {
            let resources = manifests::parse(&manifests(of_hong_kong, of_macau), "m.yaml").unwrap();
            let all: Vec<&Jurisdiction> = resources.jurisdictions.iter().map(|j| &j.resource).collect();
            let own = own_tokens("gba.example", &all, all[0]);
            assert_eq!(own.as_ref().map(|own| own.audience.as_str()), expected, "{of_hong_kong}; {of_macau}");
            let bundle = compile(&resources, &Placements::default()).unwrap().remove(&all[0].spec.id).unwrap();
            let listed = bundle.issuers_of(&all[0].spec.id).find(|issuer| issuer.issuer == TOKEN_ISSUER);
            let listed = listed.map(|issuer| OwnTokens {
                audience: issuer.audience.clone(),
                longest: Duration::from_secs(issuer.max_life_seconds.into()),
            });
            assert_eq!(own, listed, "{of_hong_kong}; {of_macau}");
        }
    }
}
