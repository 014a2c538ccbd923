#!/usr/bin/python3
# Test code: stands for the Kubernetes API server; its contract is "Kubernetes API Concepts" (lists in pages, watches).
# SPDX-License-Identifier: Apache-2.0
"""usage: kube-api.py DIR CERTIFICATE KEY

Serves HTTPS on a port of 127.0.0.1 that DIR/port tells. A line "TARGET AUTHORIZATION" in DIR/requests tells of each request.
The N-th one (from 1) is answered with DIR/answer.N, a line for each step:

  status CODE [NAME: VALUE]   the head of the answer, whose body is chunked as the API server's is; 200 without it
  line TEXT, piece TEXT       a chunk, with a newline and without
  fill N                      a chunk of N bytes
  silent                      nothing, not even a head, until the client goes
  trickle                     blank by blank, until the client goes
  hang                        nothing more until the client goes
  cut                         the connection ends here

Without a further step the body ends. Where there is no such file, DIR/list and DIR/watch are taken, and where there is none
of them, an answer begins that tells nothing.
"""
import os
import select
import socketserver
import ssl
import sys
import threading

folder, certificate, key = sys.argv[1:4]
tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(certificate, key)
lock = threading.Lock()
count = 0


def note(target, authorization):
    global count
    with lock:
        count += 1
        with open(f"{folder}/requests", "a") as requests:
            requests.write(f"{target} {authorization}\n")
        return count


def steps_of(number, target):
    for name in (f"answer.{number}", "watch" if "&watch=true" in target else "list"):
        try:
            with open(f"{folder}/{name}", "rb") as answer:
                return answer.read().splitlines()
        except FileNotFoundError:
            pass
    return [b"hang"]


class Connection(socketserver.StreamRequestHandler):
    def setup(self):
        self.request = tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self):
        while self.serve_one():
            pass

    def serve_one(self):
        line = self.rfile.readline().split()
        headers = {}
        while (header := self.rfile.readline().strip()):
            name, _, value = header.partition(b":")
            headers[name.lower()] = value.strip().decode()
        if len(line) < 2:
            return False
        target = line[1].decode()
        steps = steps_of(note(target, headers.get(b"authorization", "-")), target)
        if steps[:1] == [b"silent"]:
            return self.until_gone()
        if not (steps and steps[0].startswith(b"status ")):
            steps.insert(0, b"status 200")
        for step in steps:
            word, _, text = step.partition(b" ")
            if not getattr(self, "step_" + word.decode())(text):
                return False
        self.wfile.write(b"0\r\n\r\n")
        return True

    def until_gone(self, every=None):
        while not select.select([self.connection], [], [], every)[0]:
            self.chunk(b" ")
        return False

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        return True

    def step_status(self, text):
        code, _, header = text.partition(b" ")
        header += b"\r\n" if header else b""
        self.wfile.write(b"HTTP/1.1 %s X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n%s\r\n" % (code, header))
        return True

    def step_line(self, text):
        return self.chunk(text + b"\n")

    def step_piece(self, text):
        return self.chunk(text)

    def step_fill(self, text):
        return self.chunk(b"x" * int(text))

    def step_trickle(self, _):
        return self.until_gone(0.02)

    def step_hang(self, _):
        return self.until_gone()

    def step_cut(self, _):
        return False


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that goes, or that refuses the certificate, is what is tested


with Server(("127.0.0.1", 0), Connection) as server:
    with open(f"{folder}/port.new", "w") as port:
        port.write(f"{server.server_address[1]}\n")
    os.rename(f"{folder}/port.new", f"{folder}/port")
    server.serve_forever()
