//! How many instances workloads should have and have: what an autoscaler decides is seen here, too.

use std::{collections::HashMap, fmt::Debug, marker::PhantomData};

use kube::Resource;
use serde::de::DeserializeOwned;

use super::Book;
use crate::{
    environment::kubernetes::view::{self, AsWorkload},
    observe::{Fact, Stream},
};

/// The counts that were told last, by uid.
pub(super) struct Replicas<K> {
    told: HashMap<String, (String, (u32, u32, u32))>,
    kind: PhantomData<fn(K)>,
}

impl<K> Default for Replicas<K> {
    fn default() -> Self {
        Self { told: HashMap::new(), kind: PhantomData }
    }
}

impl<K> Book for Replicas<K>
where
    K: AsWorkload + Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    type Object = K;
    const OBJECTS: &'static str = "workloads";

    fn there(&mut self, object: &K, _: bool, stream: &Stream) {
        let metadata = AsWorkload::metadata(object);
        let (uid, name) = (metadata.uid.clone().unwrap_or_default(), view::name(metadata));
        let counts = object.counts();
        if self.told.insert(uid, (name.clone(), counts)).is_none_or(|(_, before)| before != counts) {
            tell(stream, name, counts);
        }
    }

    fn gone(&mut self, uid: &str, stream: &Stream) {
        if let Some((name, _)) = self.told.remove(uid) {
            tell(stream, name, (0, 0, 0));
        }
    }

    fn known(&self) -> Vec<String> {
        self.told.keys().cloned().collect()
    }
}

fn tell(stream: &Stream, workload: String, (desired, running, ready): (u32, u32, u32)) {
    stream.tell(Fact::Replicas { workload, desired, running, ready });
}
