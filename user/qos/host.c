// SPDX-License-Identifier: Apache-2.0
#include "qos/host.h"

#include <errno.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"

static struct qos_reading number(unsigned int max, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The number in the file of that path. */
static struct qos_reading number(unsigned int max, const char *fmt, ...)
{
	char path[PATH_MAX], line[64];
	uint64_t value;
	va_list args;
	int len, r;

	va_start(args, fmt);
	len = vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(path))
		return (struct qos_reading){ .error = -ENAMETOOLONG };
	r = read_line(path, line, sizeof(line));
	if (!r)
		r = parse_u64(line, 10, 0, max, &value) ? -EBADMSG : 0;
	return r ? (struct qos_reading){ .error = r } : (struct qos_reading){ .value = (unsigned int)value };
}

/* ---- netdevs ---- */

/* OFED's switches, one file for each priority. */
static struct qos_reading ecn_mask(const char *root, const char *netdev, const char *point)
{
	struct qos_reading mask = {};

	for (unsigned int p = 0; p < QOS_PRIORITIES; p++) {
		struct qos_reading one = number(1, "%s/class/net/%s/ecn/%s/enable/%u", root, netdev, point, p);

		if (one.error)
			return one;
		mask.value |= one.value << p;
	}
	return mask;
}

/* OFED has them in the netdev's folder, the kernel's own mlx5 in debugfs, by PCI function. */
static void read_cnp(const char *root, const char *netdev, const char *pci, struct qos_host_port *port)
{
	port->cnp_dscp = number(QOS_DSCPS - 1, "%s/class/net/%s/ecn/roce_np/cnp_dscp", root, netdev);
	port->cnp_priority = number(QOS_PRIORITIES - 1, "%s/class/net/%s/ecn/roce_np/cnp_802p_prio", root, netdev);
	if (port->cnp_dscp.error != -ENOENT || !pci[0])
		return;
	if (try_snprintf(port->cc_pci, sizeof(port->cc_pci), "%s", pci))
		port->cc_pci[0] = '\0'; /* no PCI address, so not mlx5 */
	port->cnp_dscp = number(QOS_DSCPS - 1, "%s/kernel/debug/mlx5/%s/cc_params/np_cnp_dscp", root, pci);
	port->cnp_priority = number(QOS_PRIORITIES - 1, "%s/kernel/debug/mlx5/%s/cc_params/np_cnp_prio", root, pci);
}

void qos_host_port_read(const char *root, const char *netdev, struct qos_host_port *port)
{
	char path[PATH_MAX], driver[32] = "", pci[32] = "";

	*port = (struct qos_host_port){ .pause.error = -ENODATA };
	if (!try_snprintf(path, sizeof(path), "%s/class/net/%s/device/driver", root, netdev))
		read_link_name(path, driver, sizeof(driver));
	if (!try_snprintf(path, sizeof(path), "%s/class/net/%s/device", root, netdev))
		read_link_name(path, pci, sizeof(pci));
	port->mlx5 = !strcmp(driver, "mlx5_core");
	port->mtu = number(UINT16_MAX, "%s/class/net/%s/mtu", root, netdev);
	port->ecn_np = ecn_mask(root, netdev, "roce_np");
	port->ecn_rp = ecn_mask(root, netdev, "roce_rp");
	read_cnp(root, netdev, pci, port);
}

struct qos_reading qos_pause_read(const char *netdev)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_pauseparam pause = { .cmd = ETHTOOL_GPAUSEPARAM };
	struct ifreq request = { .ifr_data = (char *)&pause };

	if (try_snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", netdev))
		return (struct qos_reading){ .error = -ENODEV };
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		return (struct qos_reading){ .error = -errno };
	return (struct qos_reading){ .value = (pause.rx_pause ? QOS_PAUSE_RX : 0u) |
					      (pause.tx_pause ? QOS_PAUSE_TX : 0u) };
}

/* ---- RDMA devices ---- */

/* "Global tclass=160" in one of the lines; other lines are rules for some addresses. An empty file: nothing is forced. */
static struct qos_reading forced_tclass(const char *root, const char *device)
{
	_cleanup_fclose_ FILE *file = NULL;
	struct qos_reading none = { .error = -ENODATA };
	char path[PATH_MAX], line[256];
	unsigned int value;

	if (try_snprintf(path, sizeof(path), "%s/class/infiniband/%s/tc/1/traffic_class", root, device))
		return (struct qos_reading){ .error = -ENAMETOOLONG };
	file = fopen(path, "re");
	if (!file)
		return (struct qos_reading){ .error = -errno };
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Global tclass=%u", &value) == 1 && value <= UINT8_MAX)
			return (struct qos_reading){ .value = value };
		none.error = -EBADMSG;
	}
	return ferror(file) ? (struct qos_reading){ .error = -EIO } : none;
}

static struct qos_reading cma_mode(const char *folder)
{
	char path[PATH_MAX], line[32];
	int r = try_snprintf(path, sizeof(path), "%s/ports/1/default_roce_mode", folder);

	if (!r)
		r = read_line(path, line, sizeof(line));
	if (r)
		return (struct qos_reading){ .error = r };
	if (!strcmp(line, "RoCE v2"))
		return (struct qos_reading){ .value = QOS_ROCE_V2 };
	return strcmp(line, "IB/RoCE v1") ? (struct qos_reading){ .error = -EBADMSG }
					  : (struct qos_reading){ .value = QOS_ROCE_V1 };
}

static void read_cma(const char *root, const char *device, struct qos_host_device *host)
{
	char folder[PATH_MAX - 64];
	bool made;

	if (try_snprintf(folder, sizeof(folder), "%s/kernel/config/rdma_cm/%s", root, device))
		return;
	made = !mkdir(folder, 0755);
	if (!made && errno != EEXIST) {
		host->cma_tos.error = host->cma_mode.error = -errno;
		return;
	}
	host->cma_tos = number(UINT8_MAX, "%s/ports/1/default_roce_tos", folder);
	host->cma_mode = cma_mode(folder);
	if (made)
		rmdir(folder);
}

void qos_host_device_read(const char *root, const char *device, struct qos_host_device *host)
{
	char path[PATH_MAX], line[32];

	*host = (struct qos_host_device){ .tclass.error = -ENODEV,
					  .cma_tos.error = -ENODEV,
					  .cma_mode.error = -ENODEV };
	if (try_snprintf(path, sizeof(path), "%s/class/infiniband/%s", root, device) || access(path, F_OK))
		return;
	host->visible = true;
	if (!try_snprintf(path, sizeof(path), "%s/class/infiniband/%s/ports/1/link_layer", root, device) &&
	    !read_line(path, line, sizeof(line)))
		host->infiniband = !strcmp(line, "InfiniBand");
	host->tclass = forced_tclass(root, device);
	read_cma(root, device, host);
}
