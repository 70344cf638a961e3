//! What every environment must do, whichever it is: a plugin that was written against one works on the
//! other. Both environments have the workloads `store`, one instance that only waits, and `front`, two
//! instances that answer at port 8080 with the name of their host; both are of one group.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use assay::environment::{
    Direction, Environment, EnvironmentError, ExecOutput, Instance, InstanceState, Manner, Node, Quota,
    Selector,
};

/// What environments differ in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traits {
    /// How long anything may take that an environment does by itself.
    pub(crate) patience: Duration,
    /// Can nodes be powered off here? Where they cannot, that is not asked, and the caller says so.
    pub(crate) power: bool,
}

/// Everything, in an order in which each leaves behind what the next one needs.
pub(crate) async fn conforms(environment: &dyn Environment, traits: Traits) {
    let suite = Suite { environment, traits };
    macro_rules! check {
        ($($name:ident),* $(,)?) => {
            $(
                let begun = Instant::now();
                suite.$name().await;
                suite.all_ready().await;
                eprintln!("conforms: {}, {:.1?}", stringify!($name), begun.elapsed());
            )*
        };
    }
    suite.all_ready().await;
    check!(
        instances_and_workloads_are_described,
        the_target_answers,
        one_instance_is_reached_by_its_endpoint,
        commands_run_inside_instances,
        a_crashed_instance_comes_back_as_another,
        an_instance_that_is_asked_to_end_comes_back,
        a_held_instance_stays_away_until_it_is_released,
        a_frozen_instance_hangs_and_goes_on,
        traffic_is_cut_between_two_and_healed,
        traffic_is_cut_from_everything_and_healed,
        workloads_are_scaled,
        usage_is_read,
        groups_are_bounded,
        nodes_are_cordoned,
        a_drained_node_is_left,
        a_failed_node_is_not_ready,
    );
}

/// Polls until something holds, and fails with `what` after `at_most`.
pub(crate) async fn until(what: &str, at_most: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + at_most;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}: not within {at_most:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

struct Suite<'a> {
    environment: &'a dyn Environment,
    traits: Traits,
}

fn selector(text: &str) -> Selector {
    text.parse().expect("a selector")
}

impl Suite<'_> {
    async fn all_ready(&self) {
        self.environment.wait_ready(self.traits.patience).await.expect("all get ready");
        // An instance that is on its way out is not asked for.
        self.until("nothing is on its way", async || {
            let all = self.select("").await;
            all.len() == 3 && all.iter().all(|one| one.state == InstanceState::Ready)
        })
        .await;
    }

    async fn until(&self, what: &str, holds: impl AsyncFnMut() -> bool) {
        until(what, self.traits.patience, holds).await;
    }

    async fn select(&self, text: &str) -> Vec<Instance> {
        self.environment.instances(&selector(text)).await.expect("instances")
    }

    async fn first(&self, text: &str) -> Instance {
        let mut all = self.select(text).await;
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.into_iter().next().unwrap_or_else(|| panic!("nothing is {text}"))
    }

    async fn named(&self, name: &str) -> Option<Instance> {
        self.select(&format!("name={name}")).await.into_iter().next()
    }

    async fn run(&self, instance: &str, command: &[&str]) -> Result<ExecOutput, EnvironmentError> {
        let command: Vec<_> = command.iter().map(|part| (*part).to_owned()).collect();
        self.environment.exec(instance, &command, Duration::from_secs(20)).await
    }

    /// Does one instance get an answer from another?
    async fn gets(&self, from: &Instance, to: &Instance) -> bool {
        let address = to.address.expect("it has an address");
        let script = format!(
            "exec 3<>/dev/tcp/{address}/8080 && printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' >&3 && tail -n 1 <&3"
        );
        let output = self.run(&from.name, &["timeout", "--signal=KILL", "2", "bash", "-c", &script]).await;
        output.expect("it runs").exit_code == 0
    }

    async fn node(&self, name: &str) -> Node {
        let nodes = self.environment.nodes().await.expect("nodes");
        nodes.into_iter().find(|node| node.name == name).unwrap_or_else(|| panic!("there is no node {name}"))
    }

    async fn instances_and_workloads_are_described(&self) {
        let fronts = self.select("app=front").await;
        assert_eq!((fronts.len(), self.select("app in (store), tier=data").await.len()), (2, 1));
        let one = &fronts[0];
        assert_eq!((one.workload.as_str(), one.labels["tier"].as_str()), ("front", "data"));
        assert!(one.address.is_some() && !one.node.is_empty() && !one.uid.is_empty(), "{one:?}");
        assert_ne!(fronts[0].uid, fronts[1].uid);
        assert!(self.select("app=nobody").await.is_empty());

        let workloads =
            self.environment.workloads(&selector("app in (front, store)")).await.expect("workloads");
        let front = workloads.iter().find(|one| one.name == "front").expect("the front");
        assert_eq!((front.desired, front.running, front.ready, front.declared_only), (2, 2, 2, false));
        assert_eq!((front.cpu_request, front.cpu_limit), (Some(50), Some(500)));
        assert_eq!((front.memory_request, front.memory_limit), (Some(16 << 20), Some(64 << 20)));
        assert!(
            front.group.is_some() && workloads.iter().all(|one| one.group == front.group),
            "{workloads:?}"
        );
    }

    /// An HTTP request from where the load comes from.
    fn get(&self, address: SocketAddr) -> Result<String, String> {
        let enter = self.environment.enter_network();
        let ask = move || -> std::io::Result<String> {
            enter()?;
            let timeout = Duration::from_secs(5);
            let mut stream = TcpStream::connect_timeout(&address, timeout)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.write_all(b"GET /hostname HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            answer.lines().last().map(str::to_owned).ok_or(std::io::ErrorKind::UnexpectedEof.into())
        };
        // A thread of its own: it does not come back from a lab's network.
        std::thread::spawn(ask).join().expect("no panic").map_err(|error| error.to_string())
    }

    async fn the_target_answers(&self) {
        let url = self.environment.base_url();
        let address = url.strip_prefix("http://").expect("a URL").parse().expect("an address");
        // That the instances are ready reaches whoever passes traffic on a little later.
        self.until("the target answers", async || self.get(address).is_ok()).await;
    }

    async fn one_instance_is_reached_by_its_endpoint(&self) {
        for front in self.select("app=front").await {
            let endpoint = self.environment.endpoint(&front.name, 8080).await.expect("an endpoint");
            assert_eq!(self.get(endpoint), Ok(front.name.clone()));
            let again = self.environment.endpoint(&front.name, 8080).await.expect("an endpoint");
            assert_eq!(endpoint, again, "it is kept");
        }
        let nobody = self.environment.endpoint("nobody", 8080).await;
        assert!(matches!(nobody, Err(EnvironmentError::NotFound(_))), "{nobody:?}");
    }

    async fn commands_run_inside_instances(&self) {
        let store = self.first("app=store").await.name;
        let output =
            self.run(&store, &["sh", "-c", "echo out; echo err >&2; exit 7"]).await.expect("it runs");
        assert_eq!((output.exit_code, output.stdout.as_str(), output.stderr.as_str()), (7, "out\n", "err\n"));
        let long = self.run(&store, &["head", "-c", "100000", "/dev/zero"]).await.expect("it runs");
        assert_eq!((long.exit_code, long.stdout.len()), (0, 64 << 10));
        let command = ["sleep".to_owned(), "60".to_owned()];
        let slow = self.environment.exec(&store, &command, Duration::from_millis(500)).await;
        assert!(matches!(slow, Err(EnvironmentError::TimedOut(_))), "{slow:?}");
        let nobody = self.run("nobody", &["true"]).await;
        assert!(matches!(nobody, Err(EnvironmentError::NotFound(_))), "{nobody:?}");
    }

    async fn a_crashed_instance_comes_back_as_another(&self) {
        let front = self.first("app=front").await;
        let stale = self.environment.terminate(&front.name, "another", Manner::Crash, false).await;
        assert!(matches!(stale, Err(EnvironmentError::Conflict(_))), "{stale:?}");
        self.environment.terminate(&front.name, &front.uid, Manner::Crash, false).await.expect("it crashes");
        self.until("it is back as another", async || {
            self.named(&front.name).await.is_some_and(|now| {
                now.uid != front.uid && now.restarts > front.restarts && now.state == InstanceState::Ready
            })
        })
        .await;
        let stale = self.environment.terminate(&front.name, &front.uid, Manner::Crash, false).await;
        assert!(matches!(stale, Err(EnvironmentError::Conflict(_))), "{stale:?}");
    }

    async fn an_instance_that_is_asked_to_end_comes_back(&self) {
        let store = self.first("app=store").await;
        self.environment.terminate(&store.name, &store.uid, Manner::Graceful, false).await.expect("it ends");
        self.until("another is there", async || {
            self.named(&store.name)
                .await
                .is_some_and(|now| now.uid != store.uid && now.state == InstanceState::Ready)
        })
        .await;
    }

    async fn a_held_instance_stays_away_until_it_is_released(&self) {
        let store = self.first("app=store").await;
        self.environment.terminate(&store.name, &store.uid, Manner::Crash, true).await.expect("it crashes");
        self.until("it has ended", async || {
            self.named(&store.name).await.is_some_and(|now| now.state == InstanceState::Ended)
        })
        .await;
        let looked_until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < looked_until {
            let states: Vec<_> = self.select("app=store").await.into_iter().map(|one| one.state).collect();
            assert_eq!(states, [InstanceState::Ended], "it stays away");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.environment.release(&store.name).await.expect("released");
        self.until("another is ready", async || {
            self.named(&store.name)
                .await
                .is_some_and(|now| now.uid != store.uid && now.state == InstanceState::Ready)
        })
        .await;
        self.environment.release(&store.name).await.expect("released twice is fine");
    }

    async fn a_frozen_instance_hangs_and_goes_on(&self) {
        let front = self.first("app=front").await;
        let address = SocketAddr::new(front.address.expect("an address"), 8080);
        self.environment
            .terminate(&front.name, &front.uid, Manner::Freeze, false)
            .await
            .expect("it is frozen");
        let store = self.first("app=store").await;
        assert!(!self.gets(&store, &front).await, "nothing at {address} answers");
        self.until("it is not ready", async || {
            self.named(&front.name).await.is_some_and(|now| now.state == InstanceState::Running)
        })
        .await;
        self.environment.release(&front.name).await.expect("released");
        self.until("it goes on", async || {
            self.named(&front.name).await.is_some_and(|now| now.state == InstanceState::Ready)
        })
        .await;
        assert_eq!(self.named(&front.name).await.map(|now| now.uid), Some(front.uid), "it was not restarted");
    }

    async fn traffic_is_cut_between_two_and_healed(&self) {
        let fronts = self.select("app=front").await;
        let [one, other] = fronts.as_slice() else { panic!("{fronts:?}") };
        let store = self.first("app=store").await;
        let named = |instance: &Instance| selector(&format!("name={}", instance.name));
        assert!(self.gets(one, other).await && self.gets(&store, one).await);
        let cut = self.environment.isolate("cut-1", &named(one), Some(&named(other)), Direction::Both).await;
        cut.expect("it is cut");
        self.until("one way is cut", async || !self.gets(one, other).await).await;
        self.until("the other way is cut", async || !self.gets(other, one).await).await;
        assert!(self.gets(&store, one).await && self.gets(one, one).await, "everybody else gets through");
        self.environment.heal("cut-1").await.expect("healed");
        self.environment.heal("cut-1").await.expect("healed twice is fine");
        self.until("it is healed", async || self.gets(one, other).await && self.gets(other, one).await).await;
        let nobody = self.environment.isolate("cut-2", &selector("app=nobody"), None, Direction::Both).await;
        assert!(matches!(nobody, Err(EnvironmentError::NotFound(_))), "{nobody:?}");
        let (one, peer) = (named(one), selector("app=nobody"));
        let nobody = self.environment.isolate("cut-2", &one, Some(&peer), Direction::Both).await;
        assert!(matches!(nobody, Err(EnvironmentError::NotFound(_))), "{nobody:?}");
    }

    async fn traffic_is_cut_from_everything_and_healed(&self) {
        let (front, store) = (self.first("app=front").await, self.first("app=store").await);
        self.environment
            .isolate("cut-3", &selector("app=front"), None, Direction::Ingress)
            .await
            .expect("cut");
        self.until("it is cut", async || !self.gets(&store, &front).await).await;
        self.environment.heal("cut-3").await.expect("healed");
        self.until("it is healed", async || self.gets(&store, &front).await).await;
    }

    async fn workloads_are_scaled(&self) {
        self.environment.scale("front", 3).await.expect("scaled");
        self.until("there are three", async || self.select("app=front").await.len() == 3).await;
        self.environment.wait_ready(self.traits.patience).await.expect("three are ready");
        self.environment.scale("front", 2).await.expect("scaled back");
        self.until("there are two", async || self.select("app=front").await.len() == 2).await;
        let nobody = self.environment.scale("nobody", 1).await;
        assert!(matches!(nobody, Err(EnvironmentError::NotFound(_))), "{nobody:?}");
    }

    async fn usage_is_read(&self) {
        self.until("everything is measured", async || {
            let usage = self.environment.usage(&selector("tier=data")).await.expect("readings");
            let measured = usage.iter().filter(|one| one.memory > 0 && one.cpu_limit == Some(500));
            measured.count() == 3
        })
        .await;
        let store = self.environment.usage(&selector("app=store")).await.expect("readings");
        assert_eq!(store.iter().filter(|one| !one.subject.starts_with('(')).count(), 1, "{store:?}");
    }

    async fn groups_are_bounded(&self) {
        let tier = selector("tier=data,app in (front, store)");
        let quotas = self.environment.quotas(&tier).await.expect("one group");
        let [before] = quotas.as_slice() else { panic!("{quotas:?}") };
        assert_eq!(before.quota, Quota::default());
        assert!(before.capacity.cpu.is_some_and(|cpu| cpu >= 1000), "{before:?}");
        let quota = Quota { cpu: Some(900), memory: Some(128 << 20) };
        self.environment.set_quota(&before.group, quota).await.expect("bounded");
        assert_eq!(self.environment.quotas(&tier).await.expect("one group")[0].quota, quota);
        self.all_ready().await;
        self.environment.set_quota(&before.group, Quota::default()).await.expect("lifted");
        assert_eq!(self.environment.quotas(&tier).await.expect("one group")[0].quota, Quota::default());
        let front = self.environment.workloads(&selector("app=front")).await.expect("workloads").remove(0);
        assert_eq!((front.cpu_limit, front.memory_limit), (Some(500), Some(64 << 20)));
        let half = self.environment.quotas(&selector("app=front")).await;
        assert!(matches!(half, Err(EnvironmentError::Conflict(_))), "{half:?}");
    }

    async fn nodes_are_cordoned(&self) {
        let node = self.first("app=store").await.node;
        assert!(self.node(&node).await.ready && self.node(&node).await.schedulable);
        self.environment.set_schedulable(&node, false).await.expect("cordoned");
        assert!(!self.node(&node).await.schedulable);
        self.environment.set_schedulable(&node, true).await.expect("uncordoned");
        assert!(self.node(&node).await.schedulable);
        let nobody = self.environment.set_schedulable("nobody", false).await;
        assert!(matches!(nobody, Err(EnvironmentError::NotFound(_))), "{nobody:?}");
    }

    async fn a_drained_node_is_left(&self) {
        let node = self.first("app=front").await.node;
        self.environment.drain(&node, self.traits.patience).await.expect("drained");
        assert!(!self.node(&node).await.schedulable);
        let fronts = self.select("app=front").await;
        assert!(fronts.iter().all(|front| front.node != node), "{fronts:?}");
        self.environment.set_schedulable(&node, true).await.expect("uncordoned");
    }

    async fn a_failed_node_is_not_ready(&self) {
        if !self.traits.power {
            return;
        }
        // Not the one of the store, which would not come back before its node does.
        let store = self.first("app=store").await.node;
        let nodes = self.environment.nodes().await.expect("nodes");
        let node = nodes.into_iter().find(|node| node.name != store).expect("another node").name;
        self.environment.fail_node(&node).await.expect("powered off");
        self.until("it is not ready", async || !self.node(&node).await.ready).await;
        let twice = self.environment.fail_node(&node).await;
        assert!(matches!(twice, Err(EnvironmentError::Conflict(_))), "{twice:?}");
        self.environment.restore_node(&node).await.expect("powered on");
        self.environment.restore_node(&node).await.expect("powered on twice is fine");
        self.until("it is ready", async || self.node(&node).await.ready).await;
    }
}
