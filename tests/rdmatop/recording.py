#!/usr/bin/python3
# Test code: invents recordings of rdmatop, in the format that its --record writes and --replay reads.
# SPDX-License-Identifier: Apache-2.0
"""usage: recording.py [--vfs N] [--samples N] [--seconds S] [--counters N] [--hostile] [--cut]

Two PFs whose VFs are in pods of three namespaces, two VFs to a pod, each fourth VF free. The VF n of a PF sends n Mbit/s and
receives half of that. All figures follow from the arguments alone.
  --counters  so many more on each device
  --hostile   names that are none, as a pod might choose them, and an event with such a text
  --cut       the last sample has no end
"""
import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("--vfs", type=int, default=12)
parser.add_argument("--samples", type=int, default=5)
parser.add_argument("--seconds", type=float, default=0.2)
parser.add_argument("--counters", type=int, default=0)
parser.add_argument("--hostile", action="store_true")
parser.add_argument("--cut", action="store_true")
args = parser.parse_args()

HOSTILE = "evil\x1b]0;owned\x07\x1b[31m\u009b2J\u202egnp\r\nx"
STATES = ["good", "wrong", "unverified", "good"]


def put(item):
    print(json.dumps(item, separators=(",", ":")))


def name_of(i):
    if args.hostile and i == 1:
        return HOSTILE
    return "räum-日本-%d" % i if args.hostile and i == 2 else "trainer-%d" % (i // 2)


def pod_of(i):
    return {"namespace": ["ml", "hpc", "storage"][i // 2 % 3], "name": name_of(i), "uid": "", "container": "main",
            "source": "podresources"}


def device(i, seconds):
    pf, vf = i % 2, i // 2 + 1
    sent = round(vf * 125000 * seconds)
    free = i % 4 == 3
    pod = None if free else pod_of(i)
    return {
        "kind": "device", "device": "mlx5_%d" % (i + 2), "port": 1, "index": i + 10, "pci": "0000:%02x:%02x.%d" % (59 + pf, vf // 8, vf % 8),
        "pf": "ens%df0" % (pf + 1), "netdev": "eth%d" % i, "node_guid": "0425:94ff:fe07:%04x" % i, "sys_image_guid": "",
        "netns": {"inode": 4026531840 + i, "name": ""}, "state": "free" if free else "claimed",
        "owner": "" if free else "%s/%s" % (pod["namespace"], pod["name"]), "claim_source": "" if free else "cni",
        "resource": "" if free else "nvidia.com/roce", "pod": pod, "link": "DOWN" if i == 7 else "ACTIVE", "speed_mbps": 100000,
        "mtu": 9000, "qps": 0 if free else i + 2, "mrs": i, "mr_bytes": i << 20, "cqs": i, "pds": 1, "contexts": 1,
        "connections": i % 3, "marking": "none" if free else STATES[i % 4], "marked_right": i, "marked_wrong": i % 4 == 1,
        "violations": 3 if i % 4 == 1 else 0, "traffic": "vport" if i % 5 else "none",
        "rx_bytes": sent // 2 if i % 5 else None, "tx_bytes": sent if i % 5 else None,
        "rx_packets": sent // 2000 if i % 5 else None, "tx_packets": sent // 1000 if i % 5 else None,
        "tx_messages": None, "rx_messages": None,
        "counters": {"np_cnp_sent": round(i * seconds), "rp_cnp_handled": round(i * seconds), "np_ecn_marked_roce_packets": i,
                     "out_of_sequence": round(4 * i * seconds), "local_ack_timeout_err": 0} if i % 3 else {},
        "ethtool": {"tx_vport_rdma_unicast_bytes": sent, **{"rx_vport_counter_%d_packets" % n: sent * n for n in range(args.counters)}},
    }


def sample(n):
    seconds = n * args.seconds
    put({"kind": "node", "time": "2026-11-30T02:00:%09.6fZ" % seconds, "time_ns": round((1000 + seconds) * 1e9), "node": "worker-1",
         "version": "0.8", "daemon": True, "mode": "enforce", "guard": "lsm", "netns_mode": "exclusive", "lost": 0, "events": 7,
         "violations": 9, "missing": ["ECN marks of VFs: their driver does not tell them"]})
    for pf in range(2):
        put({"kind": "pf", "pf": "ens%df0" % (pf + 1), "pci": "0000:%02x:00.0" % (59 + pf), "link": "up", "speed_mbps": 100000, "vfs": args.vfs // 2,
             "priority": 5, "pfc": True, "priorities": [{"priority": p, "rx_pause": round(100 * p * seconds), "tx_pause": 0, "rx_discards": 0,
                                                         "tx_discards": 0} for p in range(8)] if pf == 0 else []})
    for i in range(args.vfs):
        put(device(i, seconds))
    for qp in range(3):
        put({"kind": "qp", "device": "0000:3b:00.1", "qpn": 64 + qp, "type": "RC", "state": "RTS", "remote_qpn": 900 + qp, "pid": 4711,
             "comm": HOSTILE if args.hostile else "ib_write_bw", "peer": "192.0.2.9:18515", "dscp": 40 if qp else None})
    put({"kind": "event", "event": {"time": "2026-11-30T02:00:00.5Z", "kind": "violation", "rule": "marking.qp", "verdict": "denied",
                                    "device": "mlx5_2", "pci": "0000:3b:00.1", "owner": "ml/trainer-0",
                                    "message": HOSTILE if args.hostile else "DSCP 0 of a queue pair, 40 was expected"}})
    if not (args.cut and n == args.samples - 1):
        put({"kind": "end"})


put({"kind": "rdmatop", "format": 1})
for number in range(args.samples):
    sample(number)
