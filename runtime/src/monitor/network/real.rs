//! Against the real NetworkManager, on a bus of our own and in a network namespace of its own. A
//! second one is its internet, which can be reached, or is behind a portal, or is not there.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bgtask_model::{
    Predicate::{Internet, Unmetered},
    SystemEvent::InternetAvailable,
};

use crate::{
    Reading::{self, Guess, Known, Unknown},
    clock::{Bell, SystemClock},
    monitor::{
        MonitorConfig, Monitors,
        bench::{Told, in_namespace, run},
        bus_bench::{Bus, Process, missing},
    },
};

const NAME: &str = "org.freedesktop.NetworkManager";
const PATH: &str = "/org/freedesktop/NetworkManager";

/// `NMConnectivityState`: <https://networkmanager.dev/docs/api/latest/nm-dbus-types.html>
const NONE: u32 = 1;
const PORTAL: u32 = 2;
const LIMITED: u32 = 3;
const FULL: u32 = 4;

/// What its check of the internet is answered with.
const ONLINE: &str = "NetworkManager is online\n";

/// Answers every request with what is in a file.
const SERVER: &str = "
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = open(sys.argv[1], 'rb').read()
        self.send_response(200)
        self.send_header('Content-Length', str(len(page)))
        self.end_headers()
        self.wfile.write(page)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Page)
print('there', flush=True)
server.serve_forever()
";

/// The bus, the internet, and running monitors.
struct Bench {
    bus: Bus,
    /// Whose network the internet is.
    internet: Process,
    told: Told,
    _monitors: Monitors,
    _bell: Arc<Bell>,
}

impl Bench {
    fn start() -> Self {
        // Where the kernel's devices cannot be written, it does not wait for udev.
        run("util-linux", &["mount", "-o", "remount,bind,ro", "/sys"]);
        for private in ["/run", "/var/lib"] {
            run("util-linux", &["mount", "-t", "tmpfs", "tmpfs", private]);
            fs::create_dir(PathBuf::from(private).join("NetworkManager")).expect("made");
        }
        let bus = Bus::start();
        // It says something once its network is its own, and goes on until it is killed.
        let command = ["unshare", "--net", "sh", "-c", "echo there && exec cat"];
        let mut internet = Command::new(command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| missing("util-linux", &command, &error));
        line(&mut internet);
        let internet = Process(internet);
        let id = internet.id().to_string();
        let link = "ip link add v0 type veth peer name v1 netns";
        run(
            "iproute2",
            &[&link.split(' ').collect::<Vec<_>>()[..], &[&id]].concat(),
        );
        let config = MonitorConfig {
            etc: PathBuf::from("/nonexistent"),
            tz: None,
            system_bus: Some(bus.address.clone()),
            debounce_down: Duration::ZERO,
            ..MonitorConfig::default()
        };
        let bell = Bell::start().expect("a thread");
        let clock = Arc::new(SystemClock::with_bell(&bell).expect("a timer"));
        let (sender, told) = Told::listen();
        let bench = Self {
            told,
            _monitors: Monitors::start(sender, clock, Some(&bell), config),
            _bell: bell,
            bus,
            internet,
        };
        bench.there("link set lo up");
        bench.there("addr add 10.9.0.1/24 dev v1");
        bench.there("link set v1 up");
        bench.configure();
        bench
    }

    /// Runs `ip` in the internet.
    fn there(&self, arguments: &str) {
        let id = self.internet.id().to_string();
        let enter = ["nsenter", "--target", &id, "--net", "ip"];
        let arguments: Vec<&str> = arguments.split(' ').collect();
        run("util-linux", &[&enter[..], &arguments].concat());
    }

    fn at(&self, name: &str) -> PathBuf {
        self.bus.folder.path().join(name)
    }

    fn configure(&self) {
        let connections = self.at("connections");
        fs::create_dir(&connections).expect("made");
        let config = format!(
            "[main]\nplugins=keyfile\ndns=none\nrc-manager=unmanaged\nno-auto-default=*\n\
            auth-polkit=false\n[keyfile]\npath={}\n[connectivity]\nenabled=true\n\
            uri=http://10.9.0.1:8080/check\ninterval=60\n[device]\nmanaged=1\n",
            connections.display()
        );
        fs::write(self.at("manager.conf"), config).expect("written");
        let connection = "[connection]\nid=v0\nuuid=11111111-2222-3333-4444-555555555555\n\
            type=ethernet\ninterface-name=v0\nmetered=2\n[ipv4]\nmethod=manual\n\
            address1=10.9.0.2/24,10.9.0.1\n[ipv6]\nmethod=disabled\n";
        let file = connections.join("v0.nmconnection");
        fs::write(&file, connection).expect("written");
        // Others it does not believe.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    }

    fn manager(&self) -> Process {
        let command = ["/usr/sbin/NetworkManager", "--debug"];
        let manager = Command::new(command[0])
            .args(&command[1..])
            .arg(format!("--config={}", self.at("manager.conf").display()))
            .arg(format!("--config-dir={}", self.at("none").display()))
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.bus.address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Process(manager.unwrap_or_else(|error| missing("network-manager", &command, &error)))
    }

    /// What answers in the internet.
    fn server(&self) -> Process {
        let id = self.internet.id().to_string();
        let command = ["nsenter", "--target", &id, "--net", "/usr/bin/python3"];
        let mut server = Command::new(command[0])
            .args(&command[1..])
            .args(["-c", SERVER])
            .arg(self.at("page"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| missing("util-linux", &command, &error));
        line(&mut server);
        Process(server)
    }

    fn answer(&self, page: &str) {
        fs::write(self.at("page"), page).expect("written");
    }

    /// Has NetworkManager check its internet: what it found.
    async fn check(&self) -> u32 {
        let bus = zbus::conn::Builder::address(&*self.bus.address)
            .build()
            .await;
        let bus = bus.expect("a bus");
        let found = bus.call_method(Some(NAME), PATH, Some(NAME), "CheckConnectivity", &());
        let found = found.await.expect("an answer");
        found.body().deserialize().expect("a number")
    }

    async fn internet(&mut self, reading: Reading, source: &str) {
        self.told.until(Internet, reading, source).await;
    }

    async fn manager_says(&mut self, reading: Reading) {
        self.internet(reading, "network_manager").await;
    }
}

fn line(child: &mut std::process::Child) {
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "there\n");
}

#[test]
fn the_real_network_manager_is_believed_while_it_is_there() {
    in_namespace(
        "net mount",
        module_path!(),
        "the_real_network_manager_is_believed_while_it_is_there",
        async || {
            let mut bench = Bench::start();
            bench.answer(ONLINE);
            let server = bench.server();
            bench.internet(Guess(false), "netlink").await;
            let manager = bench.manager();
            bench.manager_says(Known(true)).await;
            let by = "network_manager";
            bench.told.until(Unmetered, Known(true), by).await;
            bench.told.events.clear();

            bench.answer("<html>Welcome! Please log in.</html>");
            assert_eq!(bench.check().await, PORTAL);
            bench.manager_says(Known(false)).await;
            assert_eq!(
                bench.told.last(&Unmetered).map(|last| last.0),
                Some(Known(false))
            );
            bench.answer(ONLINE);
            assert_eq!(bench.check().await, FULL);
            bench.manager_says(Known(true)).await;

            drop(server);
            assert_eq!(bench.check().await, LIMITED);
            bench.manager_says(Known(false)).await;
            let _server = bench.server();
            assert_eq!(bench.check().await, FULL);
            bench.manager_says(Known(true)).await;

            // The cable is pulled. It takes some seconds for that.
            bench.there("link set v1 down");
            bench.manager_says(Known(false)).await;
            assert_eq!(bench.check().await, NONE);
            bench.there("link set v1 up");
            bench.manager_says(Known(true)).await;
            assert_eq!(bench.told.events, [InternetAvailable; 3]);

            // It dies: what it made of the network stays, and nobody knows more than that.
            bench.told.events.clear();
            bench.told.facts.clear();
            manager.end();
            bench.internet(Guess(true), "netlink").await;
            assert_eq!(
                bench.told.last(&Unmetered).map(|last| last.0),
                Some(Unknown)
            );
            let _manager = bench.manager();
            bench.manager_says(Known(true)).await;
            bench.told.until(Unmetered, Known(true), by).await;
            assert_eq!(bench.told.events, [], "it was there all along");
        },
    );
}
