"""Servers for tests: S3 played by moto, and a proxy before it that refuses and cuts."""

import http.client
import http.server
import threading
import urllib.request
from contextlib import contextmanager
from urllib.parse import unquote

from needs import do_without

KEY_ID, SECRET = "AKIDNOBODYMAYSEE", "secret/that+nobody/may/see"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler, **known):
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked = []
        vars(self).update(known)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()

    def count(self, method, part=""):
        return sum(m == method and part in unquote(path) for m, path in self.asked)


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes requests on; `server.fault(method, path, times)` says what goes wrong with which."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        method, path = self.command, self.path
        self.server.asked.append((method, path))
        times = sum(asked == (method, path) for asked in self.server.asked)
        fault = self.server.fault(method, unquote(path), times)
        if isinstance(fault, int):
            self.answer(fault, self.server.body)
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream)
        own = {"Connection", "Host", "host"}
        headers = {name: value for name, value in self.headers.items() if name not in own}
        upstream.request(method, path, headers=headers)
        found = upstream.getresponse()
        data = found.read()
        self.send_response(found.status)
        for name, value in found.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        if found.getheader("Content-Length") is None:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if method == "HEAD":
            return
        if fault == "cut":
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        else:
            self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815

    def do_PUT(self):
        path = self.path
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(("PUT", path))
        times = sum(asked == ("PUT", path) for asked in self.server.asked)
        fault = self.server.fault("PUT", unquote(path), times)
        if isinstance(fault, int):
            self.answer(fault, b"<Error><Code>SlowDown</Code></Error>")
            return
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream)
        upstream.request("PUT", path, data, dict(self.headers))
        found = upstream.getresponse()
        answer = found.read()
        self.send_response(found.status)
        if tag := found.getheader("ETag"):
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def moto():
    """Start an S3 of this process, and yield its port."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        do_without("moto", error)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


def proxied(port):
    """Return a proxy before an empty S3; its ``environment`` leads there, and it has methods
    ``put(name, data)`` and ``remove(name)`` for objects of the bucket `box`.
    """
    import boto3

    slow_down = b"<Error><Code>SlowDown</Code></Error>"
    server = Server(Proxy, upstream=port, fault=lambda *_: None, body=slow_down)
    server.environment = {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.url,
    }
    straight = f"http://127.0.0.1:{port}"
    urllib.request.urlopen(f"{straight}/moto-api/reset", b"")
    client = boto3.client(
        "s3",
        endpoint_url=straight,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket="box")
    server.put = lambda name, data: client.put_object(Bucket="box", Key=name, Body=data)
    server.remove = lambda name: client.delete_object(Bucket="box", Key=name)
    return server


def upload(s3, folder, prefix="photos"):
    """Put all files below a folder into the bucket."""
    for file in folder.rglob("*"):
        if file.is_file():
            s3.put(f"{prefix}/{file.relative_to(folder).as_posix()}", file.read_bytes())
    s3.asked.clear()
