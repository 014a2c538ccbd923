// SPDX-License-Identifier: Apache-2.0
#include "qos/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

#define SYSFS "/sys"

/* One more at the end of the list, empty, or NULL. */
static void *append(void **list, size_t *count, size_t size)
{
	char *grown = reallocarray(*list, *count + 1, size);

	if (!grown)
		return NULL;
	*list = grown;
	return memset(grown + (*count)++ * size, 0, size);
}

int qos_node_add_port(struct qos_node *node, const char *netdev)
{
	struct qos_port *port;

	for (size_t i = 0; i < node->port_count; i++)
		if (!strcmp(node->ports[i].name, netdev))
			return 0;
	port = append((void **)&node->ports, &node->port_count, sizeof(*port));
	if (!port)
		return -ENOMEM;
	snprintf(port->name, sizeof(port->name), "%s", netdev);
	qos_dcb_read(netdev, &port->dcb);
	qos_host_port_read(SYSFS, netdev, &port->host);
	port->host.pause = qos_pause_read(netdev);
	return 0;
}

int qos_node_add_device(struct qos_node *node, const char *device, bool here, const char *pf, const char *netdev)
{
	const char *port = pf[0] ? pf : netdev;
	struct qos_host_port own = { .mtu.error = -ENODEV };
	struct qos_device *d;

	if (port[0] && qos_node_add_port(node, port))
		return -ENOMEM;
	d = append((void **)&node->devices, &node->device_count, sizeof(*d));
	if (!d)
		return -ENOMEM;
	snprintf(d->name, sizeof(d->name), "%s", device);
	snprintf(d->port, sizeof(d->port), "%s", port);
	snprintf(d->netdev, sizeof(d->netdev), "%s", netdev);
	if (netdev[0])
		qos_host_port_read(SYSFS, netdev, &own);
	d->mtu = own.mtu;
	if (here)
		qos_host_device_read(SYSFS, device, &d->host);
	return 0;
}

void qos_node_free(struct qos_node *node)
{
	free(node->ports);
	free(node->devices);
	*node = (struct qos_node){};
}
