//! Step 2: which Federation speaks for a namespace.

use std::sync::Arc;

use kube::ResourceExt;
use wanqu_crds::kinds::Federation;

use crate::framework::Guarded;
use crate::framework::watched::{Catalogue, in_namespace};

/// The Federation of a namespace: the oldest, if there are several. The others are told so by the compiler.
#[must_use]
pub fn first_federation(catalogue: &Catalogue, namespace: &str) -> Option<Arc<Guarded<Federation>>> {
    in_namespace(&catalogue.federations, namespace).into_iter().next()
}

/// Whether this Federation is the one of its namespace.
pub(super) fn speaks_for(catalogue: &Catalogue, federation: &Guarded<Federation>, namespace: &str) -> bool {
    first_federation(catalogue, namespace).is_some_and(|first| first.name_any() == federation.name_any())
}
