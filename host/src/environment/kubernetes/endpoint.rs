//! Where one pod's port can be reached: inside the cluster at its address, outside it through a listener
//! on this machine whose connections the API server forwards. For questions, never for the load.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdTcpListener},
    sync::PoisonError,
};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

use super::Kubernetes;
use crate::environment::{EnvironmentError, Result};

/// Listeners by pod and port.
pub(super) type Forwards = HashMap<(String, u16), Forward>;

/// A listener that leads to one pod. It ends when this is dropped.
pub(super) struct Forward {
    /// The pod's: another of the same name is another.
    uid: Option<String>,
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kubernetes {
    pub(super) async fn way_to(&self, name: &str, port: u16) -> Result<SocketAddr> {
        let pod = self.instance_pod(name).await?;
        if self.inside {
            let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref()?.parse().ok());
            return address
                .map(|address| SocketAddr::new(address, port))
                .ok_or_else(|| EnvironmentError::Conflict(format!("instance '{name}' has no address yet")));
        }
        let uid = pod.metadata.uid;
        let mut forwards = self.forwards.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), port);
        if let Some(forward) = forwards.get(&key)
            && forward.uid == uid
            && !forward.task.is_finished()
        {
            return Ok(forward.address);
        }
        let failed =
            |error: std::io::Error| EnvironmentError::Other(format!("no port to forward from: {error}"));
        let listener = StdTcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let task = tokio::spawn(serve(listener, self.api(), name.to_owned(), port)).abort_handle();
        forwards.insert(key, Forward { uid, address, task });
        Ok(address)
    }
}

/// Every connection is forwarded by a request of its own, so that one that breaks takes no other with it.
async fn serve(listener: TcpListener, pods: Api<Pod>, name: String, port: u16) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((connection, _)) => {
                    connections.spawn(forward(connection, pods.clone(), name.clone(), port));
                }
                Err(_) => return,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until either end closes it, or the pod cannot be reached any more. Whoever
/// connected sees it end.
async fn forward(mut connection: TcpStream, pods: Api<Pod>, name: String, port: u16) {
    let Ok(mut forwarder) = pods.portforward(&name, &[port]).await else { return };
    let (Some(mut stream), Some(trouble)) = (forwarder.take_stream(port), forwarder.take_error(port)) else {
        return;
    };
    // The channel for trouble also ends, without any, when all is well: then the copying says so.
    let trouble = async {
        match trouble.await {
            Some(_) => {}
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut connection, &mut stream) => {}
        () = trouble => {}
    }
    forwarder.abort();
}
