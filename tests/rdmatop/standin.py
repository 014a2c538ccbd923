#!/usr/bin/python3
# Test code: stands for wardend's control socket, as rdmatop asks it; its contract is user/control/server.h and the request `stats`.
# SPDX-License-Identifier: Apache-2.0
"""usage: standin.py SOCKET RECORDING [--refuse] [--silent] [--garbage]

Answers each `stats` with the next sample of a recording (from the first one again after the last), `qps` with the recording's,
and `events` with its events. Notes each request in SOCKET.requests. Where SOCKET.stop exists, it closes its connections and ends.
  --refuse    answers each request with an error
  --silent    answers nothing
  --garbage   answers what is no JSON
"""
import argparse
import json
import os
import socketserver
import threading

parser = argparse.ArgumentParser()
parser.add_argument("socket")
parser.add_argument("recording")
parser.add_argument("--refuse", action="store_true")
parser.add_argument("--silent", action="store_true")
parser.add_argument("--garbage", action="store_true")
args = parser.parse_args()

samples, qps, events, lines = [], [], [], []
with open(args.recording) as recording:
    for line in recording:
        kind = json.loads(line)["kind"]
        if kind == "end":
            samples.append("".join(lines).encode())
            lines = []
        elif kind == "qp":
            qps.append(json.loads(line))
        elif kind == "event":
            events.append(json.dumps(json.loads(line)["event"]))
        elif kind != "rdmatop":
            lines.append(line)
served = 0
lock = threading.Lock()


def answer(request):
    global served
    if args.refuse:
        return b'{"ok":false,"error":"not \\u001b[31mtoday","errno":1}\n'
    if args.garbage:
        return b"HTTP/1.1 400 Bad Request\r\n\r\n"
    if request["request"] == "stats":
        with lock:
            served += 1
            return samples[(served - 1) % len(samples)] + b'{"ok":true}\n'
    if request["request"] == "qps":
        found = [json.dumps({k: v for k, v in qp.items() if k not in ("kind", "device")}) for qp in qps if qp["device"] == request["device"]]
        return "".join(qp + "\n" for qp in found[:3]).encode() + b'{"ok":true}\n'
    if request["request"] == "events":
        return "".join(event + "\n" for event in events[:1]).encode()
    return b'{"ok":false,"error":"unknown request","errno":22}\n'


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            with lock, open(args.socket + ".requests", "a") as requests:
                requests.write(line.decode())
            if args.silent:
                continue
            self.wfile.write(answer(json.loads(line)))


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def service_actions(self):
        if os.path.exists(args.socket + ".stop"):
            os.unlink(args.socket)
            os.unlink(args.socket + ".stop")
            os._exit(0)


Server(args.socket, Connection).serve_forever(poll_interval=0.05)
