//! Keeps the system from going to sleep while tasks with `network_requested` run: what sleeps has no
//! network. A lock of logind for each run, <https://systemd.io/INHIBITOR_LOCKS/>.

mod lock;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use zbus::{
    Connection, OwnedFd, Proxy,
    conn::Builder,
    proxy::{CacheProperties, MethodFlags},
};

use crate::RunId;

pub(crate) use lock::{Lock, NoLock};

/// <https://www.freedesktop.org/software/systemd/man/latest/org.freedesktop.login1.html>
const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";

/// Neither asked to sleep, nor by itself because nobody is there.
const WHAT: &str = "sleep:idle";
/// Until the lock is given back; a closed lid counts for more.
const MODE: &str = "block";

/// A bus or a service that does not answer in this time is not there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Takes the locks of an app, on a thread of its own once one is needed.
#[derive(Debug)]
pub(crate) struct Inhibitor {
    address: Option<String>,
    app: String,
    orders: OnceLock<mpsc::UnboundedSender<Order>>,
    /// `None`: nobody has tried.
    found: Mutex<Option<Result<(), String>>>,
}

enum Order {
    /// Whether locks are to be had.
    Try(oneshot::Sender<Result<(), String>>),
    Hold {
        run: RunId,
        task: String,
    },
    Release(RunId),
}

impl Inhibitor {
    /// For an app of this id, on the system bus at this address, or the usual one.
    pub(crate) fn new(app: String, address: Option<String>) -> Self {
        Self {
            address,
            app,
            orders: OnceLock::new(),
            found: Mutex::default(),
        }
    }

    /// Finds out whether locks are to be had: takes one and gives it back. That there are some is
    /// remembered; otherwise it is tried again each time. The future takes some seconds at most.
    pub(crate) fn learn(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let this = Arc::clone(self);
        async move {
            if this.has_some() {
                return;
            }
            let (reply, answer) = oneshot::channel();
            this.order(Order::Try(reply));
            let gone = |_| Err("the thread for it could not be started".to_owned());
            let found = answer.await.unwrap_or_else(gone);
            *this.found() = Some(found);
        }
    }

    /// Whether locks were to be had when that was last [found out](Self::learn).
    pub(crate) fn has_some(&self) -> bool {
        matches!(*self.found(), Some(Ok(())))
    }

    /// The same, and why not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let found = self.found().clone();
        found.unwrap_or_else(|| Err("nobody has asked for one yet".to_owned()))
    }

    fn found(&self) -> MutexGuard<'_, Option<Result<(), String>>> {
        // No code of others runs under the lock, so it is whole.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a lock for a run, until it is [released](Self::release).
    pub(crate) fn hold(&self, run: RunId, task: &str) {
        let task = task.to_owned();
        self.order(Order::Hold { run, task });
    }

    /// Gives the lock of a run back, if it has one.
    pub(crate) fn release(&self, run: RunId) {
        if let Some(orders) = self.orders.get() {
            let _ = orders.send(Order::Release(run));
        }
    }

    fn order(&self, order: Order) {
        let orders = self.orders.get_or_init(|| {
            let (orders, received) = mpsc::unbounded_channel();
            let locks = Locks {
                address: self.address.clone(),
                app: self.app.clone(),
                bus: None,
                held: BTreeMap::new(),
            };
            let thread = std::thread::Builder::new().name("bgtask-awake".to_owned());
            if let Err(error) = thread.spawn(move || locks.serve(received)) {
                tracing::warn!(%error, "no thread keeps the system awake");
            }
            orders
        });
        // Without the thread the order is dropped, and who waits for an answer sees that.
        let _ = orders.send(order);
    }
}

/// The thread's side. What is held ends with it.
struct Locks {
    address: Option<String>,
    app: String,
    /// While something is held.
    bus: Option<Connection>,
    held: BTreeMap<RunId, OwnedFd>,
}

impl Locks {
    fn serve(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return tracing::warn!(%error, "nothing keeps the system awake"),
        };
        runtime.block_on(async {
            while let Some(order) = orders.recv().await {
                self.follow(order).await;
                if self.held.is_empty() {
                    self.bus = None;
                }
            }
        });
    }

    async fn follow(&mut self, order: Order) {
        match order {
            Order::Try(reply) => {
                let taken = self.lock("whether the system can be kept awake").await;
                let _ = reply.send(taken.map(drop));
            }
            Order::Hold { run, task } => {
                let why = format!("the task `{task}` needs the network");
                match self.lock(&why).await {
                    Ok(lock) => drop(self.held.insert(run, lock)),
                    Err(error) => {
                        tracing::warn!(task, error, "the system may go to sleep during its run");
                    }
                }
            }
            Order::Release(run) => drop(self.held.remove(&run)),
        }
    }

    async fn lock(&mut self, why: &str) -> Result<OwnedFd, String> {
        let locked = timeout(PATIENCE, self.inhibit(why)).await;
        let locked = locked.unwrap_or_else(|_| Err("it does not answer".to_owned()));
        if locked.is_err() {
            // The next one finds out whether there is another.
            self.bus = None;
        }
        locked
    }

    async fn inhibit(&mut self, why: &str) -> Result<OwnedFd, String> {
        let bus = match &self.bus {
            Some(bus) => bus.clone(),
            None => {
                let builder = match &self.address {
                    Some(address) => Builder::address(&**address),
                    None => Builder::system(),
                };
                let bus = builder.build().await;
                let bus = bus.map_err(|error| format!("there is no system bus: {error}"))?;
                self.bus.insert(bus).clone()
            }
        };
        let logind = zbus::proxy::Builder::<Proxy<'_>>::new(&bus)
            .destination(LOGIND)
            .path(PATH)
            .interface(MANAGER)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .map_err(|error| refused(&error))?;
        let arguments = (WHAT, &*self.app, why, MODE);
        let flags = MethodFlags::NO_AUTO_START;
        let lock = logind.call_with_flags::<_, _, OwnedFd>("Inhibit", flags, &arguments);
        let lock = lock.await.map_err(|error| refused(&error))?;
        lock.ok_or_else(|| "logind gave no lock".to_owned())
    }
}

/// Why logind gives no lock.
fn refused(error: &zbus::Error) -> String {
    use zbus::fdo::Error::{NameHasNoOwner, ServiceUnknown};
    match error {
        zbus::Error::FDO(known) if matches!(**known, ServiceUnknown(_) | NameHasNoOwner(_)) => {
            format!("logind is not there: nobody is `{LOGIND}` on the system bus")
        }
        other => format!("logind refuses it: {other}"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::monitor::Bus;

    /// Far more than any step takes: a test that waits for so long has failed.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn inhibitor(address: &str) -> Arc<Inhibitor> {
        let app = "com.example.mail".to_owned();
        Arc::new(Inhibitor::new(app, Some(address.to_owned())))
    }

    async fn missing(inhibitor: &Arc<Inhibitor>) -> String {
        inhibitor.learn().await;
        inhibitor.check().unwrap_err()
    }

    type Listed = (String, String, String, String, u32, u32);

    /// The locks that are held: what, who, why and mode.
    async fn listed(bus: &Bus) -> Vec<[String; 4]> {
        let connection = Builder::address(&*bus.address).build().await.unwrap();
        let answer = connection
            .call_method(Some(LOGIND), PATH, Some(MANAGER), "ListInhibitors", &())
            .await
            .unwrap();
        let locks: Vec<Listed> = answer.body().deserialize().unwrap();
        let locks = locks.into_iter();
        locks
            .map(|(what, who, why, mode, ..)| [what, who, why, mode])
            .collect()
    }

    /// Waits until so many locks are held.
    async fn until(bus: &Bus, count: usize) -> Vec<[String; 4]> {
        timeout(PATIENCE, async {
            loop {
                let listed = listed(bus).await;
                if listed.len() == count {
                    return listed;
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("there are never {count} locks"))
    }

    #[tokio::test]
    async fn each_run_has_a_lock_until_it_is_released() {
        let bus = Bus::start();
        let _logind = bus.mock("logind");
        bus.owned(LOGIND).await;
        let inhibitor = inhibitor(&bus.address);
        assert!(!inhibitor.has_some(), "nobody has tried");
        inhibitor.learn().await;
        assert_eq!(inhibitor.check(), Ok(()));
        until(&bus, 0).await;
        let [first, second] = [RunId::now(), RunId::now()];
        inhibitor.hold(first, "sync");
        let why = "the task `sync` needs the network";
        let lock = ["sleep:idle", "com.example.mail", why, "block"].map(str::to_owned);
        assert_eq!(until(&bus, 1).await, [lock]);
        inhibitor.hold(second, "push");
        until(&bus, 2).await;
        inhibitor.release(first);
        inhibitor.release(RunId::now());
        let left = until(&bus, 1).await;
        assert!(left[0][2].contains("push"), "{left:?}");
        inhibitor.release(second);
        until(&bus, 0).await;
        inhibitor.hold(first, "sync");
        until(&bus, 1).await;
        drop(inhibitor);
        until(&bus, 0).await;
    }

    #[tokio::test]
    async fn what_is_missing_is_told() {
        let nowhere = inhibitor("unix:path=/nonexistent/bus");
        let why = missing(&nowhere).await;
        assert!(why.starts_with("there is no system bus: "), "{why}");
    }

    #[tokio::test]
    async fn a_logind_that_comes_later_is_found() {
        let bus = Bus::start();
        let inhibitor = inhibitor(&bus.address);
        let expected = "logind is not there: nobody is `org.freedesktop.login1` on the system bus";
        assert_eq!(missing(&inhibitor).await, expected);
        let logind = bus.mock("logind");
        bus.owned(LOGIND).await;
        inhibitor.learn().await;
        assert_eq!(inhibitor.check(), Ok(()));
        // That it goes is for each run to find out.
        logind.end();
        inhibitor.learn().await;
        assert!(inhibitor.has_some());
    }

    #[tokio::test]
    async fn nobody_waits_for_one_that_does_not_answer() {
        // Nobody is behind this address; the connection is taken all the same.
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let _deaf = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let inhibitor = inhibitor(&format!("unix:path={}", socket.display()));
        let learning = tokio::spawn(inhibitor.learn());
        // This thread goes on meanwhile: it is the only one of its runtime.
        tokio::task::yield_now().await;
        assert!(!learning.is_finished());
        learning.await.unwrap();
        assert_eq!(inhibitor.check(), Err("it does not answer".to_owned()));
    }

    #[tokio::test]
    async fn a_logind_that_refuses_is_told() {
        let bus = Bus::start();
        let _logind = bus.mock("logind");
        bus.owned(LOGIND).await;
        let denied = "raise dbus.exceptions.DBusException('not yours', \
            name='org.freedesktop.DBus.Error.AccessDenied')";
        let method = (MANAGER, "Inhibit", "ssss", "h", denied);
        bus.call(LOGIND, PATH, "AddMethod", &method).await;
        let why = missing(&inhibitor(&bus.address)).await;
        assert!(why.starts_with("logind refuses it: "), "{why}");
        assert!(why.contains("not yours"), "{why}");
    }
}
