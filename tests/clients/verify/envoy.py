"""Says of each token what an Envoy with the filters of the manual says of it: ENVOY FILTERS TOKEN_FILE …"""

import http.client
import http.server
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.parse

envoy, filters, *paths = sys.argv[1:]
latchkey = urllib.parse.urlsplit(os.environ["ISSUER"])


class Application(http.server.BaseHTTPRequestHandler):
    """Answers with the client that Envoy names."""

    def do_GET(self):
        body = json.dumps(self.headers.get_all("x-client-id")).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


application = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
threading.Thread(target=application.serve_forever, daemon=True).start()
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def cluster(name, at):
    address = f"{{ socket_address: {{ address: 127.0.0.1, port_value: {at} }} }}"
    endpoints = f"[{{ lb_endpoints: [{{ endpoint: {{ address: {address} }} }}] }}]"
    return f"    - {{ name: {name}, load_assignment: {{ cluster_name: {name}, endpoints: {endpoints} }} }}\n"


config = f"""
static_resources:
  listeners:
    - name: gateway
      address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: gateway
                route_config:
                  virtual_hosts:
                    - name: application
                      domains: ["*"]
                      routes: [{{ match: {{ prefix: / }}, route: {{ cluster: application }} }}]
{textwrap.indent(pathlib.Path(filters).read_text(), " " * 16)}
  clusters:
{cluster("latchkey", latchkey.port)}{cluster("application", application.server_port)}"""


def verdict(token):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers={"authorization": f"Bearer {token}", "x-client-id": "forged"})
    answer = connection.getresponse()
    body = answer.read().decode()
    print(answer.status, body, file=sys.stderr)
    if answer.status == 200 and len(json.loads(body)) == 1 and "forged" not in body:
        return "accepted"
    return "refused" if answer.status in (401, 403) else f"answered {answer.status} {body}"


with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / "envoy.yaml"
    file.write_text(config)
    command = [envoy, "-c", file, "--log-level", "warning", "--use-dynamic-base-id"]
    running = subprocess.Popen(command, stdout=sys.stderr)
    try:
        for _ in range(200):
            with socket.socket() as trying:
                if running.poll() is not None or trying.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        for path in map(pathlib.Path, paths):
            print(path.name, verdict(path.read_text().strip()))
    finally:
        running.terminate()
        running.wait()
