//! The gateway that a command asks and the identity it asks with, from the state folder or the command line.

use std::path::Path;

use wanqu_client::Client;
use wanqu_model::answer::{Answer, Question};
use wanqu_model::names::{Purpose, ResourceName};
use wanqu_model::refusal::Refusal;

use super::args::GatewayArgs;
use super::failure::{Failure, Outcome};
use super::state::{NodeState, Researcher, StateDir};

/// A gateway with the credentials, the project and the purpose to ask it with.
#[derive(Debug)]
pub struct Connection {
    /// `https://host:port`.
    pub gateway: String,
    /// The CA that vouches for it, PEM.
    pub ca: String,
    /// The bearer token.
    pub token: String,
    /// The research project.
    pub project: Option<ResourceName>,
    /// The purpose of queries.
    pub purpose: Option<Purpose>,
}

impl Connection {
    /// Returns a connection to the gateway that the arguments name, or else to a node of the local federation.
    ///
    /// # Errors
    /// If a file cannot be read; if no local federation runs.
    pub fn find(state: &StateDir, args: &GatewayArgs) -> Outcome<Self> {
        if let (Some(gateway), Some(ca), Some(token)) = (&args.gateway, &args.ca, &args.token_file) {
            return Ok(Self {
                gateway: gateway.clone(),
                ca: read(ca)?,
                token: read(token)?.trim().to_owned(),
                project: args.project.clone(),
                purpose: args.purpose.clone(),
            });
        }
        let running = state.running()?;
        Self::local(running.node(args.node.as_ref())?, args)
    }

    /// Returns a client, which connects when it is first used.
    pub fn client(&self) -> Outcome<Client> {
        Ok(Client::connect(&self.gateway, &self.ca, &self.token, None)?)
    }

    /// Returns a question with this connection's project and purpose.
    #[must_use]
    pub fn question(&self, sql: String) -> Question {
        Question { sql, project: self.project.clone(), purpose: self.purpose.clone(), ..Question::default() }
    }

    /// Asks a question.
    pub async fn ask(&self, question: &Question) -> Result<Answer, Refusal> {
        Client::connect(&self.gateway, &self.ca, &self.token, None)?.ask(question).await
    }

    /// Returns a connection to a node of the local federation, as one of its researchers.
    pub fn local(node: &NodeState, args: &GatewayArgs) -> Outcome<Self> {
        let researcher = researcher(node, args.project.as_ref())?;
        let (project, purpose) = defaults(researcher, args);
        let token = args.token_file.as_deref().unwrap_or(&researcher.token);
        let ca = args.ca.as_deref().unwrap_or(&node.ca);
        Ok(Self {
            gateway: node.gateway.clone(),
            ca: read(ca)?,
            token: read(token)?.trim().to_owned(),
            project,
            purpose,
        })
    }
}

/// Returns a researcher of the named project, or else the node's first.
fn researcher<'a>(node: &'a NodeState, project: Option<&ResourceName>) -> Outcome<&'a Researcher> {
    let takes_part =
        |r: &&Researcher| project.is_none_or(|wanted| r.projects.iter().any(|project| project.name == *wanted));
    node.researchers.iter().find(takes_part).or(node.researchers.first()).ok_or_else(|| {
        Failure::failed(format!(
            "nobody may ask at {}: no project names a researcher whom its issuers vouch for",
            node.jurisdiction
        ))
    })
}

/// Returns the project and purpose of the arguments, or else the researcher's first project and its first purpose.
fn defaults(researcher: &Researcher, args: &GatewayArgs) -> (Option<ResourceName>, Option<Purpose>) {
    let named = |wanted: &ResourceName| researcher.projects.iter().find(|project| project.name == *wanted);
    let project = args.project.as_ref().map_or(researcher.projects.first(), named);
    let name = args.project.clone().or_else(|| project.map(|project| project.name.clone()));
    let purpose = args.purpose.clone().or_else(|| project.and_then(|project| project.purposes.first().cloned()));
    (name, purpose)
}

fn read(path: &Path) -> Outcome<String> {
    wanqu_file::read_text(path, wanqu_file::SMALL).map_err(|e| Failure::file("read", path, &e))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use wanqu_model::bundle::Subject;

    use super::*;
    use crate::state::ProjectState;

    fn node(projects: &[(&str, &[&str])]) -> (tempfile::TempDir, NodeState) {
        let folder = tempfile::tempdir().unwrap();
        let (ca, token) = (folder.path().join("ca"), folder.path().join("token"));
        fs::write(&ca, "CA").unwrap();
        fs::write(&token, "TOKEN\n").unwrap();
        let projects = projects.iter().map(|(name, purposes)| ProjectState {
            name: name.parse().unwrap(),
            purposes: purposes.iter().map(|p| p.parse().unwrap()).collect(),
        });
        let subject = Subject { issuer: "https://i.example".to_owned(), subject: "wei".to_owned() };
        let node = NodeState {
            jurisdiction: "HK".parse().unwrap(),
            display_name: "Hong Kong".to_owned(),
            gateway: "https://127.0.0.1:1".to_owned(),
            ca,
            bundle: "/b".into(),
            audit: "/a".into(),
            researchers: vec![Researcher { subject, token, projects: projects.collect() }],
        };
        (folder, node)
    }

    fn asked(node: &NodeState, args: &GatewayArgs) -> (Option<String>, Option<String>) {
        let found = Connection::local(node, args).unwrap();
        assert_eq!((found.ca.as_str(), found.token.as_str()), ("CA", "TOKEN"));
        (found.project.map(String::from), found.purpose.map(String::from))
    }

    #[test]
    fn project_and_purpose_are_the_first_unless_they_are_named() {
        let (_folder, node) = node(&[("care", &["planning", "teaching"]), ("air", &["warning"])]);
        assert_eq!(asked(&node, &GatewayArgs::default()), (Some("care".into()), Some("planning".into())));
        let air = GatewayArgs { project: Some("air".parse().unwrap()), ..GatewayArgs::default() };
        assert_eq!(asked(&node, &air), (Some("air".into()), Some("warning".into())));
        let other = GatewayArgs { project: Some("other".parse().unwrap()), ..GatewayArgs::default() };
        assert_eq!(asked(&node, &other), (Some("other".into()), None));
        let purpose = GatewayArgs { purpose: Some("teaching".parse().unwrap()), ..GatewayArgs::default() };
        assert_eq!(asked(&node, &purpose), (Some("care".into()), Some("teaching".into())));
    }

    #[test]
    fn a_node_without_researchers_says_so() {
        let (_folder, mut node) = node(&[]);
        node.researchers.clear();
        let failure = Connection::local(&node, &GatewayArgs::default()).unwrap_err();
        assert!(failure.to_string().contains("nobody may ask at HK"));
    }
}
