"""A headless Chromium, spoken to over its pipe in the DevTools protocol (https://chromedevtools.github.io/devtools-protocol)."""

import fcntl
import json
import os
import select
import subprocess
import time

CHROMIUM = "/usr/bin/chromium"
SECONDS = 120


def pipe():
    """One whose ends are not 3 and 4: these are what Chromium reads and writes."""
    ends = os.pipe()
    found = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return found


class Browser:
    """Opens one page at a time."""

    def __init__(self, folder):
        (read, to_it), (from_it, write) = pipe(), pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--hide-scrollbars", f"--user-data-dir={folder}", "--remote-debugging-pipe"]
        command = ["bash", "-c", f'exec "$@" 3<&{read} 4>&{write}', "bash", CHROMIUM, *options, "about:blank"]
        with open(folder / "log", "w") as log:
            self.process = subprocess.Popen(command, pass_fds=(read, write), stdout=log, stderr=log)
        os.close(read)
        os.close(write)
        self.to_it, self.from_it, self.rest, self.n, self.events = to_it, from_it, b"", 0, []
        self.session = None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self(f"{domain}.enable")

    def close(self):
        self.session = None
        self("Browser.close")
        self.process.wait(SECONDS)
        os.close(self.to_it)
        os.close(self.from_it)

    def __call__(self, method, **parameters):
        """What `method` returns; events that come before that are kept."""
        self.n += 1
        message = {"id": self.n, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_it, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.n:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.events.append(answer)

    def _next(self):
        end = time.monotonic() + SECONDS
        while b"\0" not in self.rest:
            assert select.select([self.from_it], [], [], max(0, end - time.monotonic()))[0], "Chromium says nothing"
            found = os.read(self.from_it, 1 << 20)
            assert found, "Chromium has ended"
            self.rest += found
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, path, width, scheme):
        """Opens a page in a window so wide, in the scheme `light` or `dark`; returns all events until it is there."""
        self.events.clear()
        self("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())
        # What is there after two more frames has been drawn.
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return list(self.events)

    def value(self, expression):
        """What an expression of JavaScript is in the page."""
        found = self("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")
