#!/usr/bin/python3
# Test code: stands for wardends of two nodes whose /metrics Prometheus scrapes; its contract is deploy/metrics.md.
# SPDX-License-Identifier: Apache-2.0
"""usage: pages.py PORT

GET /worker-1 and /worker-2 on 127.0.0.1. Counters grow with the clock: mlx5_2 sends 1 MB and receives 500 kB a second.
"""
import http.server
import sys
import time

HEAD = """rdma_warden_build_info{version="0.8"} 1
rdma_warden_enforcing 1
rdma_warden_guard_info{mechanism="lsm"} 1
rdma_warden_exclusive_mode 1
"""


def device(name, pci, pod, marking, cnp, violations, seconds):
    labels = 'device="%s",pci="%s",pf="ens1f0",pod_namespace="ml",pod_name="%s"' % (name, pci, pod)
    gauges = {"link_up": 1, "link_speed_bytes_per_second": 12.5e9, "queue_pairs": 4, "memory_regions": 2, "memory_region_bytes": 1 << 20,
              "completion_queues": 3, "contexts": 1, "connections": 1, "transmit_bytes_total": 1e6 * seconds,
              "receive_bytes_total": 5e5 * seconds, "transmit_packets_total": 1000 * seconds, "receive_packets_total": 500 * seconds}
    text = 'rdma_warden_device_info{%s,netdev="eth0",node_guid="0425:94ff:fe07:0001",state="claimed",claim_source="cni",' \
           'resource="nvidia.com/roce",container="main",traffic_source="vport"} 1\n' % labels
    text += "".join("rdma_warden_device_%s{%s} %.0f\n" % (name, labels, value) for name, value in gauges.items())
    text += "".join('rdma_warden_device_marking{%s,state="%s"} %d\n' % (labels, state, state == marking)
                    for state in ("good", "wrong", "unverified", "none"))
    if cnp:
        spiderpool = 'node_name="n",ifname="%s",net_dev_name="eth0",pod_name="%s"' % (name, pod)
        text += "rdma_np_cnp_sent_total{%s} %.0f\n" % (spiderpool, 4 * seconds)
        text += "rdma_rp_cnp_handled_total{%s} %.0f\n" % (spiderpool, 6 * seconds)
    for rule, count in violations:
        text += 'rdma_warden_device_violations_total{%s,rule="%s",verdict="denied"} %d\n' % (labels, rule, count)
    return text


def port(seconds):
    labels = 'pf="ens1f0",pci="0000:3b:00.0"'
    text = "rdma_warden_pf_link_up{%s} 1\nrdma_warden_pf_link_speed_bytes_per_second{%s} 12500000000\n" % (labels, labels)
    text += 'rdma_warden_pf_pfc_enabled{%s,priority="5"} 1\n' % labels
    for priority in range(8):
        for direction in ("receive", "transmit"):
            text += 'rdma_warden_pf_pause_frames_total{%s,priority="%d",direction="%s"} %.0f\n' % (
                labels, priority, direction, 10 * priority * seconds)
    return text


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seconds = time.time() - 1.6e9
        text = HEAD + port(seconds) + device("mlx5_2", "0000:3b:00.1", "trainer-0", "wrong", True, [("marking.qp", 2), ("exclusive.open", 1)], seconds)
        if self.path == "/worker-1":
            text += device("mlx5_3", "0000:3b:00.2", "trainer-1", "good", False, [], seconds)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text.encode())


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
