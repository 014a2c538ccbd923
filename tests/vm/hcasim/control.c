// Test code: stands for an SR-IOV RDMA function (a RoCE VF) as mlx5 shows it to the kernel. No data path.
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Control files in debugfs:
 *   hcasim/add                     write "BDF NETDEV": an RDMA device for that PCI function, its port on that netdev
 *   hcasim/remove                  write "BDF"
 *   hcasim/reregister              write "BDF": the device goes and comes again with other character devices
 *   hcasim/issm                    Y or N (the default): whether devices added from now on have an issm node
 *   hcasim/counterless             Y or N (the default): whether devices added from now on have no hw_counters at all
 *   hcasim/counters_fail           Y or N (the default): whether the devices fail to read them
 *   hcasim/BDF/counters/NAME       value of one hw_counter, read and write
 *   hcasim/BDF/{qps,ahs,mrs}       the device's objects with what the kernel passed for them, one a line
 * The netdev is looked up in the writer's network namespace, the RDMA device appears in the initial one.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <rdma/ib_verbs.h>
#include "hcasim.h"

#define REQUEST_MAX 64

#define FILLERS_MAX 64 /* more than a lab has RDMA devices */

static struct dentry *root;
static struct device *filler_parent;
static bool counterless;

/* Serialises the writers of add and remove. */
static DEFINE_MUTEX(control_lock);

/* Guards the list only: the netdev notifier takes it under RTNL, so RTNL must not be taken inside. */
static DEFINE_MUTEX(list_lock);
static LIST_HEAD(devices);

static struct hcasim_dev *find_by_pci(const struct pci_dev *pdev)
{
	struct hcasim_dev *sim;

	list_for_each_entry(sim, &devices, node) if (sim->pdev == pdev) return sim;
	return NULL;
}

static bool is_listed(const struct pci_dev *pdev)
{
	bool listed;

	mutex_lock(&list_lock);
	listed = find_by_pci(pdev);
	mutex_unlock(&list_lock);
	return listed;
}

/*
 * The core's last call for a device, on every way of removal and after a failed registration. The netdev reference is
 * kept until here: it makes unregister_netdev() wait, so the PCI function cannot vanish under its RDMA device.
 */
static void dealloc_driver(struct ib_device *ib)
{
	struct hcasim_dev *sim = to_hcasim(ib);

	debugfs_remove_recursive(sim->dir);
	mutex_lock(&list_lock);
	list_del(&sim->node);
	mutex_unlock(&list_lock);
	dev_put(sim->ndev);
	pci_dev_put(sim->pdev);
	kfree(sim->counters);
}

static const struct ib_device_ops life_ops = {
	.owner = THIS_MODULE,
	.driver_id = RDMA_DRIVER_UNKNOWN,
	.uverbs_abi_ver = 1,
	.dealloc_driver = dealloc_driver,
};

static struct hcasim_dev *alloc_sim(struct pci_dev *pdev, struct net_device *ndev)
{
	struct hcasim_dev *sim = ib_alloc_device(hcasim_dev, ib);

	if (!sim)
		return NULL;
	sim->counters = kcalloc(hcasim_num_counters, sizeof(*sim->counters), GFP_KERNEL);
	if (!sim->counters) {
		ib_dealloc_device(&sim->ib);
		return NULL;
	}
	sim->pdev = pci_dev_get(pdev);
	sim->ndev = ndev;
	dev_hold(ndev);
	INIT_LIST_HEAD(&sim->node);
	spin_lock_init(&sim->lock);
	INIT_LIST_HEAD(&sim->qps);
	INIT_LIST_HEAD(&sim->ahs);
	INIT_LIST_HEAD(&sim->mrs);
	sim->ib.dev.parent = &pdev->dev;
	sim->ib.node_type = RDMA_NODE_IB_CA;
	sim->ib.phys_port_cnt = 1;
	sim->ib.num_comp_vectors = 1;
	addrconf_addr_eui48((u8 *)&sim->ib.node_guid, ndev->dev_addr);
	/* From here on ib_dealloc_device() ends in dealloc_driver(). */
	ib_set_device_ops(&sim->ib, &hcasim_verbs);
	ib_set_device_ops(&sim->ib, &life_ops);
	if (counterless)
		sim->ib.ops.alloc_hw_port_stats = NULL;
	return sim;
}

static void list_sim(struct hcasim_dev *sim, struct list_head *list)
{
	mutex_lock(&list_lock);
	list_add_tail(&sim->node, list);
	mutex_unlock(&list_lock);
}

static void create_files(struct hcasim_dev *sim)
{
	struct dentry *dir;
	unsigned int i;

	sim->dir = debugfs_create_dir(pci_name(sim->pdev), root);
	dir = debugfs_create_dir("counters", sim->dir);
	for (i = 0; i < hcasim_num_counters; i++)
		debugfs_create_u64(hcasim_counter_descs[i].name, 0600, dir, &sim->counters[i]);
	hcasim_create_lists(sim);
}

static int add_sim(struct pci_dev *pdev, struct net_device *ndev)
{
	struct hcasim_dev *sim;
	int err;

	if (is_listed(pdev))
		return -EEXIST;
	sim = alloc_sim(pdev, ndev);
	if (!sim)
		return -ENOMEM;
	list_sim(sim, &devices);
	create_files(sim);
	err = ib_device_set_netdev(&sim->ib, ndev, 1);
	/* No DMA device: the core then treats addresses as virtual and maps nothing. */
	if (!err)
		err = ib_register_device(&sim->ib, "hcasim%d", NULL);
	if (err)
		ib_dealloc_device(&sim->ib);
	return err;
}

static int remove_sim(const struct pci_dev *pdev)
{
	struct hcasim_dev *sim;

	mutex_lock(&list_lock);
	sim = find_by_pci(pdev);
	if (sim && !ib_device_try_get(&sim->ib))
		sim = NULL;
	mutex_unlock(&list_lock);
	if (!sim)
		return -ENODEV;
	ib_unregister_device_and_put(&sim->ib);
	return 0;
}

/* The notifier finds registered devices only: a netdev that began to end during the registration is noticed here. */
static int add_unless_ending(struct pci_dev *pdev, struct net_device *ndev)
{
	int err;

	err = add_sim(pdev, ndev);
	if (err || ndev->reg_state == NETREG_REGISTERED)
		return err;
	remove_sim(pdev);
	return -ENODEV;
}

/* Returns with a reference. */
static struct pci_dev *pci_by_name(const char *name)
{
	unsigned int domain, bus, slot, func;

	if (sscanf(name, "%x:%x:%x.%x", &domain, &bus, &slot, &func) != 4)
		return NULL;
	return pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(slot, func));
}

static int add_by_name(const char *bdf, const char *netdev)
{
	struct net_device *ndev = dev_get_by_name(current->nsproxy->net_ns, netdev);
	struct pci_dev *pdev = pci_by_name(bdf);
	int err = -ENODEV;

	if (pdev && ndev)
		err = add_unless_ending(pdev, ndev);
	pci_dev_put(pdev);
	dev_put(ndev);
	return err;
}

static int remove_by_name(const char *bdf, const char *unused)
{
	struct pci_dev *pdev = pci_by_name(bdf);
	int err = -ENODEV;

	if (pdev)
		err = remove_sim(pdev);
	pci_dev_put(pdev);
	return err;
}

/* ---- another dev_t ---- */

struct uverbs_search {
	dev_t wanted; /* 0: any */
	dev_t found;
};

static int match_uverbs(struct device *dev, void *data)
{
	struct uverbs_search *search = data;

	if (!dev->class || strcmp(dev->class->name, "infiniband_verbs"))
		return 0;
	if (search->wanted && search->wanted != dev->devt)
		return 0;
	search->found = dev->devt;
	return 1;
}

/* 0 when there is none. */
static dev_t find_uverbs(struct device *parent, dev_t wanted)
{
	struct uverbs_search search = { .wanted = wanted };

	device_for_each_child(parent, &search, match_uverbs);
	return search.found;
}

/* Stands for any other RDMA device of the node; it is no PCI function's and only takes numbers. */
static int add_filler(struct pci_dev *pdev, struct net_device *ndev, struct list_head *fillers)
{
	struct hcasim_dev *sim = alloc_sim(pdev, ndev);
	int err;

	if (!sim)
		return -ENOMEM;
	sim->ib.dev.parent = filler_parent;
	sim->ib.node_guid = 0;
	list_sim(sim, fillers);
	err = ib_register_device(&sim->ib, "hcasim-filler%d", NULL);
	if (err)
		ib_dealloc_device(&sim->ib);
	return err;
}

static void remove_fillers(struct list_head *fillers)
{
	while (!list_empty(fillers))
		ib_unregister_device(&list_first_entry(fillers, struct hcasim_dev, node)->ib);
}

/* The lowest free number goes first, so it may take several until the one wanted is gone. */
static int occupy(struct pci_dev *pdev, struct net_device *ndev, dev_t wanted, struct list_head *fillers)
{
	int i, err;

	for (i = 0; wanted && !find_uverbs(filler_parent, wanted); i++) {
		err = i < FILLERS_MAX ? add_filler(pdev, ndev, fillers) : -ENOSPC;
		if (err)
			return err;
	}
	return 0;
}

/*
 * As after a reset of the function, when others took its numbers meanwhile: the same PCI function, netdev and node GUID,
 * but another uverbs and umad node. (Another index comes by itself: the core hands them out in turn.)
 */
static int reregister_sim(struct pci_dev *pdev, struct net_device *ndev)
{
	dev_t taken = find_uverbs(&pdev->dev, 0);
	LIST_HEAD(fillers);
	int err;

	err = remove_sim(pdev);
	if (err)
		return err;
	err = occupy(pdev, ndev, taken, &fillers);
	if (!err)
		err = add_unless_ending(pdev, ndev);
	remove_fillers(&fillers);
	return err;
}

/* Returns with a reference to the netdev, NULL when the function has no device. */
static struct net_device *netdev_of(const struct pci_dev *pdev)
{
	struct net_device *ndev = NULL;
	struct hcasim_dev *sim;

	mutex_lock(&list_lock);
	sim = find_by_pci(pdev);
	if (sim) {
		ndev = sim->ndev;
		dev_hold(ndev);
	}
	mutex_unlock(&list_lock);
	return ndev;
}

static int reregister_by_name(const char *bdf, const char *unused)
{
	struct pci_dev *pdev = pci_by_name(bdf);
	struct net_device *ndev = pdev ? netdev_of(pdev) : NULL;
	int err = ndev ? reregister_sim(pdev, ndev) : -ENODEV;

	dev_put(ndev);
	pci_dev_put(pdev);
	return err;
}

/* ---- control files ---- */

struct command {
	const char *name;
	int words;
	int (*run)(const char *bdf, const char *netdev);
};

static const struct command commands[] = {
	{ "add", 2, add_by_name },
	{ "remove", 1, remove_by_name },
	{ "reregister", 1, reregister_by_name },
};

static int copy_request(char *request, const char __user *buf, size_t len)
{
	if (len >= REQUEST_MAX)
		return -E2BIG;
	if (copy_from_user(request, buf, len))
		return -EFAULT;
	request[len] = '\0';
	return 0;
}

static ssize_t command_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char request[REQUEST_MAX], bdf[REQUEST_MAX], netdev[REQUEST_MAX];
	const struct command *command = file->private_data;
	int err;

	err = copy_request(request, buf, len);
	if (err)
		return err;
	if (sscanf(request, "%63s %63s", bdf, netdev) != command->words)
		return -EINVAL;
	mutex_lock(&control_lock);
	err = command->run(bdf, netdev);
	mutex_unlock(&control_lock);
	return err ? err : len;
}

static const struct file_operations command_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = command_write,
};

static void create_commands(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		debugfs_create_file(commands[i].name, 0200, root, (void *)&commands[i], &command_fops);
	debugfs_create_bool("issm", 0600, root, &hcasim_issm);
	debugfs_create_bool("counterless", 0600, root, &counterless);
	debugfs_create_bool("counters_fail", 0600, root, &hcasim_counters_fail);
}

static void remove_commands(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		debugfs_lookup_and_remove(commands[i].name, root);
	debugfs_lookup_and_remove("issm", root);
	debugfs_lookup_and_remove("counterless", root);
	debugfs_lookup_and_remove("counters_fail", root);
}

/* ---- the netdev ---- */

static void dispatch_port_event(struct ib_device *ib, enum ib_event_type type)
{
	struct ib_event event = { .device = ib, .element.port_num = 1, .event = type };

	ib_dispatch_event(&event);
}

static void netdev_changed(struct hcasim_dev *sim, unsigned long event)
{
	/* A move to another network namespace sends NETDEV_UNREGISTER too: only a netdev that ends takes its device along. */
	if (event == NETDEV_UNREGISTER && sim->ndev->reg_state == NETREG_UNREGISTERING)
		ib_unregister_device_queued(&sim->ib);
	else if (event == NETDEV_UP || event == NETDEV_DOWN || event == NETDEV_CHANGE)
		dispatch_port_event(&sim->ib, netif_oper_up(sim->ndev) ? IB_EVENT_PORT_ACTIVE : IB_EVENT_PORT_ERR);
}

static int netdev_notify(struct notifier_block *nb, unsigned long event, void *info)
{
	struct net_device *ndev = netdev_notifier_info_to_dev(info);
	struct hcasim_dev *sim;

	mutex_lock(&list_lock);
	list_for_each_entry(sim, &devices, node)
	{
		if (sim->ndev != ndev || !ib_device_try_get(&sim->ib))
			continue;
		netdev_changed(sim, event);
		ib_device_put(&sim->ib);
	}
	mutex_unlock(&list_lock);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_notifier = { .notifier_call = netdev_notify };

static int __init hcasim_init(void)
{
	int err;

	filler_parent = root_device_register("hcasim");
	if (IS_ERR(filler_parent))
		return PTR_ERR(filler_parent);
	root = debugfs_create_dir("hcasim", NULL);
	err = PTR_ERR_OR_ZERO(root);
	if (err)
		goto no_root;
	err = register_netdevice_notifier(&netdev_notifier);
	if (err)
		goto no_notifier;
	create_commands();
	return 0;

no_notifier:
	debugfs_remove(root);
no_root:
	root_device_unregister(filler_parent);
	return err;
}

/*
 * No new devices once the commands are gone; they are removed by name because the folders of the devices go in
 * dealloc_driver(). The core returns only when every device of the driver is gone, also those of a queued removal.
 */
static void __exit hcasim_exit(void)
{
	remove_commands();
	unregister_netdevice_notifier(&netdev_notifier);
	ib_unregister_driver(RDMA_DRIVER_UNKNOWN);
	debugfs_remove(root);
	root_device_unregister(filler_parent);
}

module_init(hcasim_init);
module_exit(hcasim_exit);

MODULE_DESCRIPTION("Test stand-in for an SR-IOV RDMA function, no data path");
MODULE_LICENSE("Dual BSD/GPL");
