"""RabbitMQ with STOMP over WebSocket, in a folder and under a node name of its own; its own counters say what it took and gave."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

HERE = Path.cwd()
PORT = int(os.environ["PORT"])
BIN = Path("/usr/lib/rabbitmq/bin")
NODE = f"foreign{PORT}@localhost"
ENV = os.environ | {
    "HOME": str(HERE),
    "RABBITMQ_NODENAME": NODE,
    "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
    "RABBITMQ_NODE_PORT": str(PORT + 1),
    "RABBITMQ_DIST_PORT": str(PORT + 2),
    "RABBITMQ_MNESIA_BASE": str(HERE / "mnesia"),
    "RABBITMQ_LOG_BASE": str(HERE / "log"),
    "RABBITMQ_CONFIG_FILE": str(HERE / "rabbitmq"),
    "RABBITMQ_ENABLED_PLUGINS_FILE": str(HERE / "enabled_plugins"),
    # Its port mapper stays on loopback, and ends with it.
    "ERL_EPMD_ADDRESS": "127.0.0.1",
    "ERL_EPMD_PORT": str(PORT + 3),
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
}
CONFIG = f"""
loopback_users = none
default_user = guest
default_pass = {os.environ["PASSWORD"]}
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = {PORT}
stomp.listeners.tcp.1 = 127.0.0.1:{PORT + 4}
"""


def ctl(*arguments: str) -> str:
    done = subprocess.run([BIN / "rabbitmqctl", "-n", NODE, *arguments], env=ENV, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    (HERE / "rabbitmq.conf").write_text(CONFIG)
    (HERE / "enabled_plugins").write_text("[rabbitmq_web_stomp].\n")
    server = subprocess.Popen([BIN / "rabbitmq-server"], env=ENV, start_new_session=True)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1) or signal.raise_signal(signal.SIGALRM))
    signal.signal(signal.SIGALRM, lambda *_: None)
    ctl("await_startup", "--timeout", "120")
    if server.poll() is None:
        (HERE / "ready").touch()
    while not stopped and server.poll() is None:
        signal.pause()
    told = ctl("eval", "rabbit_global_counters:overview().")
    total = lambda name: sum(int(n) for n in re.findall(rf"\b{name} =>\s*(\d+)", told))
    counted = {"taken": total("messages_received_total"), "said": total("messages_delivered_total")}
    Path(os.environ["COUNTS"]).write_text(json.dumps(counted))
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(60)
    subprocess.run(["epmd", "-port", str(PORT + 3), "-kill"], env=ENV, capture_output=True)


main()
