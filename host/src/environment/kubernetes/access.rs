//! The roles that give an account its rights, as objects of the cluster.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{permissions::Right, yaml::Documents};
use crate::{environment::Result, observe::Labels};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Who is given rights.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Of the ServiceAccount, and of the Role that it is bound to.
    pub(super) name: String,
    pub(super) namespace: String,
    /// Of the ClusterRole, if it takes one: this one has to be unique among all namespaces.
    pub(super) cluster_role: String,
    pub(super) labels: Labels,
}

/// Roles with their bindings: one in the namespace, and one beyond it where rights reach so far.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) inside: Option<(Role, RoleBinding)>,
    pub(super) beyond: Option<(ClusterRole, ClusterRoleBinding)>,
}

impl Access {
    pub(super) fn of(account: &Account, rights: &BTreeSet<Right>) -> Self {
        let (beyond, inside): (BTreeSet<_>, BTreeSet<_>) = rights.iter().partition(|right| right.cluster);
        Self {
            inside: (!inside.is_empty()).then(|| account.role(&inside)),
            beyond: (!beyond.is_empty()).then(|| account.cluster_role(&beyond)),
        }
    }

    pub(super) fn write(&self, documents: &mut Documents) -> Result<()> {
        if let Some((role, binding)) = &self.inside {
            documents.add(role)?;
            documents.add(binding)?;
        }
        if let Some((role, binding)) = &self.beyond {
            documents.add(role)?;
            documents.add(binding)?;
        }
        Ok(())
    }
}

impl Account {
    fn role(&self, rights: &BTreeSet<&Right>) -> (Role, RoleBinding) {
        let metadata = ObjectMeta { namespace: Some(self.namespace.clone()), ..self.metadata(&self.name) };
        let role = Role { metadata: metadata.clone(), rules: Some(rules(rights)) };
        let role_ref = reference("Role", &self.name);
        (role, RoleBinding { metadata, role_ref, subjects: Some(vec![self.subject()]) })
    }

    fn cluster_role(&self, rights: &BTreeSet<&Right>) -> (ClusterRole, ClusterRoleBinding) {
        let metadata = self.metadata(&self.cluster_role);
        let rules = Some(rules(rights));
        let role = ClusterRole { metadata: metadata.clone(), rules, ..ClusterRole::default() };
        let role_ref = reference("ClusterRole", &self.cluster_role);
        (role, ClusterRoleBinding { metadata, role_ref, subjects: Some(vec![self.subject()]) })
    }

    fn metadata(&self, name: &str) -> ObjectMeta {
        let labels = Some(self.labels.clone()).filter(|labels| !labels.is_empty());
        ObjectMeta { name: Some(name.to_owned()), labels, ..ObjectMeta::default() }
    }

    fn subject(&self) -> Subject {
        Subject {
            kind: "ServiceAccount".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
            ..Subject::default()
        }
    }
}

fn reference(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: GROUP.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

/// Verbs of the same objects make one rule, and so do objects with the same verbs.
fn rules(rights: &BTreeSet<&Right>) -> Vec<PolicyRule> {
    let mut verbs: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for right in rights {
        let objects = (right.group.as_str(), right.name.as_deref(), right.resource.as_str());
        verbs.entry(objects).or_default().push(&right.verb);
    }
    let mut rules: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for ((group, name, resource), verbs) in verbs {
        rules.entry((group, name, verbs)).or_default().push(resource);
    }
    let owned = |texts: Vec<&str>| -> Vec<String> { texts.into_iter().map(str::to_owned).collect() };
    let rules = rules.into_iter().map(|((group, name, verbs), resources)| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        resource_names: name.map(|name| vec![name.to_owned()]),
        verbs: owned(verbs),
        ..PolicyRule::default()
    });
    rules.collect()
}

/// A Role, and where rights reach beyond the namespace a ClusterRole, as YAML, each bound to the
/// ServiceAccount `assay` of the namespace.
pub fn render_role(rights: &BTreeSet<Right>, namespace: &str) -> Result<String> {
    let account = Account {
        name: "assay".to_owned(),
        namespace: namespace.to_owned(),
        cluster_role: format!("assay-{namespace}"),
        labels: Labels::new(),
    };
    let mut documents = Documents::default();
    Access::of(&account, rights).write(&mut documents)?;
    Ok(documents.into_text())
}
