//! Database servers for the tests: each is started once, on a free port, in a folder of its own,
//! and ends with the tests, however they end.
//!
//! - `LATCHKEY_TEST_MONGODB_URL`, or a `mongod` on the `PATH`: a real MongoDB;
//! - `LATCHKEY_TEST_NX27017`, or `.venv/bin/nx-27017`: NX-27017 (from `PyPI`);
//! - `LATCHKEY_TEST_FERRETDB`, or `../shared/bin/ferretdb`: FerretDB.
//!
//! A server that is not there is left out, and it is said so; with `CI` set and no real MongoDB it
//! is a failure instead.

use std::env;
use std::ffi::OsString;
use std::io::{Read, Write, stderr};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use tokio::sync::OnceCell;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    FerretDb,
    MongoDb,
    Nx27017,
}

impl Kind {
    /// Whether an update whose filter several match at once is carried out once only.
    pub fn is_atomic(self) -> bool {
        self != Self::FerretDb
    }

    /// By how much two dates must differ to be told apart in a filter.
    pub fn date_step_ms(self) -> i64 {
        if self == Self::Nx27017 { 1000 } else { 1 }
    }

    /// The server that all tests share; `None`, and said so, if there is none.
    pub async fn shared(self) -> Option<&'static Server> {
        static SHARED: [OnceCell<Option<Server>>; 3] = [const { OnceCell::const_new() }; 3];
        let cell = match self {
            Self::FerretDb => &SHARED[0],
            Self::MongoDb => &SHARED[1],
            Self::Nx27017 => &SHARED[2],
        };
        cell.get_or_init(|| self.find()).await.as_ref()
    }

    /// A server for one test alone, to be killed and started again.
    pub async fn alone(self) -> Option<Server> {
        match self.program() {
            Some(program) => Some(Server::start(self, &program).await),
            None => self.left_out(),
        }
    }

    async fn find(self) -> Option<Server> {
        if self == Self::MongoDb
            && let Some(url) = given_mongodb()
        {
            return Some(Server::given(url));
        }
        self.alone().await
    }

    fn program(self) -> Option<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let given = |variable| env::var_os(variable).map(PathBuf::from);
        let program = match self {
            Self::FerretDb => given("LATCHKEY_TEST_FERRETDB")
                .unwrap_or_else(|| root.join("../shared/bin/ferretdb")),
            Self::MongoDb => env::split_paths(&env::var_os("PATH")?)
                .map(|folder| folder.join("mongod"))
                .find(|program| program.is_file())?,
            Self::Nx27017 => {
                given("LATCHKEY_TEST_NX27017").unwrap_or_else(|| root.join(".venv/bin/nx-27017"))
            }
        };
        program.is_file().then_some(program)
    }

    fn left_out<T>(self) -> Option<T> {
        let needed = self != Self::MongoDb && given_mongodb().is_none();
        assert!(!(needed && env::var_os("CI").is_some()), "{self:?} is not there");
        // Past the test harness, which shows what is printed of failures only.
        let _ = writeln!(stderr(), "left out: what needs {self:?}, which is not there");
        None
    }

    fn arguments(self, port: u16, folder: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        match self {
            Self::FerretDb => {
                add("-listen", format!("127.0.0.1:{port}").into());
                add("-dir", folder.join("data").into());
            }
            Self::MongoDb => {
                add("--bind_ip", "127.0.0.1".into());
                add("--port", port.to_string().into());
                add("--dbpath", folder.join("data").into());
            }
            Self::Nx27017 => {
                add("--port", port.to_string().into());
                add("--data-dir", folder.join("data").into());
                add("--log-file", folder.join("nx.log").into());
                add("--pid-file", folder.join("nx.pid").into());
            }
        }
        arguments
    }
}

fn given_mongodb() -> Option<String> {
    env::var("LATCHKEY_TEST_MONGODB_URL").ok().filter(|url| !url.is_empty())
}

/// A running database server.
#[derive(Debug)]
pub struct Server {
    pub kind: Kind,
    url: String,
    // Not there for a server that was given.
    process: Option<Process>,
}

impl Server {
    fn given(url: String) -> Self {
        Self { kind: Kind::MongoDb, url, process: None }
    }

    async fn start(kind: Kind, program: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap().keep(); // the guard removes it
        std::fs::create_dir(folder.join("data")).unwrap();
        let arguments = kind.arguments(port, &folder);
        let process = Process::start(program, &arguments, &folder);
        let server =
            Self { kind, url: format!("mongodb://127.0.0.1:{port}/"), process: Some(process) };
        server.ready().await;
        server
    }

    /// The URL of a database that no other test knows.
    pub fn fresh_database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        self.url_of(&format!("latchkey_test_{}_{count}", std::process::id()))
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        let rest = self.url.trim_start_matches("mongodb://");
        let hosts = rest.split(['/', '?']).next().unwrap();
        hosts.rsplit('@').next().unwrap()
    }

    /// The given URL with another database; who may connect is still looked up in the one before.
    fn url_of(&self, name: &str) -> String {
        let (before, options) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (scheme, rest) = before.split_once("://").unwrap();
        let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
        let source = if database.is_empty() || options.contains("authSource") {
            String::new()
        } else {
            format!("authSource={database}&")
        };
        format!("{scheme}://{hosts}/{name}?{source}{options}")
    }

    /// Ends it as a power cut would: SIGKILL.
    pub fn kill(&self) {
        self.process.as_ref().unwrap().order("kill");
    }

    /// Starts it again after [`kill`](Self::kill): on the same port, with the same data.
    pub async fn start_again(&self) {
        self.process.as_ref().unwrap().order("start");
        self.ready().await;
    }

    async fn ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.answers().await {
            assert!(Instant::now() < deadline, "{:?} does not start", self.kind);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn answers(&self) -> bool {
        let mut options = ClientOptions::parse(&self.url).await.unwrap();
        options.server_selection_timeout = Some(Duration::from_millis(500));
        let client = mongodb::Client::with_options(options).unwrap();
        client.database("admin").run_command(doc! { "ping": 1 }).await.is_ok()
    }
}

/// Runs the server and takes orders. When they end, because the tests ended, however they did, the
/// server is stopped and its folder removed. (A server that was killed leaves its pid file behind,
/// and would think that it still runs.)
const GUARD: &str = r#"
folder=$1; shift
start() {
    rm -f "$folder/nx.pid"
    "$@" </dev/null >>"$folder/output" 2>&1 &
    server=$!
}
start "$@"
while read -r order; do
    case $order in
        kill) kill -9 "$server"; wait "$server"; server= ;;
        start) start "$@" ;;
    esac
    echo "$order"
done
if [ -n "$server" ]; then
    kill "$server"
    (sleep 5; kill -9 "$server") >/dev/null 2>&1 &
    patience=$!
    wait "$server"
    kill "$patience"
fi
rm -rf "$folder"
"#;

/// A server of our own, by way of its guard.
#[derive(Debug)]
struct Process {
    guard: Mutex<Child>,
}

impl Process {
    fn start(program: &Path, arguments: &[OsString], folder: &Path) -> Self {
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .args([folder, program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Self { guard: Mutex::new(guard.unwrap()) }
    }

    /// Returns when it has been carried out.
    fn order(&self, order: &str) {
        let mut guard = self.guard.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(guard.stdin.as_mut().unwrap(), "{order}").unwrap();
        let mut echo = vec![0; order.len() + 1];
        guard.stdout.as_mut().unwrap().read_exact(&mut echo).unwrap();
        assert_eq!(echo, format!("{order}\n").into_bytes());
    }
}

impl Drop for Process {
    /// Waits until the server has ended.
    fn drop(&mut self) {
        let guard = self.guard.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(guard.stdin.take());
        let _ = guard.wait();
    }
}
