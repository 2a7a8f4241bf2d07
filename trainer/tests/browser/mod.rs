//! Headless Chromium, spoken to through pipes (`--remote-debugging-pipe`): messages of the DevTools protocol, JSON with a
//! zero byte after each. No driver and no socket is needed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long a browser may take for anything on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub struct Browser {
    process: Child,
    orders: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    sent: u64,
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts it; `None` where it is not installed, which CI takes for a failure.
    pub fn start() -> Option<Self> {
        if !Command::new("chromium")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
        {
            assert!(std::env::var_os("CI").is_none(), "CI must have chromium: see .ci/run");
            eprintln!("SKIPPED: chromium is not installed (apt-get install chromium)");
            return None;
        }
        let profile = tempfile::tempdir().expect("a temporary folder");
        // The shell gives the pipes the numbers that Chromium reads from and writes to.
        let mut process = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 >/dev/null", "sh"])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
            .args(["--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it just ran");
        let orders = process.stdin.take().expect("it is a pipe");
        let answers = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("Chromium speaks JSON");
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let session = String::new();
        let mut browser = Self { process, orders, messages, session, sent: 0, events: Vec::new(), _profile: profile };
        let target = browser.order("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.order("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().expect("a session has a name").into();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.order(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Opens a file and waits until it is shown.
    pub fn open(&mut self, page: &Path) {
        let url = format!("file://{}", page.canonicalize().expect("the page is there").display());
        self.order("Page.navigate", json!({ "url": url }));
        self.wait_for_load();
    }

    /// Waits until a page has been loaded, since it was last waited for.
    pub fn wait_for_load(&mut self) {
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            self.receive();
        }
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        // Charts are drawn with the first frame.
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))");
    }

    /// The size of the window, in pixels.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.order("Emulation.setDeviceMetricsOverride", size);
    }

    /// What a JavaScript expression gives.
    #[track_caller]
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.order("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses and releases a key, as a person at the keyboard.
    pub fn press(&mut self, key: &str) {
        let code = match key {
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            _ => unreachable!("tests press arrows"),
        };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.order("Input.dispatchKeyEvent", event);
        }
    }

    /// Puts the mouse on the middle of an element, and clicks it if asked to.
    pub fn point_at(&mut self, selector: &str, click: bool) {
        let middle = self.evaluate(&format!(
            "(() => {{ const element = document.querySelector('{selector}'); element.scrollIntoView({{ block: 'center' }}); \
             const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        let kinds: &[&str] = if click { &["mouseMoved", "mousePressed", "mouseReleased"] } else { &["mouseMoved"] };
        for kind in kinds {
            let button = if *kind == "mouseMoved" { "none" } else { "left" };
            let event = json!({ "type": kind, "x": middle[0], "y": middle[1], "button": button, "clickCount": 1 });
            self.order("Input.dispatchMouseEvent", event);
        }
    }

    /// Asserts that no page had an error, and that none asked for anything but files and what lies in the page.
    #[track_caller]
    pub fn assert_quiet(&mut self) {
        self.evaluate("0"); // what came before it has been received then
        for event in &self.events {
            let parameters = &event["params"];
            let complaint = match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => true,
                "Runtime.consoleAPICalled" => parameters["type"] == "error" || parameters["type"] == "warning",
                "Log.entryAdded" => parameters["entry"]["level"] == "error",
                "Network.requestWillBeSent" => {
                    let url = parameters["request"]["url"].as_str().unwrap_or_default();
                    !url.starts_with("file:") && !url.starts_with("data:")
                }
                _ => false,
            };
            assert!(!complaint, "{event}");
        }
    }

    fn order(&mut self, method: &str, parameters: Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.orders.write_all(format!("{message}\0").as_bytes()).expect("Chromium listens");
        loop {
            if let Some(answer) = self.receive() {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The answer to the last order, or none where it was an event, which is kept.
    fn receive(&mut self) -> Option<Value> {
        let message = self.messages.recv_timeout(PATIENCE).expect("Chromium answers");
        if message["id"] == self.sent {
            return Some(message);
        }
        self.events.push(message);
        None
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to, it ends its helpers before itself, so that none writes into the profile while it is removed.
        let close = json!({ "id": self.sent + 1, "method": "Browser.close" });
        let _gone = self.orders.write_all(format!("{close}\0").as_bytes());
        while self.messages.recv_timeout(PATIENCE).is_ok() {}
        let _gone = self.process.kill();
        let _ended = self.process.wait();
    }
}
