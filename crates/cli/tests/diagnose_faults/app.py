"""An application as there are many: pages from a database and a cache, and an upload.

app.py PORT; DATABASE_URL, REDIS_URL and UPLOAD_DIR in the environment; with LEAK the page holds the error.
"""
import hashlib
import os
import socket
import struct
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Database:
    """As much of the protocol as one query needs."""

    def __init__(self, url):
        where = urllib.parse.urlsplit(url)
        self.stream = socket.create_connection((where.hostname, where.port or 3306), 10)
        self.stream.settimeout(None)
        greeting = self.packet()
        rest = greeting[greeting.index(b"\0") + 1:]
        seed = rest[4:12] + rest[31:43]
        once = hashlib.sha1((where.password or "").encode()).digest()
        key = hashlib.sha1(seed + hashlib.sha1(once).digest()).digest()
        answer = bytes(a ^ b for a, b in zip(once, key))
        body = struct.pack("<IIB23x", 0x8A20D, 1 << 24, 33)
        body += where.username.encode() + b"\0" + bytes([20]) + answer
        body += where.path[1:].encode() + b"\0" + b"mysql_native_password\0"
        self.send(body, 1)
        self.packet()

    def send(self, body, number):
        self.stream.sendall(struct.pack("<I", len(body))[:3] + bytes([number]) + body)

    def read(self, length):
        data = b""
        while len(data) < length:
            part = self.stream.recv(length - len(data))
            if not part:
                raise OSError("(2013, 'Lost connection to MySQL server during query')")
            data += part
        return data

    def packet(self):
        head = self.read(4)
        body = self.read(head[0] | head[1] << 8 | head[2] << 16)
        if body[:1] == b"\xff":
            text = body[3:].decode(errors="replace")
            raise OSError("(%d, %r)" % (struct.unpack("<H", body[1:3])[0], text[6:] if text[:1] == "#" else text))
        return body

    def query(self, text):
        self.send(b"\3" + text.encode(), 0)
        first = self.packet()
        if first[0] == 0:
            return None
        ends, row = 0, None
        while ends < 2:
            packet = self.packet()
            if packet[0] == 0xFE and len(packet) < 9:
                ends += 1
            elif ends:
                row = packet
        return row and row[1:].decode()


class Postgres:
    """The same for PostgreSQL, where no password is asked for."""

    def __init__(self, url):
        where = urllib.parse.urlsplit(url)
        self.stream = socket.create_connection((where.hostname, where.port or 5432), 10)
        self.stream.settimeout(None)
        body = struct.pack(">I", 196608)
        body += b"".join(word.encode() + b"\0" for word in ("user", where.username, "database", where.path[1:]))
        self.stream.sendall(struct.pack(">I", len(body) + 5) + body + b"\0")
        self.until_ready()

    def read(self, length):
        data = b""
        while len(data) < length:
            part = self.stream.recv(length - len(data))
            if not part:
                raise OSError("server closed the connection unexpectedly")
            data += part
        return data

    def until_ready(self):
        row = None
        while True:
            kind = self.read(1)
            body = self.read(struct.unpack(">I", self.read(4))[0] - 4)
            if kind == b"E":
                fields = dict((part[:1], part[1:].decode()) for part in body.split(b"\0") if part)
                raise OSError("%s:  %s (%s)" % (fields[b"S"], fields[b"M"], fields[b"C"]))
            if kind == b"D":
                row = body[6:].decode()
            if kind == b"Z":
                return row

    def query(self, text):
        self.stream.sendall(b"Q" + struct.pack(">I", len(text) + 5) + text.encode() + b"\0")
        return self.until_ready()


def database(url):
    return (Postgres if url.startswith("postgres") else Database)(url)


def ask_cache(url, line):
    where = urllib.parse.urlsplit(url)
    stream = socket.create_connection((where.hostname, where.port or 6379), 5)
    stream.settimeout(5)
    stream.sendall(line)
    answer = stream.recv(1000)
    stream.close()
    if answer[:1] == b"-":
        raise OSError(answer.decode().strip())


class Page(BaseHTTPRequestHandler):
    def answer(self, status, text):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def work(self, act):
        try:
            self.answer(200, act() + "\n")
        except Exception as error:
            if not os.environ.get("QUIET"):
                print("error: %s: %s" % (self.path, error), file=sys.stderr, flush=True)
            self.answer(500, str(error) if os.environ.get("LEAK") else "Sorry, something went wrong\n")

    def page(self):
        if os.environ.get("BUG"):
            raise RuntimeError("a bug")
        while os.environ.get("SPIN"):
            pass
        count = database(os.environ["DATABASE_URL"]).query(os.environ.get("QUERY", "SELECT COUNT(*) FROM item"))
        ask_cache(os.environ["REDIS_URL"], b"SET seen " + b"x" * 1000 + b"\r\n")
        return "items: %s" % count

    def upload(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(os.path.join(os.environ["UPLOAD_DIR"], "upload-%d" % id(self)), "wb") as file:
            file.write(data * 50)
        return "stored"

    def do_GET(self):
        self.work(lambda: "fine" if self.path == "/health" else self.page())

    def do_POST(self):
        self.work(self.upload)

    def log_message(self, *words):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 5
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
