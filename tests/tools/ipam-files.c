// SPDX-License-Identifier: Apache-2.0
/*
 * Test code: stands for an IPAM plugin such as host-local, by the CNI specification's contract for IPAM plugins (delegated ADD,
 * DEL and CHECK: what they get, what they print, DEL of nothing is no error), and starts a hundred times faster. It can die, fail
 * or wait at each of its own steps.
 *
 *   "ipam":{"type":"ipam-files","dataDir":DIR}
 *   DIR/NETWORK/ADDRESS   a lease: the container's ID and the interface
 *   DIR/.wish             a fault (lib/fault.h) for the next start, which takes the file away
 *   DIR/.trace            gets the names of the points that are passed, if it is there
 *   DIR/.gate             if there is such a FIFO, ADD and DEL wait until somebody opens it to write, and make DIR/.waits
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/fault.h"
#include "lib/util.h"

#define SUBNET "10.88.0"

static char folder[PATH_MAX], network[PATH_MAX + 256]; /* of all leases, and of the network's */

static int refuse(int error, const char *what)
{
	printf("{\"cniVersion\":\"1.0.0\",\"code\":5,\"msg\":\"%s: %s\"}\n", what, strerror(-error));
	return EXIT_FAILURE;
}

/* ---- what is wished ---- */

static const char *in_folder(const char *name)
{
	static char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void take_wish(void)
{
	char wish[128];

	if (!read_line(in_folder(".wish"), wish, sizeof(wish)) && !unlink(in_folder(".wish")))
		setenv("WARDEN_FAULT", wish, 1);
	if (!access(in_folder(".trace"), F_OK))
		setenv("WARDEN_FAULT_TRACE", in_folder(".trace"), 1);
}

static void wait_at_gate(void)
{
	_cleanup_close_ int gate = -1, waits = -1;

	if (access(in_folder(".gate"), F_OK))
		return;
	waits = open(in_folder(".waits"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	gate = open(in_folder(".gate"), O_RDONLY | O_CLOEXEC);
}

/* ---- leases ---- */

static void own_name(char to[256])
{
	snprintf(to, 256, "%s %s", getenv("CNI_CONTAINERID"), getenv("CNI_IFNAME"));
}

static bool is_own(const char *address)
{
	char path[PATH_MAX + 512], line[256], own[256];

	own_name(own);
	snprintf(path, sizeof(path), "%s/%s", network, address);
	return !read_line(path, line, sizeof(line)) && !strcmp(line, own);
}

/* The container's address, or "". */
static void find_own(char address[32])
{
	_cleanup_closedir_ DIR *dir = opendir(network);
	struct dirent *entry;

	address[0] = '\0';
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && is_own(entry->d_name))
			snprintf(address, 32, "%.31s", entry->d_name);
}

/* The first one that is free. */
static int take_address(char address[32])
{
	char path[PATH_MAX + 512], own[256];

	own_name(own);
	for (int n = 2; n < 255; n++) {
		_cleanup_close_ int fd = -1;

		snprintf(address, 32, SUBNET ".%d", n);
		snprintf(path, sizeof(path), "%s/%s", network, address);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0)
			return dprintf(fd, "%s\n", own) > 0 ? 0 : -EIO;
		if (errno != EEXIST)
			return -errno;
	}
	return -ENOSPC;
}

static int free_address(const char *address)
{
	char path[PATH_MAX + 512];

	snprintf(path, sizeof(path), "%s/%s", network, address);
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

/* ---- commands ---- */

/* In two pieces, as a plugin may die between them. */
static int answer(const char *address)
{
	int r;

	printf("{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"%s/24\",", address);
	fflush(stdout);
	r = fault_point("files.half");
	if (r)
		return EXIT_FAILURE;
	printf("\"gateway\":\"" SUBNET ".1\"}],\"routes\":[{\"dst\":\"10.99.0.0/16\"}]}\n");
	fflush(stdout);
	return fault_point("files.answer") ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int add(void)
{
	char address[32];
	int r;

	find_own(address);
	if (address[0])
		return refuse(-EEXIST, "the container has an address already");
	r = fault_around("files.take", take_address(address));
	if (r)
		return refuse(r, "no address");
	wait_at_gate();
	return answer(address);
}

static int del(void)
{
	char address[32];
	int r;

	find_own(address);
	r = address[0] ? fault_around("files.give", free_address(address)) : 0;
	wait_at_gate();
	return r ? refuse(r, "the address cannot be given back") : EXIT_SUCCESS;
}

static int check(void)
{
	char address[32];

	find_own(address);
	return address[0] ? EXIT_SUCCESS : refuse(-ENOENT, "no lease");
}

static int read_config(void)
{
	char text[1 << 16];
	size_t len = fread(text, 1, sizeof(text) - 1, stdin);
	cJSON *json = cJSON_ParseWithLength(text, len);
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");
	const cJSON *dir = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "ipam"), "dataDir");
	int r = -EINVAL;

	if (cJSON_IsString(name) && cJSON_IsString(dir) &&
	    !try_snprintf(folder, sizeof(folder), "%s", dir->valuestring) &&
	    !try_snprintf(network, sizeof(network), "%s/%s", dir->valuestring, name->valuestring))
		r = make_dirs(network);
	cJSON_Delete(json);
	return r;
}

int main(void)
{
	const char *command = getenv("CNI_COMMAND");
	int r = command && getenv("CNI_CONTAINERID") && getenv("CNI_IFNAME") ? read_config() : -EINVAL;

	if (r)
		return refuse(r, "the call");
	take_wish();
	r = fault_point("files.start");
	if (r)
		return refuse(r, "the start");
	if (!strcmp(command, "ADD"))
		return add();
	return !strcmp(command, "DEL") ? del() : check();
}
