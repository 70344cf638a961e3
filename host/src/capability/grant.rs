//! What a plugin may reach.
//!
//! A plugin that is loaded from a file reaches what the run config grants it, and nothing else; a
//! behavior also reaches the run's target, which is what it is for. A built-in plugin is part of the
//! host's binary and trusted like it: unless the run config grants it less by an entry of its own, it
//! may use `cluster`, `sql` and `redis` on all of the environment's instances, `http` on these and the
//! target, and every feed. Raw objects (`kube`) are granted by name to whichever plugin. Neither ever sees a credential's value.
//!
//! An entry with an empty list is no entry: to take a capability from a built-in plugin, do not use
//! the plugin.

use std::{net::IpAddr, sync::Arc};

use assay_bindings::imports::types::Failure;
use url::Url;

use crate::{
    environment::{ObjectGrant, ObjectReference, Selector},
    observe::Labels,
    plugin::{PluginKind, Tenant},
};

/// Capabilities whose grants are label selectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capability {
    Cluster,
    Sql,
    Redis,
}

impl Capability {
    /// Its key in the run config.
    fn key(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Sql => "sql",
            Self::Redis => "redis",
        }
    }
}

/// The selectors that one plugin may touch through one capability.
#[derive(Debug, Clone)]
pub(crate) struct SelectorGrant {
    plugin: String,
    capability: Capability,
    /// Everything is granted if absent.
    selectors: Option<Vec<Selector>>,
}

impl SelectorGrant {
    /// What the run config grants the plugin. A selector that cannot be read grants nothing; the
    /// config room refuses such a config before.
    pub(crate) fn of(tenant: &Tenant, capability: Capability) -> Self {
        let grants = match capability {
            Capability::Cluster => &tenant.grants().cluster,
            Capability::Sql => &tenant.grants().sql,
            Capability::Redis => &tenant.grants().redis,
        };
        let everything = tenant.built_in() && grants.is_empty();
        let selectors = (!everything).then(|| grants.iter().filter_map(|text| text.parse().ok()).collect());
        Self { plugin: tenant.name().to_owned(), capability, selectors }
    }

    /// May a thing of this name with these labels be touched?
    pub(crate) fn covers(&self, name: &str, labels: &Labels) -> bool {
        self.selectors
            .as_ref()
            .is_none_or(|granted| granted.iter().any(|selector| selector.matches(name, labels)))
    }

    /// May this node be touched? A selector that a thing without labels matches, such as `!canary`,
    /// says nothing about nodes: it must ask for something that the node has, or be empty.
    pub(crate) fn covers_node(&self, name: &str, labels: &Labels) -> bool {
        self.selectors.as_ref().is_none_or(|granted| {
            granted.iter().any(|selector| {
                let text = selector.to_string();
                let speaks_of_it = text.trim().is_empty() || !selector.matches("", &Labels::new());
                speaks_of_it && selector.matches(name, labels)
            })
        })
    }

    /// Is anything granted at all?
    pub(crate) fn is_empty(&self) -> bool {
        self.selectors.as_ref().is_some_and(Vec::is_empty)
    }

    /// Names what is missing and the line that would grant it.
    pub(crate) fn denial(&self, what: &str, wanted: &str) -> Failure {
        let (plugin, capability) = (&self.plugin, self.capability.key());
        Failure::Denied(format!(
            "plugin '{plugin}' may not use {capability} on {what}; \
             add to [plugins.{plugin}]: grants = {{ {capability} = [\"{wanted}\"] }}"
        ))
    }
}

/// The raw objects that one plugin may touch.
#[derive(Debug, Clone)]
pub(crate) struct ObjectsGrant {
    plugin: String,
    granted: Vec<ObjectGrant>,
}

impl ObjectsGrant {
    /// What the run config grants the plugin. Nothing is granted by being built in: raw objects are
    /// whatever a cluster has.
    pub(crate) fn of(tenant: &Tenant) -> Self {
        let granted = tenant.grants().kube.iter().filter_map(|text| text.parse().ok()).collect();
        Self { plugin: tenant.name().to_owned(), granted }
    }

    /// May this object, or without a name this kind, be touched?
    pub(crate) fn check(&self, object: &ObjectReference) -> Result<(), Failure> {
        // Their values would pass through the plugin, which must never see one.
        if object.api_version == "v1" && object.kind == "Secret" {
            return Err(Failure::Denied("no plugin may touch Secrets".to_owned()));
        }
        if self.granted.iter().any(|granted| granted.covers(object)) {
            return Ok(());
        }
        let plugin = &self.plugin;
        Err(Failure::Denied(format!(
            "plugin '{plugin}' may not use kube on {object}; \
             add to [plugins.{plugin}]: grants = {{ kube = [\"{}/{}\"] }}",
            object.api_version, object.kind
        )))
    }
}

/// The feeds that one plugin may read.
#[derive(Debug)]
pub(crate) struct FeedGrant<'a>(pub(crate) &'a Tenant);

impl FeedGrant<'_> {
    /// May this feed be read?
    pub(crate) fn covers(&self, feed: &str) -> bool {
        let granted = &self.0.grants().feed;
        (self.0.built_in() && granted.is_empty()) || granted.iter().any(|name| name == feed)
    }

    /// Names what is missing and the line that would grant it.
    pub(crate) fn denial(&self, feed: &str) -> Failure {
        let plugin = self.0.name();
        Failure::Denied(format!(
            "plugin '{plugin}' may not read the feed '{feed}'; \
             add to [plugins.{plugin}]: grants = {{ feed = [\"{feed}\"] }}"
        ))
    }
}

/// The hosts that one plugin may send requests to. Whoever follows redirects asks for every hop.
#[derive(Debug, Clone)]
pub struct HttpGrant(Arc<Hosts>);

#[derive(Debug)]
struct Hosts {
    plugin: String,
    patterns: Vec<String>,
    /// The run's target, if it is granted.
    target: Option<Url>,
    /// Are instances of the environment granted, by their addresses?
    instances: bool,
}

impl HttpGrant {
    /// What the run config grants the plugin, with the target where that is granted, too.
    pub fn new(tenant: &Tenant, kind: PluginKind, base_url: &str) -> Self {
        let patterns: Vec<_> = tenant.grants().http.iter().map(|host| host.to_ascii_lowercase()).collect();
        let trusted = tenant.built_in() && patterns.is_empty();
        let target = (kind == PluginKind::Behavior || trusted).then(|| Url::parse(base_url).ok()).flatten();
        let instances = trusted && kind == PluginKind::Fault;
        Self(Arc::new(Hosts { plugin: tenant.name().to_owned(), patterns, target, instances }))
    }

    /// May a request go there?
    pub fn covers(&self, url: &Url) -> bool {
        let Some(host) = url.host_str().map(str::to_ascii_lowercase) else { return false };
        self.is_target(url) || self.0.patterns.iter().any(|pattern| matches(pattern, &host))
    }

    /// Could the host be an instance of the environment, and would that be granted?
    pub(crate) fn may_be_instance(&self, url: &Url) -> Option<IpAddr> {
        match url.host()? {
            _ if !self.0.instances => None,
            url::Host::Ipv4(address) => Some(address.into()),
            url::Host::Ipv6(address) => Some(address.into()),
            url::Host::Domain(_) => None,
        }
    }

    /// Names what is missing and the line that would grant it.
    pub fn denial(&self, url: &Url) -> String {
        let (plugin, host) = (&self.0.plugin, url.host_str().unwrap_or("no host"));
        format!(
            "plugin '{plugin}' may not send requests to '{host}'; \
             add to [plugins.{plugin}]: grants = {{ http = [\"{host}\"] }}"
        )
    }

    /// The target's own port and those that a redirect between http and https leads to, but not
    /// whatever else listens on the same machine.
    fn is_target(&self, url: &Url) -> bool {
        let Some(target) = &self.0.target else { return false };
        let port = url.port_or_known_default();
        target.host() == url.host()
            && (port == target.port_or_known_default() || matches!(port, Some(80 | 443)))
    }
}

/// `*.` as first label stands for one or more labels.
fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => pattern == host,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::Grants;

    pub(crate) fn tenant(built_in: bool, grants: Grants) -> Tenant {
        Tenant::for_tests("mine", built_in, grants)
    }

    fn labels(key: &str, value: &str) -> Labels {
        Labels::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_plugin_from_a_file_reaches_what_is_granted() {
        let grants = Grants { sql: vec!["app=db".to_owned()], ..Grants::default() };
        let tenant = tenant(false, grants);
        let sql = SelectorGrant::of(&tenant, Capability::Sql);
        assert!(sql.covers("db-0", &labels("app", "db")));
        assert!(!sql.covers("web-0", &labels("app", "web")));
        assert!(!sql.covers_node("node-a", &Labels::new()));
        let cluster = SelectorGrant::of(&tenant, Capability::Cluster);
        assert!(cluster.is_empty());
        let Failure::Denied(text) = cluster.denial("instance 'cache-0'", "app=cache") else {
            panic!("not denied")
        };
        insta::assert_snapshot!(
            text,
            @r#"plugin 'mine' may not use cluster on instance 'cache-0'; add to [plugins.mine]: grants = { cluster = ["app=cache"] }"#
        );
    }

    #[test]
    fn a_built_in_plugin_reaches_the_environment_unless_it_is_granted_less() {
        let everything = SelectorGrant::of(&tenant(true, Grants::default()), Capability::Cluster);
        assert!(everything.covers("web-0", &labels("app", "web")));
        assert!(everything.covers_node("node-a", &Labels::new()));
        let grants = Grants { cluster: vec!["app=db".to_owned()], ..Grants::default() };
        let less = SelectorGrant::of(&tenant(true, grants), Capability::Cluster);
        assert!(!less.covers("web-0", &labels("app", "web")));
    }

    #[test]
    fn a_selector_of_what_is_not_there_says_nothing_about_nodes() {
        let grants = |selector: &str| Grants { cluster: vec![selector.to_owned()], ..Grants::default() };
        let covers = |selector| {
            let tenant = tenant(false, grants(selector));
            SelectorGrant::of(&tenant, Capability::Cluster).covers_node("node-a", &labels("zone", "b"))
        };
        assert!(!covers("!canary"));
        assert!(!covers("app=db"));
        assert!(covers("name=node-a"));
        assert!(covers("zone in (a, b),!canary"));
        assert!(covers(""));
    }

    #[test]
    fn feeds_are_granted_by_name() {
        let tenant = |built_in, names: &[&str]| {
            let feed = names.iter().map(|name| (*name).to_owned()).collect();
            tenant(built_in, Grants { feed, ..Grants::default() })
        };
        let covers = |built_in, names, feed| FeedGrant(&tenant(built_in, names)).covers(feed);
        assert!(covers(false, &["accounts"], "accounts"));
        assert!(!covers(false, &["accounts"], "words"));
        assert!(!covers(false, &[], "accounts"));
        assert!(covers(true, &[], "accounts"));
        assert!(!covers(true, &["words"], "accounts"));
        let denial = FeedGrant(&tenant(false, &[])).denial("accounts");
        let Failure::Denied(text) = denial else { panic!("not denied") };
        insta::assert_snapshot!(
            text,
            @r#"plugin 'mine' may not read the feed 'accounts'; add to [plugins.mine]: grants = { feed = ["accounts"] }"#
        );
    }

    #[test]
    fn raw_objects_are_granted_by_kind_even_to_built_in_plugins_and_secrets_never() {
        let kube = vec!["apps/v1/Deployment".to_owned(), "v1/Secret".to_owned()];
        let check = |grants: &[String], api_version: &str, kind: &str| {
            let tenant = tenant(true, Grants { kube: grants.to_vec(), ..Grants::default() });
            let object = ObjectReference {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                name: "web".to_owned(),
            };
            ObjectsGrant::of(&tenant).check(&object)
        };
        assert!(check(&kube, "apps/v1", "Deployment").is_ok());
        assert!(check(&kube, "v1", "Secret").is_err());
        let Err(Failure::Denied(text)) = check(&[], "apps/v1", "Deployment") else { panic!("not denied") };
        insta::assert_snapshot!(
            text,
            @r#"plugin 'mine' may not use kube on apps/v1/Deployment/web; add to [plugins.mine]: grants = { kube = ["apps/v1/Deployment"] }"#
        );
    }

    fn http(built_in: bool, kind: PluginKind, hosts: &[&str]) -> HttpGrant {
        let http = hosts.iter().map(|host| (*host).to_owned()).collect();
        let tenant = tenant(built_in, Grants { http, ..Grants::default() });
        HttpGrant::new(&tenant, kind, "http://10.0.0.1:8080")
    }

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn hosts_are_granted_by_name_and_pattern() {
        let grant = http(false, PluginKind::Behavior, &["api.example.com", "*.svc"]);
        for granted in
            ["http://10.0.0.1:8080/x", "https://10.0.0.1", "https://API.example.com:9", "http://a.b.svc"]
        {
            assert!(grant.covers(&url(granted)), "{granted}");
        }
        for other in
            ["http://10.0.0.1:5432", "http://svc", "http://xsvc", "http://example.com", "http://10.0.0.2"]
        {
            assert!(!grant.covers(&url(other)), "{other}");
        }
        insta::assert_snapshot!(
            grant.denial(&url("http://evil.example/x")),
            @r#"plugin 'mine' may not send requests to 'evil.example'; add to [plugins.mine]: grants = { http = ["evil.example"] }"#
        );
    }

    #[test]
    fn only_built_in_faults_reach_instances_by_address() {
        let instance = url("http://10.0.0.7:8008");
        assert!(http(true, PluginKind::Fault, &[]).may_be_instance(&instance).is_some());
        assert!(http(true, PluginKind::Behavior, &[]).may_be_instance(&instance).is_none());
        assert!(http(false, PluginKind::Fault, &[]).may_be_instance(&instance).is_none());
        assert!(!http(false, PluginKind::Fault, &[]).covers(&url("http://10.0.0.1:8080")));
        assert!(http(true, PluginKind::Fault, &[]).covers(&url("http://10.0.0.1:8080")));
    }
}
