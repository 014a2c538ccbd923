#!/usr/bin/env python3
# Stand-in for wardend's /metrics: each family of its contract, deploy/metrics.md, on a node with one PF, two pods, a free VF and an orphan.
# SPDX-License-Identifier: Apache-2.0
"""usage: page.py [PORT-FILE]

Prints the page, or serves it on a port of 127.0.0.1, which it writes into PORT-FILE. Counters move by what time has passed.
Written from the contract and not from its file, so that the one is a check of the other.
"""
import http.server
import os
import sys
import time

began = time.time()
PODS = [("train-0", "0000:3b:00.2", "mlx5_2"), ("train-1", "0000:3b:00.3", "mlx5_3")]
NETLINK = """rx_write_requests rx_read_requests rx_atomic_requests rx_dct_connect out_of_buffer out_of_sequence duplicate_request
    rnr_nak_retry_err packet_seq_err implied_nak_seq_err local_ack_timeout_err resp_local_length_error resp_cqe_error req_cqe_error
    req_remote_invalid_request req_remote_access_errors resp_remote_access_errors resp_cqe_flush_error req_cqe_flush_error
    roce_adp_retrans roce_adp_retrans_to roce_slow_restart roce_slow_restart_cnps roce_slow_restart_trans rp_cnp_ignored
    rp_cnp_handled np_ecn_marked_roce_packets np_cnp_sent rx_icrc_encapsulated""".split()
VPORT = [f"{way}_vport_rdma_{cast}_{what}" for way in ("rx", "tx") for cast in ("unicast", "multicast") for what in ("packets", "bytes")]
RULES = """exclusive.open exclusive.inherited-fd exclusive.fd-pass exclusive.mmap exclusive.umad exclusive.netlink exclusive.mode
    exclusive.device-move exclusive.netdev-move exclusive.orphan exclusive.shared-plugin spoof.source marking.dscp marking.priority
    marking.packet marking.unverified qos.effect.priority qos.effect.cnp-sent qos.effect.cnp-handled qos.effect.pause
    qos.effect.sequence track.pod track.stray track.missing track.split warden.tamper""".split()
LOST = [f"lost.{what}" for what in "events cdevs devices vfs flows remarks pods".split()] + ["unreadable.verbs", "unreadable.nodes"]
CONTRADICTIONS = ["track.pod", "track.stray", "track.missing", "track.split", "exclusive.shared-plugin"]


def devices():
    """Labels D, and state."""
    d = [(dict(device="mlx5_0", pci="0000:3b:00.0", pf="", pod_namespace="", pod_name=""), "free")]
    d += [(dict(device=name, pci=pci, pf="ens1f0", pod_namespace="ml", pod_name=pod), "claimed") for pod, pci, name in PODS]
    return d + [(dict(device="mlx5_4", pci="0000:3b:00.4", pf="ens1f0", pod_namespace="", pod_name=""), "free"),
                (dict(device="mlx5_5", pci="0000:3b:00.5", pf="ens1f0", pod_namespace="", pod_name=""), "orphan")]


def spiderpool(d):
    owner = dict(owner_api_version="batch/v1", owner_kind="Job", owner_namespace="ml", owner_name="train") if d["pod_name"] else \
        dict(owner_api_version="", owner_kind="", owner_namespace="", owner_name="")
    return dict(node_name="node-a", ifname=d["device"], net_dev_name="ens1f0" if not d["pf"] else "net1", node_guid="0425:94ff:fe07:b68a",
                sys_image_guid="0425:94ff:fe07:b68a", is_root="false" if d["pf"] else "true", rdma_parent_name=d["pf"] or "ens1f0",
                pod_namespace=d["pod_namespace"], pod_name=d["pod_name"], **owner)


class Page:
    def __init__(self):
        self.lines, self.now = [], time.time() - began

    def family(self, name, kind, samples):
        """`samples`: (labels, value) or (labels, value, end of the name), …"""
        self.lines += [f"# HELP {name} See deploy/metrics.md.", f"# TYPE {name} {kind}"]
        for labels, value, *end in samples:
            text = ",".join(f'{key}="{one}"' for key, one in labels.items())
            self.lines.append(f"{name}{''.join(end)}{'{' + text + '}' if text else ''} {value:.6g}")

    def counter(self, name, each, per_second=100):
        self.family(name, "counter", [(labels, 1000 + per_second * self.now) for labels in each])

    def gauge(self, name, samples):
        self.family(name, "gauge", samples)

    def info(self, name, *each):
        self.gauge(name, [(labels, 1) for labels in each])


def spiderpools(page):
    all_of = [spiderpool(d) for d, _ in devices()]
    for name in NETLINK:
        page.counter(f"rdma_{name}_total", all_of, 3)
    for name in VPORT:
        page.counter(f"rdma_{name}_total", all_of, 1e8)
    page.family("rdma_vport_speed_mbps_total", "counter", [(labels, 100000) for labels in all_of])
    for name in ("rx_pause", "tx_pause", "rx_discards", "tx_discards"):
        page.counter(f"rdma_{name}_total", [{**all_of[0], "priority": p} for p in range(8)], 2)
    page.family("rdma_device_tos_total", "counter", [(dict(node_name="node-a", ifname="mlx5_0", net_dev_name="ens1f0"), 160)])


def daemon(page, w="rdma_warden_"):
    page.info(w + "build_info", dict(version="0.1.0"))
    page.gauge(w + "enforcing", [({}, 1)])
    page.info(w + "guard_info", dict(mechanism="lsm"))
    page.gauge(w + "exclusive_mode", [({}, 1)])
    page.info(w + "capability", dict(feature="guard.mechanism", state="active", by="lsm"), dict(feature="packets", state="fallback", by="clsact"))
    page.gauge(w + "programs", [({}, 41)])
    page.counter(w + "program_skipped_total", [dict(program="guard_file_open")], 0)
    page.family(w + "lost_total", "counter", [(dict(what=what), 0) for what in LOST])
    page.gauge(w + "pods", [({}, 2)])
    sources = [dict(source=source) for source in ("attach", "kubelet", "api", "proc", "devinfo")]
    page.gauge(w + "source_up", [(source, 1) for source in sources])
    page.gauge(w + "source_age_seconds", [(source, 4.5) for source in sources])
    page.family(w + "source_failures_total", "counter", [(source, 0) for source in sources])
    page.gauge(w + "scrape_duration_seconds", [({}, 0.012)])
    page.gauge(w + "scrape_unread", [({}, 0)])
    page.gauge("process_start_time_seconds", [({}, began)])
    page.family("process_cpu_seconds_total", "counter", [({}, 1 + 0.001 * page.now)])
    page.gauge("process_resident_memory_bytes", [({}, 15e6)])
    page.gauge("process_open_fds", [({}, 120)])
    page.gauge("process_max_fds", [({}, 1024)])


def ownership(page, w="rdma_warden_"):
    states = [state for _, state in devices()]
    page.gauge(w + "devices", [(dict(state=state), states.count(state)) for state in ("free", "claimed", "orphan", "quarantined")])
    page.gauge(w + "claims", [(dict(source=source), n) for source, n in (("cni", 2), ("kubelet", 0), ("manual", 0))])
    page.gauge(w + "attachments", [(dict(step="attached"), 2)])
    page.gauge(w + "quarantined_vfs", [({}, 0)])
    page.gauge(w + "contradictions", [(dict(rule=rule), 0) for rule in CONTRADICTIONS])
    page.info(w + "device_info", *({**d, "netdev": "net1", "node_guid": "0425:94ff:fe07:b68a", "state": state, "claim_source": "cni" if state == "claimed" else "",
                                    "resource": "nvidia.com/roce", "container": "main", "traffic_source": "vport"} for d, state in devices()))
    count, samples = 10 + page.now, []
    for command, step in (("ADD", ""), ("ADD", "vf"), ("ADD", "ipam"), ("DEL", ""), ("DEL", "netdev")):
        labels = dict(command=command, step=step)
        samples += [({**labels, "le": le}, part * count, "_bucket") for le, part in (("0.05", 0.5), ("0.5", 0.9), ("+Inf", 1))]
        samples += [(labels, 0.1 * count, "_sum"), (labels, count, "_count")]
    page.family(w + "attach_duration_seconds", "histogram", samples)


def traffic(page, w="rdma_warden_device_"):
    all_of = [d for d, _ in devices()]
    for name, value in (("link_up", 1), ("link_speed_bytes_per_second", 12.5e9), ("queue_pairs", 64), ("memory_regions", 32), ("memory_region_bytes", 8e9),
                        ("completion_queues", 32), ("contexts", 2), ("connections", 16)):
        page.gauge(w + name, [(d, value) for d in all_of])
    for way in ("receive", "transmit"):
        page.counter(f"{w}{way}_bytes_total", all_of, 1e9)
        page.counter(f"{w}{way}_packets_total", all_of, 1e6)


def rule(page, w="rdma_warden_"):
    claimed = [d for d, state in devices() if state == "claimed"]
    samples = [(dict(rule=name, verdict="observed"), 0) for name in RULES]
    page.family(w + "violations_total", "counter", samples + [(dict(rule="exclusive.open", verdict="denied"), 3)])
    page.family(w + "device_violations_total", "counter", [({**claimed[0], "rule": "exclusive.open", "verdict": "denied"}, 3)])
    page.info(w + "device_marking", *({**d, "state": "good" if d["pod_name"] else "none"} for d, _ in devices()))
    page.counter(w + "device_address_vectors_total", [{**d, "verdict": verdict} for d in claimed for verdict in ("right", "wrong")], 1)
    flows = [{**d, "direction": direction, "class": "data", "dscp": "40"} for d in claimed for direction in ("in", "out")]
    page.counter(w + "roce_packets_total", flows)
    page.counter(w + "roce_bytes_total", flows, 1e5)
    pf = dict(pf="ens1f0", pci="0000:3b:00.0")
    page.gauge(w + "pf_link_up", [(pf, 1)])
    page.gauge(w + "pf_link_speed_bytes_per_second", [(pf, 25e9)])
    both = [{**pf, "priority": p, "direction": direction} for p in range(8) for direction in ("receive", "transmit")]
    page.counter(w + "pf_pause_frames_total", both, 10)
    page.family(w + "pf_discards_total", "counter", [(labels, 0) for labels in both])
    page.gauge(w + "pf_pfc_enabled", [({**pf, "priority": 5}, 1)])


def text():
    page = Page()
    for part in (spiderpools, daemon, ownership, traffic, rule):
        part(page)
    return "\n".join(page.lines) + "\n"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802, the name is the library's
        body = text().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(port_file):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(port_file + ".new", "w", encoding="utf-8") as file:
        file.write(f"{server.server_port}\n")
    os.rename(port_file + ".new", port_file)
    server.serve_forever()


if len(sys.argv) > 1:
    serve(sys.argv[1])
sys.stdout.write(text())
