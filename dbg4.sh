. "$LAB_REPO/tests/vm/lib.sh"
vf=$(free_vf); d=$(vf_netdev $vf); orig=$(cat /sys/class/net/$d/address)
show() { echo "$1: rc=$? mac=$(cat /sys/class/net/$d/address) pf=$(ip link show eth0 | grep 'vf 0' | awk '{print $4}')"; }
show start
vf_set $vf mac 02:11:22:33:44:55; show pfset
ip link set $d down; show down
ip link set $d address 02:11:22:33:44:55; show set-down
sleep 1
ip link set $d address 02:11:22:33:44:55; show set-down-1s
ip link set $d up; show up; sleep 2; show up2s
ip link set $d address 02:11:22:33:44:55; show set-up
echo == back
ip link set $d down
vf_set $vf mac $orig; show pfback
ip link set $d address $orig; show set-down
ip link set $d up; show up; sleep 1; show up1s
ip link set $d address $orig; show set-up
sleep 2; show wait
ip link set $d down; show down
ip link set $d address $orig; show set-down
ip link set $d up; show up
dmesg | grep -i "igbvf\|igb.*VF" | tail
