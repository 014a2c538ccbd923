// SPDX-License-Identifier: Apache-2.0
/*
 * wardend: loads the programs, keeps them, and answers. The order of a start is what makes it safe: the
 * settings and what is known of the node are in the maps before the guard is attached; a later start finds
 * the rule in force and never takes it away on the way.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libgen.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "attach/attach.h"
#include "config/config.h"
#include "config/settings.h"
#include "config/state.h"
#include "control/cni_requests.h"
#include "control/policy_requests.h"
#include "control/requests.h"
#include "control/server.h"
#include "lib/cgroup.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/netlink.h"
#include "lib/netns.h"
#include "lib/notify.h"
#include "lib/timer.h"
#include "lib/util.h"
#include "lib/version.h"
#include "lib/work.h"
#include "loader/loader.h"
#include "metrics/metrics.h"
#include "packet/packets.h"
#include "pods/pods.h"
#include "track/slots.h"
#include "qos/effects.h"
#include "qos/sample.h"
#include "rdma/rdma.h"
#include "rdma/exclusive.h"
#include "report/events.h"
#include "report/notifiers.h"
#include "sriov/sriov.h"
#include "track/journal.h"
#include "track/track.h"

#define MODULE_TRIES 40 /* of RETRY_MS: from a module's uevent until its BTF and functions can be used */

#define RETRY_MS 250
/* Without a call: a runtime tells of the end of a pod more than once, the last time when the kubelet clears up, each minute. */
#define DRAINED_NS (90 * 1000000000ull)
#define SWEEP_MS 1100 /* a little more than MERGE_WINDOW_NS */
#define ORPHAN_FIRST_MS 100 /* a netns is taken down in steps, its devices come out one after the other */
#define ORPHAN_MS 2000 /* between two looks at a device that is not clean yet */
#define FALLBACK_MS 1000
#define MEND_MS 1000
#define ATTACH_JOBS 32 /* at once; a kubelet starts ten pods at a time */
#define RETRY_ATTACH_MS 30000 /* what could not be brought home: its IPAM may answer again, its netns have ended */
#define STOP_LOOK_MS 100
#define STOP_MS 10000 /* that calls which run are waited for; then the journal is left to the next start */
#define SYNC_MS 30 /* a netdev is set up by some ten messages */

struct daemon {
	struct config config;
	struct loader *loader;
	struct track *track;
	struct slots *slots;
	struct pods *pods;
	struct events *events;
	struct notifiers *notifiers;
	struct packets *packets;
	struct work *work;
	struct attach *attach;
	struct server *server;
	struct metrics *metrics;
	struct effects *effects; /* NULL without a profile, and when the configuration wants no samples */
	struct services services;
	struct exclusive exclusive;
	struct loop *loop;
	struct ring_buffer *ring;
	struct source ring_source, signal_source, uevent_source, retry_source, cgroups_source, pins_source,
		sweep_source, orphan_source, fallback_source, packets_source, sync_source, effects_source, stop_source,
		mend_source, home_source;
	int tries_left;
	bool sweeping, syncing; /* the timers of sweep_source and sync_source run */
	bool recovering; /* in a thread */
	bool draining; /* ends when nothing is attached */
	uint64_t stop_ns; /* until then what runs is waited for; 0: nobody wants it to stop */
};

/* ---- settings ---- */

static int write_settings(struct daemon *d, struct err *err)
{
	const struct settings_source source = {
		.config = &d->config,
		.kernel_copy_audited = loader_audits_kernel_copy(d->loader),
		.judged_twice = loader_judged_twice(d->loader),
	};

	return settings_write(&source, loader_map(d->loader, MAP_SETTINGS), err);
}

static void set_marking(struct warden_claim *claim, const void *ctx)
{
	const struct daemon *d = ctx;
	const struct qos_profile *p = config_profile(&d->config, claim->owner, claim->resource);

	claim->marking = p->name[0] != '\0';
	claim->dscp_allowed = p->dscp;
	claim->sl_allowed = claim->marking && p->trust == QOS_TRUST_PCP ? 1u << p->priority : 0;
}

/* The host is whoever is in wardend's own netns: it has to be the host's. */
static int check_namespaces(struct err *err)
{
	struct stat own, init;

	if (stat("/proc/self/ns/net", &own) || stat("/proc/1/ns/net", &init))
		return fail(err, -errno, "/proc: %s", strerror(errno));
	if (own.st_ino != init.st_ino)
		return fail(err, -EINVAL,
			    "wardend must run in the host's network namespace (hostNetwork) and see its processes "
			    "(hostPID)");
	return cgroup_enter_host(err);
}

/* ---- what wakes the daemon ---- */

static void sweep_later(struct daemon *d)
{
	if (!d->sweeping)
		timer_once(&d->sweep_source, SWEEP_MS);
	d->sweeping = true;
}

static void sync_later(struct daemon *d)
{
	if (!d->syncing)
		timer_once(&d->sync_source, SYNC_MS);
	d->syncing = true;
}

static void sync_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, sync_source);

	(void)events;
	if (!timer_fired(source))
		return;
	d->syncing = false;
	packets_sync(d->packets);
}

static void netdevs_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, packets_source);

	(void)events;
	if (packets_changed(d->packets))
		sync_later(d);
}

/* A claim has begun or ended by request: what that means for packets is so when the request is answered. */
static void claims_changed(void *ctx)
{
	struct daemon *d = ctx;

	packets_sync(d->packets);
}

static void orphan_ended(const struct claim_change *change, void *ctx)
{
	struct daemon *d = ctx;

	events_claim(d->events, change, 0, 0);
	sync_later(d);
}

static void orphans_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, orphan_source);

	(void)events;
	if (timer_fired(source) && track_orphans(d->track, orphan_ended, d))
		timer_once(source, ORPHAN_MS);
}

/* What the programs were not told of (track_mend()), this part was not either. */
static void mend_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, mend_source);

	(void)events;
	if (!timer_fired(source))
		return;
	if (d->draining && !work_count(d->work) && attach_idle_ns(d->attach) > DRAINED_NS) {
		pr_info("nothing is attached any more");
		loop_stop(d->loop);
		return;
	}
	if (!track_mend(d->track))
		return;
	timer_once(&d->orphan_source, ORPHAN_FIRST_MS);
	sync_later(d);
	pods_moved(d->pods);
}

/* Where the device cgroup carries the rule: its program can be detached, and is looked after. */
static void fallback_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, fallback_source);
	struct err err;
	int r;

	(void)events;
	if (!timer_fired(source))
		return;
	r = loader_reattach(d->loader, &err);
	if (r < 0)
		events_fault(d->events, "the device cgroup's program was detached: %s", err.text);
	else if (r > 0)
		events_fault(d->events, "the device cgroup's program was detached by somebody and is attached again");
}

static void effect_changed(const struct effect_change *change, void *ctx)
{
	struct daemon *d = ctx;

	events_effect(d->events, change);
}

static void pf_of(uint32_t index, char *to, size_t size, void *ctx)
{
	const struct daemon *d = ctx;
	struct warden_device device;

	to[0] = '\0';
	if (track_device_get(d->track, index, &device))
		sriov_pf_name(device.parent, to, size);
}

/* One round of samples; what cannot be read is missing from it, and said by `wardenctl qos`. */
static void sample_effects(struct daemon *d)
{
	const struct sample_options options = {
		.netdevs = d->config.qos_netdevs, .netdev_count = CONFIG_QOS_NETDEVS, .pf = pf_of, .ctx = d
	};

	effects_begin(d->effects, boot_ns());
	effects_sample(d->effects, &options);
	effects_end(d->effects, effect_changed, d);
}

static void effects_ready(struct source *source, uint32_t events)
{
	(void)events;
	if (timer_fired(source))
		sample_effects(CONTAINER_OF(source, struct daemon, effects_source));
}

/* Tells what the programs have merged and nobody would tell, then looks again while there is anything. */
static void sweep_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, sweep_source);
	bool left;

	(void)events;
	if (!timer_fired(source))
		return;
	d->sweeping = false;
	left = events_sweep(d->events, loader_map(d->loader, MAP_MERGES));
	left |= packets_sweep(d->packets);
	if (left)
		sweep_later(d);
}

/* After which a claimed device may have another netdev, or its netdev be elsewhere. */
static bool moves_devices(uint32_t rule)
{
	return rule == RULE_DEVICE_ADD || rule == RULE_DEVICE_REMOVE || rule == RULE_DEVICE_MOVE ||
	       rule == RULE_EXCLUSIVE_DEVICE_MOVE || rule == RULE_NETDEV_MOVE || rule == RULE_EXCLUSIVE_NETDEV_MOVE ||
	       rule == RULE_EXCLUSIVE_ORPHAN;
}

static int on_event(void *ctx, void *data, size_t size)
{
	const struct warden_event *ev = data;
	struct claim_change change;
	struct daemon *d = ctx;

	if (size < sizeof(*ev))
		return 0;
	slots_event(d->slots, ev, size);
	events_feed(d->events, ev);
	if (ev->kind == EVENT_VIOLATION)
		sweep_later(d);
	if (moves_devices(ev->rule))
		sync_later(d);
	if (track_event(d->track, ev, &change))
		events_claim(d->events, &change, 0, 0);
	pods_event(d->pods, ev);
	if (ev->rule == RULE_NETNS_END && track_claims_in(d->track, ev->arg[0]))
		timer_once(&d->orphan_source, ORPHAN_FIRST_MS);
	return 0;
}

static void drain(void *ctx)
{
	struct daemon *d = ctx;

	ring_buffer__consume(d->ring);
}

static void ring_ready(struct source *source, uint32_t events)
{
	(void)events;
	drain(CONTAINER_OF(source, struct daemon, ring_source));
}

static void signal_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, signal_source);
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	pr_info("stopping on signal %u; the programs stay in force", info.ssi_signo);
	if (!work_count(d->work)) {
		loop_stop(d->loop);
		return;
	}
	pr_info("%u calls still run and are waited for", work_count(d->work));
	d->stop_ns = boot_ns() + STOP_MS * 1000000ull;
	timer_each(&d->stop_source, STOP_LOOK_MS);
}

static void stop_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, stop_source);

	(void)events;
	if (timer_fired(source) && (!work_count(d->work) || boot_ns() > d->stop_ns))
		loop_stop(d->loop);
}

static void retry(void *ctx)
{
	struct daemon *d = ctx;

	attach_retry(d->attach);
}

static void recover(void *ctx)
{
	struct daemon *d = ctx;

	attach_recover(d->attach);
}

static void recovered(void *ctx)
{
	struct daemon *d = ctx;

	d->recovering = false;
}

static void home_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, home_source);

	(void)events;
	if (!timer_fired(source))
		return;
	if (!d->recovering && attach_troubled(d->attach))
		d->recovering = !work_start(d->work, retry, recovered, d);
	metrics_listen(d->metrics);
}

/* Reads the netns mode of the RDMA subsystem, changes it if the configuration wants that, and tells the loader. */
static int settle_netns_mode(struct daemon *d, struct err *err)
{
	int r = exclusive_settle(&d->exclusive, err);
	char next_boot[160];

	exclusive_text(&d->exclusive, next_boot, sizeof(next_boot));
	if (d->exclusive.now != EXCLUSIVE_UNKNOWN)
		loader_note_netns_mode(d->loader, d->exclusive.now == EXCLUSIVE_YES, next_boot);
	return r;
}

/* Before ib_core is there, too: it may be loaded by a boot that has no wardend yet. */
static void settle_next_boot(struct daemon *d)
{
	struct err err;

	d->exclusive.wanted = d->config.set_exclusive;
	d->exclusive.modprobe_dir = d->config.modprobe_dir;
	if (exclusive_next_boot(&d->exclusive, &err) && d->exclusive.wanted)
		events_fault(d->events, "%s", err.text);
}

/* Attaches what has become possible; the devices that were there before are entered. */
static void attach_rdma(struct daemon *d)
{
	struct err err;

	if (!loader_attach_rdma(d->loader))
		return;
	track_scan(d->track);
	if (write_settings(d, &err))
		events_fault(d->events, "%s", err.text);
	if (settle_netns_mode(d, &err))
		events_fault(d->events, "%s", err.text);
	if (loader_rdma_attached(d->loader))
		pr_info("the programs on the RDMA modules are attached");
}

static void retry_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, retry_source);

	(void)events;
	if (!timer_fired(source))
		return;
	attach_rdma(d);
	if (loader_rdma_attached(d->loader) || --d->tries_left <= 0)
		timer_once(source, 0);
}

static void uevent_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, uevent_source);
	char message[2048];
	ssize_t len = recv(source->fd, message, sizeof(message) - 1, MSG_DONTWAIT);

	(void)events;
	if (len <= 0 || loader_rdma_attached(d->loader))
		return;
	message[len] = '\0';
	if (strncmp(message, "add@/module/", 12) || !loader_waits_for(d->loader, message + 12))
		return;
	/* The uevent comes before the module is live, and its BTF with it. */
	d->tries_left = MODULE_TRIES;
	timer_each(&d->retry_source, RETRY_MS);
}

/* The kubelet made the cgroup of the pods after wardend had started. */
static void cgroups_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, cgroups_source);
	_Alignas(struct inotify_event) char buf[4096];
	struct err err;

	(void)events;
	if (read(source->fd, buf, sizeof(buf)) > 0 && write_settings(d, &err))
		events_fault(d->events, "%s", err.text);
}

/* Watches the folder that holds each of the cgroups; one in a folder that does not exist is not waited for. */
static int cgroups_watch(const struct config *config)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[PATH_MAX];

	for (size_t i = 0; fd >= 0 && i < WARDEN_POD_CGROUPS; i++) {
		if (!config->pod_cgroups[i][0] ||
		    try_snprintf(path, sizeof(path), CGROUP_ROOT "/%s", config->pod_cgroups[i]))
			continue;
		inotify_add_watch(fd, dirname(path), IN_CREATE | IN_ONLYDIR);
	}
	return fd;
}

/* Somebody has taken pins away: dranet does with its option disableEbpfPrograms, a hasty administrator may. */
static void pins_ready(struct source *source, uint32_t events)
{
	struct daemon *d = CONTAINER_OF(source, struct daemon, pins_source);
	_Alignas(struct inotify_event) char buf[4096];
	struct err err;
	int restored;

	(void)events;
	while (read(source->fd, buf, sizeof(buf)) > 0)
		;
	restored = loader_repair(d->loader, &err);
	if (restored < 0)
		events_fault(d->events, "pins were removed and cannot be put back: %s", err.text);
	else if (restored > 0)
		events_fault(d->events, "%d pins were removed by somebody else and have been put back", restored);
}

static int add_source(struct daemon *d, struct source *source, int fd, void (*ready)(struct source *, uint32_t),
		      const char *what, struct err *err)
{
	source->fd = fd;
	source->ready = ready;
	if (fd < 0 || loop_add(d->loop, source, EPOLLIN))
		return fail(err, -errno, "%s: %s", what, strerror(errno));
	return 0;
}

static int signal_descriptor(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* who read the events from stdout may have gone */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_timers(struct daemon *d, struct err *err)
{
	int r = timer_open(&d->retry_source, d->loop, retry_ready, err);

	if (!r)
		r = timer_open(&d->sweep_source, d->loop, sweep_ready, err);
	if (!r)
		r = timer_open(&d->orphan_source, d->loop, orphans_ready, err);
	if (!r)
		r = timer_open(&d->fallback_source, d->loop, fallback_ready, err);
	if (!r)
		r = timer_open(&d->sync_source, d->loop, sync_ready, err);
	if (!r)
		r = timer_open(&d->stop_source, d->loop, stop_ready, err);
	if (!r)
		r = timer_open(&d->mend_source, d->loop, mend_ready, err);
	if (!r)
		timer_each(&d->mend_source, MEND_MS);
	if (!r)
		r = timer_open(&d->home_source, d->loop, home_ready, err);
	if (!r)
		timer_each(&d->home_source, RETRY_ATTACH_MS);
	if (!r)
		r = timer_open(&d->effects_source, d->loop, effects_ready, err);
	if (!r && d->effects)
		timer_each(&d->effects_source, d->config.effects_interval * 1000L);
	if (!r && loader_mechanism(d->loader) == GUARD_DEVICE_CGROUP && d->config.mode == MODE_ENFORCE)
		timer_each(&d->fallback_source, FALLBACK_MS);
	return r;
}

static int open_sources(struct daemon *d, struct err *err)
{
	int watch, r = add_source(d, &d->signal_source, signal_descriptor(), signal_ready, "signals", err);

	if (!r)
		r = add_source(d, &d->uevent_source, netlink_uevents(), uevent_ready, "uevents", err);
	if (!r)
		r = open_timers(d, err);
	if (!r)
		r = add_source(d, &d->cgroups_source, cgroups_watch(&d->config), cgroups_ready, "cgroup watch", err);
	if (!r && packets_watch(d->packets) >= 0)
		r = add_source(d, &d->packets_source, packets_watch(d->packets), netdevs_ready, "word of netdevs", err);
	if (r)
		return r;
	watch = loader_watch(d->loader, err);
	r = watch < 0 ? watch : add_source(d, &d->pins_source, watch, pins_ready, "pin watch", err);
	if (!r)
		r = add_source(d, &d->ring_source, ring_buffer__epoll_fd(d->ring), ring_ready, "event ring", err);
	return r;
}

/* ---- start and stop ---- */

static int open_parts(struct daemon *d, const struct arguments *args, struct err *err)
{
	struct loader_options options = { .bpffs = d->config.bpffs, .guard = args->guard };
	struct track_options track = { .state_dir = d->config.state_dir, .marking = set_marking, .ctx = d };
	int r = check_namespaces(err);

	if (!r)
		r = state_open(d->config.state_dir, err);
	if (!r)
		r = loader_open(&d->loader, &options, err);
	if (!r)
		r = track_open(&d->track, d->loader, &track, err);
	if (!r)
		r = slots_open(&d->slots, d->loader, err);
	if (!r)
		r = events_open(&d->events, d->track, d->slots, err);
	if (!r)
		r = write_settings(d, err);
	if (r)
		return r;
	track_scan(d->track);
	r = loader_attach_guard(d->loader, err);
	if (r)
		return r;
	settle_next_boot(d);
	attach_rdma(d);
	r = packets_open(&d->packets, d->loader, d->track, d->events, &d->config, err);
	if (r)
		return r;
	packets_sync(d->packets);
	if (d->config.profile.name[0] && d->config.effects_interval)
		r = effects_open(&d->effects, &d->config.profile, config_priorities(&d->config),
				 d->config.effects_interval * 1000000000ull);
	if (r)
		return fail(err, r, "out of memory");
	d->services = (struct services){ .config = &d->config,
					 .loader = d->loader,
					 .track = d->track,
					 .events = d->events,
					 .packets = d->packets,
					 .effects = d->effects,
					 .exclusive = &d->exclusive,
					 .drain = drain,
					 .claims_changed = claims_changed,
					 .ctx = d };
	return 0;
}

static void close_parts(struct daemon *d)
{
	server_close(d->server);
	metrics_close(d->metrics);
	pods_close(d->pods);
	notifiers_close(d->notifiers);
	if (d->stop_ns && work_count(d->work)) {
		/* They may wait for an IPAM plugin for minutes; the journal says how far they have come. */
		pr_warn("%u calls are left to the next start", work_count(d->work));
		fflush(NULL);
		_exit(EXIT_SUCCESS);
	}
	work_close(d->work);
	attach_close(d->attach);
	util_close(&d->stop_source.fd);
	util_close(&d->mend_source.fd);
	util_close(&d->home_source.fd);
	ring_buffer__free(d->ring);
	util_close(&d->signal_source.fd);
	util_close(&d->uevent_source.fd);
	util_close(&d->retry_source.fd);
	util_close(&d->cgroups_source.fd);
	util_close(&d->sweep_source.fd);
	util_close(&d->orphan_source.fd);
	util_close(&d->fallback_source.fd);
	util_close(&d->sync_source.fd);
	packets_close(d->packets); /* and packets_source */
	util_close(&d->effects_source.fd);
	effects_close(d->effects);
	events_close(d->events);
	slots_close(d->slots);
	track_close(d->track);
	loader_close(d->loader);
	loop_close(d->loop);
}

static int open_attach(struct daemon *d, struct err *err)
{
	struct attach_options options = { .state_dir = d->config.state_dir,
					  .ipam_ms = d->config.ipam_timeout * 1000,
					  .draining = d->draining };
	int r = work_open(&d->work, d->loop, ATTACH_JOBS, err);

	if (r)
		return r;
	d->services.work = d->work;
	options.hooks = cni_hooks(&d->services);
	r = attach_open(&d->attach, &options, err);
	if (r)
		return r;
	d->services.attach = d->attach;
	return 0;
}

/* Another owner may have another profile; the claim itself is in force already. */
static void claims_discovered(void *ctx)
{
	sync_later(ctx);
}

static int open_pods(struct daemon *d, struct err *err)
{
	const struct pods_options options = { .config = &d->config,
					      .loop = d->loop,
					      .track = d->track,
					      .slots = d->slots,
					      .events = d->events,
					      .attach = d->attach,
					      .exclusive = &d->exclusive,
					      .claims_changed = claims_discovered,
					      .ctx = d };
	int r = notifiers_open(&d->notifiers, &d->config, d->loop, d->events, d->slots, err);

	if (!r)
		r = pods_open(&d->pods, &options, err);
	d->services.notifiers = d->notifiers;
	d->services.pods = d->pods;
	d->services.slots = d->slots;
	return r;
}

static int serve(struct daemon *d, struct err *err)
{
	char socket_path[PATH_MAX];
	struct server_options options = {
		.path = socket_path, .kinds = request_kinds, .ctx = &d->services, .events = d->events
	};
	int r = make_dirs(d->config.run_dir);

	if (r)
		return fail(err, r, "run_dir %s: %s", d->config.run_dir, strerror(-r));
	if (try_snprintf(socket_path, sizeof(socket_path), "%s/warden.sock", d->config.run_dir))
		return fail(err, -ENAMETOOLONG, "run_dir: the path is too long");
	d->ring = ring_buffer__new(loader_map(d->loader, MAP_EVENTS), on_event, d, NULL);
	if (!d->ring)
		return fail(err, -errno, "event ring: %s", strerror(errno));
	r = loop_open(&d->loop);
	if (r)
		return fail(err, r, "epoll: %s", strerror(-r));
	r = open_sources(d, err);
	if (!r)
		r = write_settings(d, err); /* again: a cgroup may have come before its watch */
	if (!r)
		r = open_attach(d, err);
	if (!r)
		r = open_pods(d, err);
	if (!r)
		r = metrics_open(&d->metrics, &d->services, d->loop, err);
	if (!r)
		r = server_open(&d->server, d->loop, &options, err);
	if (r)
		return r;
	metrics_listen(d->metrics);
	if (loader_keep(d->loader))
		events_fault(d->events, "took over from a wardend whose maps have another layout: its counters begin "
					"anew, and events that it had not read are lost");
	drain(d); /* what happened while no wardend ran */
	policy_apply_at_start(&d->services); /* while no attachment is worked on */
	/* What was half done is brought home beside the first calls: each VF is one thread's at a time. */
	if (work_start(d->work, recover, recovered, d))
		return fail(err, -ENOMEM, "out of memory");
	d->recovering = true;
	timer_once(&d->orphan_source, ORPHAN_FIRST_MS);
	if (d->effects)
		sample_effects(d); /* where the rates begin */
	notify_ready();
	pr_info("ready: mode %s, control socket %s", config_mode_name(d->config.mode), socket_path);
	r = loop_run(d->loop);
	if (r)
		return fail(err, r, "event loop: %s", strerror(-r));
	return d->draining && !attach_idle_ns(d->attach) ? fail(err, -EBUSY, "stopped while something was attached")
							 : 0;
}

static int run(struct daemon *d, const struct arguments *args, struct err *err)
{
	int r;

	d->draining = args->drain;
	r = open_parts(d, args, err);
	return r ? r : serve(d, err);
}

/* ---- --check and --unload ---- */

static void print_item(cJSON *item, void *ctx)
{
	char *line = cJSON_PrintUnformatted(item);

	(void)ctx;
	if (line)
		printf("%s\n", line);
	free(line);
	cJSON_Delete(item);
}

/*
 * Its own folder of pins, so that a wardend that runs is not disturbed, and audit mode: nothing is refused.
 * The start is never declared done, so that closing the loader undoes it.
 */
static int check(struct daemon *d, const struct arguments *args, struct err *err)
{
	int r;

	snprintf(d->config.bpffs + strlen(d->config.bpffs), sizeof(d->config.bpffs) - strlen(d->config.bpffs),
		 "_check_%d", getpid());
	d->config.mode = MODE_AUDIT;
	d->config.set_exclusive = false;
	d->config.state_dir[0] = '\0'; /* the journal is that of the wardend that runs */
	r = open_parts(d, args, err);
	if (!r)
		requests_capabilities(&d->services, print_item, NULL);
	return r;
}

static int unload(const struct config *config, struct err *err)
{
	int r = loader_unload(config->bpffs, packets_unload, err);

	if (!r)
		r = journal_remove(config->state_dir, err);
	if (!r)
		r = state_remove(config->state_dir, err);
	if (!r)
		remove_empty_dir(config->run_dir);
	return r;
}

/* Whoever starts it anew whenever it ends, as a DaemonSet does, would have the start after the last one log the same for ever. */
static int stay(struct err *err)
{
	sigset_t ends;
	int signal;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	pr_info("unloaded: the rule has ended; waiting to be stopped");
	return sigwait(&ends, &signal) ? fail(err, -EINVAL, "signals cannot be waited for") : 0;
}

int main(int argc, char **argv)
{
	struct daemon d = {
		.signal_source.fd = -1,
		.uevent_source.fd = -1,
		.retry_source.fd = -1,
		.cgroups_source.fd = -1,
		.sweep_source.fd = -1,
		.orphan_source.fd = -1,
		.fallback_source.fd = -1,
		.sync_source.fd = -1,
		.stop_source.fd = -1,
		.mend_source.fd = -1,
		.effects_source.fd = -1,
		.home_source.fd = -1,
	};
	struct arguments args = {};
	struct err err = {};
	int r;

	if (version_asked("wardend", argc, argv))
		return EXIT_SUCCESS;
	r = arguments_parse(argc, argv, &args);
	if (r)
		return r - 1;
	log_init(args.debug);
	mallopt(M_ARENA_MAX, 1); /* one heap for all threads, which wait for others and not for memory */
	mallopt(M_MMAP_THRESHOLD, 128 << 10); /* what a reading of all counters needed goes back at once */
	config_defaults(&d.config);
	if (args.config)
		r = config_read(args.config, &d.config, &err);
	if (!r && args.unload)
		r = unload(&d.config, &err);
	else if (!r)
		r = args.check ? check(&d, &args, &err) : run(&d, &args, &err);
	close_parts(&d);
	if (!r && args.stay)
		r = stay(&err);
	if (r)
		pr_err("%s", err.text);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
