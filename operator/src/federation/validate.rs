//! Step 2: which Federation is the one of a namespace.

use kube::ResourceExt;
use wanqu_crds::kinds::Federation;

use crate::framework::Guarded;
use crate::framework::watched::Catalogue;

/// Returns true if this Federation is the one of its namespace.
pub(super) fn speaks_for(catalogue: &Catalogue, federation: &Guarded<Federation>, namespace: &str) -> bool {
    catalogue.federation(namespace).is_some_and(|first| first.name_any() == federation.name_any())
}
