//! The `ConfigMap` with the node's bundle.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;

use super::{Node, names};
use crate::compilation::BundleFile;
use crate::framework::labels::BUNDLE_DIGEST;

pub(super) fn config_map(node: &Node<'_>, file: &BundleFile) -> ConfigMap {
    let mut metadata = node.metadata(names::bundle(&node.name));
    metadata.annotations = Some([(BUNDLE_DIGEST.to_owned(), file.digest.clone())].into());
    ConfigMap {
        metadata,
        binary_data: Some([("bundle.json.gz".to_owned(), ByteString(file.gzip.clone()))].into()),
        ..ConfigMap::default()
    }
}
