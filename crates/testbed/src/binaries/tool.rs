//! Which tools there are, and how each is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::require;
use crate::command::run;
use crate::error::{Result, TestbedError};

/// A program that tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// The API server.
    KubeApiserver,
    /// What makes pods of workloads, deletes what is owned by nothing, and so on.
    KubeControllerManager,
    /// What gives pods a node.
    KubeScheduler,
    /// What runs pods on a node.
    Kubelet,
    /// What leads a Service's address to its pods.
    KubeProxy,
    /// The command line of Kubernetes; one that is installed will do.
    Kubectl,
    /// Where the API server keeps its objects.
    Etcd,
    /// The names of Services.
    CoreDns,
    /// What holds pods to network policies.
    Felix,
    /// What gives a pod the network that Felix watches.
    CalicoCni,
    /// What installs charts.
    Helm,
    /// What writes a chart's values down as a table.
    HelmDocs,
    /// What holds rendered manifests against their schemas.
    Kubeconform,
    /// What tests a chart's templates.
    HelmUnittest,
}

/// What to install where Go is missing.
pub(super) const GO: &str =
    "install Go 1.24 or newer (package `golang`, or from go.dev) to build Kubernetes for the tests";

/// How a tool is built.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    /// The file's name.
    pub(super) name: &'static str,
    /// The folder with the module's `go.mod` and `go.sum`.
    pub(super) module: PathBuf,
    /// The package of its `main`.
    pub(super) package: &'static str,
    /// Without the leading `v`, from `go.mod`.
    pub(super) version: String,
    /// For the linker.
    pub(super) ldflags: String,
    /// `go.mod` and `go.sum`, as they are.
    pub(super) sums: [String; 2],
    /// How long a first build takes, for the person who waits.
    pub(super) about: &'static str,
}

impl Tool {
    /// The program's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Name, folder of the module, package, and about how long a first build takes on two cores.
    fn row(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::KubeApiserver => {
                ("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "4 minutes")
            }
            Self::KubeControllerManager => {
                ("kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "2 minutes")
            }
            Self::KubeScheduler => ("kube-scheduler", "kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", "1 minute"),
            Self::Kubelet => ("kubelet", "kubernetes", "k8s.io/kubernetes/cmd/kubelet", "1 minute"),
            Self::KubeProxy => ("kube-proxy", "kubernetes", "k8s.io/kubernetes/cmd/kube-proxy", "1 minute"),
            Self::Kubectl => ("kubectl", "kubernetes", "k8s.io/kubernetes/cmd/kubectl", "1 minute"),
            Self::Etcd => ("etcd", "etcd", "go.etcd.io/etcd/server/v3", "1 minute"),
            Self::CoreDns => ("coredns", "coredns", "github.com/coredns/coredns", "2 minutes"),
            Self::Felix => {
                ("calico-felix", "calico", "github.com/projectcalico/calico/felix/cmd/calico-felix", "5 minutes")
            }
            Self::CalicoCni => {
                ("calico", "calico", "github.com/projectcalico/calico/cni-plugin/cmd/calico", "1 minute")
            }
            Self::Helm => ("helm", "helm", "helm.sh/helm/v3/cmd/helm", "2 minutes"),
            Self::HelmDocs => ("helm-docs", "helm-docs", "github.com/norwoodj/helm-docs/cmd/helm-docs", "1 minute"),
            Self::Kubeconform => {
                ("kubeconform", "kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform", "1 minute")
            }
            Self::HelmUnittest => (
                "helm-unittest",
                "helm-unittest",
                "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
                "1 minute",
            ),
        }
    }

    /// The folder of the source of a module that this tool is built from.
    pub(crate) fn source(self, module: &str) -> Result<PathBuf> {
        let folder = self.recipe()?.module;
        let go = require("go", GO)?;
        let listed = run(Command::new(go)
            .current_dir(folder)
            .env("GOFLAGS", "-mod=readonly")
            .env("GOWORK", "off")
            .args(["list", "-m", "-f={{.Dir}}", module]))?;
        Ok(PathBuf::from(listed.trim()))
    }

    /// Reads the module's files and puts the build together.
    pub(super) fn recipe(self) -> Result<Recipe> {
        let (name, module, package, about) = self.row();
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(module);
        let read = |file: &str| {
            let path = module.join(file);
            std::fs::read_to_string(&path).map_err(TestbedError::io(path))
        };
        let sums = [read("go.mod")?, read("go.sum")?];
        let version = version(&sums[0], package).ok_or_else(|| TestbedError::Content {
            path: module.join("go.mod"),
            reason: format!("requires no module of which {package} is a part"),
        })?;
        let ldflags = ldflags(package, &version);
        Ok(Recipe { name, module, package, version, ldflags, sums, about })
    }
}

/// The version of the module that holds a package: the longest path among the required ones that the package begins with.
fn version(go_mod: &str, package: &str) -> Option<String> {
    let required = go_mod.lines().filter_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        let (path, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        package.strip_prefix(path).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        Some((path.len(), version.to_owned()))
    });
    required.max().map(|(_, version)| version)
}

/// Without symbols; Kubernetes is told its version, or the API server calls itself v0.0.0.
fn ldflags(package: &str, version: &str) -> String {
    let mut flags = "-s -w".to_owned();
    if package.starts_with("k8s.io/kubernetes/") {
        let mut parts = version.split('.');
        let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        for (variable, value) in [
            ("k8s.io/component-base/version.gitVersion", format!("v{version}")),
            ("k8s.io/component-base/version.gitMajor", major.to_owned()),
            ("k8s.io/component-base/version.gitMinor", minor.to_owned()),
            ("k8s.io/client-go/pkg/version.gitVersion", format!("v{version}")),
        ] {
            flags.push_str(&format!(" -X {variable}={value}"));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Tool; 14] = [
        Tool::KubeApiserver,
        Tool::KubeControllerManager,
        Tool::KubeScheduler,
        Tool::Kubelet,
        Tool::KubeProxy,
        Tool::Kubectl,
        Tool::Etcd,
        Tool::CoreDns,
        Tool::Felix,
        Tool::CalicoCni,
        Tool::Helm,
        Tool::HelmDocs,
        Tool::Kubeconform,
        Tool::HelmUnittest,
    ];

    #[test]
    fn every_tool_has_a_module_that_names_its_version_and_lists_its_package() {
        for tool in ALL {
            let recipe = tool.recipe().unwrap();
            assert!(recipe.version.starts_with(|c: char| c.is_ascii_digit()), "{recipe:?}");
            // That of Calico is one that `go mod tidy` cannot read.
            let kept = recipe.sums[0].contains(recipe.package) || recipe.module.ends_with("calico");
            assert!(kept, "{}: go mod tidy would drop what it needs", recipe.package);
            assert!(!recipe.sums[1].is_empty());
        }
    }

    #[test]
    fn the_version_is_that_of_the_module_which_holds_the_package() {
        let go_mod = "module m\nrequire example.org/a v1.2.3\nrequire (\n\texample.org/a/b v2.0.0 // indirect\n\texample.org/ab v3.0.0\n)\n";
        assert_eq!(version(go_mod, "example.org/a/cmd").as_deref(), Some("1.2.3"));
        assert_eq!(version(go_mod, "example.org/a/b/cmd").as_deref(), Some("2.0.0"));
        assert_eq!(version(go_mod, "example.org/ab").as_deref(), Some("3.0.0"));
        assert_eq!(version(go_mod, "example.org/x"), None);
    }

    #[test]
    fn kubernetes_is_told_its_version() {
        let flags = ldflags("k8s.io/kubernetes/cmd/kubelet", "1.34.4");
        assert!(flags.contains("-X k8s.io/component-base/version.gitVersion=v1.34.4"), "{flags}");
        assert!(flags.contains("gitMajor=1 ") && flags.contains("gitMinor=34 "), "{flags}");
        assert_eq!(ldflags("go.etcd.io/etcd/server/v3", "3.6.0"), "-s -w");
    }
}
