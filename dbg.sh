. "$LAB_REPO/tests/vm/lib.sh"
. "$LAB_REPO/tests/vm/warden.sh"
rdma_mode exclusive
vf=$(free_vf); vf_hcasim $vf
export RDMA_WARDEN_SOCKET=$warden_socket
warden_start '"mode":"enforce","qos":{"profile":"spiderpool","on_violation":"deny"}'
ls /usr/lib/cni | tr '\n' ' '
conf() { printf '{"cniVersion":"1.0.0","name":"roce","type":"rdma-warden","deviceID":"%s","vlan":5,"mac":"02:11:22:33:44:55","mtu":1400,"ipam":{"type":"host-local","dataDir":"/run/hl","ranges":[[{"subnet":"10.88.0.0/24","gateway":"10.88.0.1"}]],"routes":[{"dst":"10.99.0.0/16"}]}%s}' "$vf" "$1"; }
cni() { CNI_COMMAND=$1 CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=net1 CNI_PATH=/usr/lib/cni CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=ml;K8S_POD_NAME=$2" rdma-warden <<<"$(conf "$3")"; }
ip netns add p1
echo "--- status"; CNI_COMMAND=STATUS CNI_PATH=/usr/lib/cni rdma-warden <<<"$(conf)"; echo "=$?"
ip link show $(vf_netdev $vf)
echo "--- add"; time cni ADD p1 > /tmp/res; echo "=$?"; cat /tmp/res
ip -n p1 addr; ip -n p1 route; ip netns exec p1 rdma link; 
ctl devices; ctl attachments --json
ip link show | grep "vf [0-9]" | head -4
echo "--- check"; cni CHECK p1 ",\"prevResult\":$(cat /tmp/res)"; echo "=$?"
echo "--- second add"; cni ADD p1; echo "=$?"
echo "--- del"; time cni DEL p1; echo "=$?"
cni DEL p1; echo "=$?"
ip link show $(vf_netdev $vf); rdma link; ctl devices; ls /run/hl/roce
ip link show | grep "vf [0-9]" | head -2
tail -20 $warden_log
warden_unload
