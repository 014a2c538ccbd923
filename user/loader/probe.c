// SPDX-License-Identifier: Apache-2.0
#include "loader/probe.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"
#include "probe.skel.h"

static bool open_is_refused(void)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return fd < 0 && errno == EPERM;
}

static void probe_close(struct probe_bpf **skel)
{
	probe_bpf__destroy(*skel);
}

bool probe_refuses(const char *kind, char *reason, size_t size)
{
	_cleanup_(probe_close) struct probe_bpf *skel = probe_bpf__open();
	bool lsm = !strcmp(kind, "lsm");
	int r;

	if (!skel) {
		snprintf(reason, size, "the probe does not open: %s", strerror(errno));
		return false;
	}
	skel->rodata->prober = (uint32_t)getpid();
	bpf_program__set_autoload(skel->progs.probe_lsm, lsm);
	bpf_program__set_autoload(skel->progs.probe_fmod_ret, !lsm);
	r = probe_bpf__load(skel);
	if (r) {
		snprintf(reason, size, "%s programs do not load: %s", kind, strerror(-r));
		return false;
	}
	r = probe_bpf__attach(skel);
	if (r) {
		snprintf(reason, size, "%s programs do not attach: %s", kind, strerror(-r));
		return false;
	}
	if (!open_is_refused()) {
		snprintf(reason, size,
			 lsm ? "LSM programs load but are not called: bpf is not in the kernel's lsm= list"
			     : "fmod_ret programs load but do not refuse");
		return false;
	}
	reason[0] = '\0';
	return true;
}
