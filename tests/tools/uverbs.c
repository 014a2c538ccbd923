// SPDX-License-Identifier: Apache-2.0
/*
 * A raw client of the uverbs ABI for tests: it speaks to any RDMA device, also one without a libibverbs provider, in
 * the ways that a guard has to see: ioctl and write(2), plain and extended commands, descriptors opened elsewhere.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "uverbs/pass.h"
#include "uverbs/race.h"
#include "uverbs/verbs.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define STATUS_USAGE 2
#define STATUS_EPERM 3
#define STATUS_EACCES 4
#define CONNECT_TRIES 100
#define CONNECT_PAUSE_US 50000

/* ---- subcommands: they get their arguments without the options, and print their one line when all went well ---- */

static int run_open(struct client *c, char **args)
{
	int err = open_device(c, args[0]);

	if (!err)
		printf("opened\n");
	return err;
}

static int run_context(struct client *c, char **args)
{
	int err = open_context(c, args[0]);

	if (!err)
		printf("context\n");
	return err;
}

static int run_modify(struct client *c, char **args)
{
	struct ib_uverbs_query_qp_resp state = { 0 };
	struct qp qp = { 0 };
	int err;

	err = open_queues(c, args[0]);
	if (!err)
		err = fill_addresses(c);
	if (!err)
		err = create_qp(c, &qp);
	if (!err)
		err = connect_qp(c, &qp);
	if (!err)
		err = query_qp(c, &qp, &state);
	if (!err)
		printf("qpn %u state %u tclass %u sl %u sgid_index %u\n", qp.number, state.qp_state,
		       state.dest.traffic_class, state.dest.sl, c->opt.sgid_index);
	return err;
}

static int run_ah(struct client *c, char **args)
{
	uint32_t handle;
	int err;

	err = open_context(c, args[0]);
	if (!err)
		err = alloc_pd(c);
	if (!err)
		err = fill_addresses(c);
	if (!err)
		err = create_ah(c, &handle);
	if (!err)
		printf("ah %u tclass %u\n", handle, c->opt.tclass);
	return err;
}

static uint32_t number(const char *option, const char *text, uint32_t max);

static int run_race(struct client *c, char **args)
{
	struct race race = { .other = (uint8_t)number("class", args[1], UINT8_MAX),
			     .rounds = number("rounds", args[2], UINT16_MAX) };
	int err = open_queues(c, args[0]);

	if (!err)
		err = fill_addresses(c);
	if (!err)
		err = race_qps(c, &race);
	if (!err)
		printf("tried %u denied %u slipped %u\n", race.tried, race.denied, race.slipped);
	return err;
}

static int run_devx(struct client *c, char **args)
{
	int err = open_context(c, args[0]);

	return err ? err : devx_create(c);
}

/* Each byte asks whether the context still works; the end of the input ends the process. */
static void answer_until_eof(struct client *c)
{
	char byte;
	int err;

	while (read(STDIN_FILENO, &byte, 1) > 0) {
		err = alloc_pd(c);
		printf("%s\n", err ? strerrorname_np(-err) : "alive");
		fflush(stdout);
	}
}

static int create_objects(struct client *c)
{
	static uint8_t memory[4096];
	const struct options *opt = &c->opt;
	uint32_t handle;
	struct qp qp;
	int err = 0;

	if (opt->rtr || opt->ahs)
		err = fill_addresses(c);
	for (uint32_t i = 0; !err && i < opt->qps; i++) {
		err = create_qp(c, &qp);
		if (!err && opt->rtr)
			err = connect_qp(c, &qp);
	}
	for (uint32_t i = 0; !err && i < opt->mrs; i++)
		err = reg_mr(c, memory, sizeof(memory));
	for (uint32_t i = 0; !err && i < opt->ahs; i++)
		err = create_ah(c, &handle);
	return err;
}

static int run_hold(struct client *c, char **args)
{
	int err;

	err = open_queues(c, args[0]);
	if (!err)
		err = create_objects(c);
	if (err)
		return err;
	printf("ready\n");
	fflush(stdout);
	answer_until_eof(c);
	return 0;
}

static int enter_netns(struct client *c, const char *path)
{
	__cleanup(close_fd) int fd = -1;

	c->step = "setns";
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		return -errno;
	return 0;
}

static int run_reuse(struct client *c, char **args)
{
	int err;

	c->step = "--netns";
	if (!c->opt.netns)
		return -EINVAL;
	err = open_device(c, args[0]);
	if (!err)
		err = enter_netns(c, c->opt.netns);
	if (!err)
		err = get_context(c);
	if (!err)
		printf("context after setns\n");
	return err;
}

/* The first page of the device's mappings; without --netns as its opener, else from another netns. */
static int run_map(struct client *c, char **args)
{
	void *page;
	int err = open_device(c, args[0]);

	if (!err)
		err = get_context(c);
	if (!err && c->opt.netns)
		err = enter_netns(c, c->opt.netns);
	if (err)
		return err;
	c->step = "mmap";
	page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, c->fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	munmap(page, (size_t)sysconf(_SC_PAGESIZE));
	printf("mapped\n");
	return 0;
}

static int set_address(struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(addr->sun_path, path);
	return 0;
}

/* The receiver may start a little later. */
static int connect_to(const char *path)
{
	struct sockaddr_un addr;
	int fd, err;

	err = set_address(&addr, path);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < CONNECT_TRIES; i++) {
		if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			return fd;
		usleep(CONNECT_PAUSE_US);
	}
	err = -errno;
	close(fd);
	return err;
}

static int run_pass(struct client *c, char **args)
{
	__cleanup(close_fd) int sock = -1;
	int err;

	err = open_device(c, args[0]);
	if (err)
		return err;
	c->step = "connect";
	sock = connect_to(args[1]);
	if (sock < 0)
		return sock;
	c->step = "send";
	err = send_fd(sock, c->fd);
	if (!err)
		printf("passed\n");
	return err;
}

static int accept_on(const char *path)
{
	__cleanup(close_fd) int sock = -1;
	struct sockaddr_un addr;
	int err, fd;

	err = set_address(&addr, path);
	if (err)
		return err;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) || listen(sock, 1))
		return -errno;
	fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC);
	err = -errno;
	unlink(path);
	return fd < 0 ? err : fd;
}

static int run_receive(struct client *c, char **args)
{
	__cleanup(close_fd) int sock = -1;
	int err;

	c->step = "accept";
	sock = accept_on(args[0]);
	if (sock < 0)
		return sock;
	c->step = "receive";
	c->fd = receive_fd(sock);
	if (c->fd < 0)
		return c->fd;
	err = get_context(c);
	if (!err)
		printf("context on a received descriptor\n");
	return err;
}

static const struct subcommand {
	const char *name;
	const char *usage;
	int args;
	int (*run)(struct client *c, char **args);
} subcommands[] = {
	{ "open", "DEV", 1, run_open },
	{ "context", "DEV", 1, run_context },
	{ "modify", "DEV [--tclass N] [--sl N] [--alt-tclass N] [--extended] [--dgid ADDR|auto]", 1, run_modify },
	{ "race", "DEV CLASS ROUNDS [--tclass N]", 3, run_race },
	{ "devx", "DEV", 1, run_devx },
	{ "ah", "DEV [--tclass N] [--sl N] [--dgid ADDR|auto]", 1, run_ah },
	{ "hold", "DEV [--qps N] [--mrs N] [--ahs N] [--rtr]", 1, run_hold },
	{ "reuse", "DEV --netns FILE", 1, run_reuse },
	{ "map", "DEV [--netns FILE]", 1, run_map },
	{ "pass", "DEV SOCKET", 2, run_pass },
	{ "receive", "SOCKET", 1, run_receive },
};

/* ---- command line ---- */

static void usage(FILE *to)
{
	fprintf(to, "usage:\n");
	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++)
		fprintf(to, "  uverbs %s %s\n", subcommands[i].name, subcommands[i].usage);
	fprintf(to, "DEV: a path, uverbsN or the name of an RDMA device\n"
		    "with any: --via ioctl|write\n"
		    "hold ends with its input; a byte there makes it say \"alive\" or the error of a further command\n"
		    "with hold --rtr or --ahs: the options of modify and ah\n"
		    "with modify and ah: --sgid-index N (default: a RoCEv2 one)\n"
		    "with modify: --pad-attrs N (unknown attributes first), --unmapped[=input|header] (the last "
		    "command, or the\n"
		    "  ioctl's header, lies in a page that is not mapped in yet)\n"
		    "exit status: 1 failed, 2 usage, 3 EPERM, 4 EACCES\n");
}

static _Noreturn void bad_usage(const char *what)
{
	fprintf(stderr, "uverbs: bad %s\n", what);
	usage(stderr);
	exit(STATUS_USAGE);
}

static uint32_t number(const char *option, const char *text, uint32_t max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value > max)
		bad_usage(option);
	return (uint32_t)value;
}

/* A GID is written as an IPv6 address; an IPv4 address stands for its mapped form. */
static void set_dgid(struct options *opt, const char *text)
{
	struct in_addr v4;

	opt->dgid_given = strcmp(text, "auto") != 0;
	if (!opt->dgid_given || inet_pton(AF_INET6, text, opt->dgid) == 1)
		return;
	if (inet_pton(AF_INET, text, &v4) != 1)
		bad_usage("--dgid");
	memset(opt->dgid, 0, 10);
	memset(opt->dgid + 10, 0xff, 2);
	memcpy(opt->dgid + 12, &v4, 4);
}

static bool choice(const char *option, const char *text, const char *no, const char *yes)
{
	if (strcmp(text, no) && strcmp(text, yes))
		bad_usage(option);
	return !strcmp(text, yes);
}

static const struct option long_options[] = {
	{ "tclass", required_argument, NULL, 't' },
	{ "sl", required_argument, NULL, 's' },
	{ "alt-tclass", required_argument, NULL, 'a' },
	{ "extended", no_argument, NULL, 'e' },
	{ "via", required_argument, NULL, 'v' },
	{ "dgid", required_argument, NULL, 'd' },
	{ "sgid-index", required_argument, NULL, 'i' },
	{ "pad-attrs", required_argument, NULL, 'p' },
	{ "unmapped", optional_argument, NULL, 'u' },
	{ "qps", required_argument, NULL, 'q' },
	{ "mrs", required_argument, NULL, 'm' },
	{ "ahs", required_argument, NULL, 'A' },
	{ "rtr", no_argument, NULL, 'r' },
	{ "netns", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void set_option(struct options *opt, int key, const char *value)
{
	switch (key) {
	case 't':
		opt->tclass = number("--tclass", value, UINT8_MAX);
		break;
	case 's':
		opt->sl = number("--sl", value, UINT8_MAX);
		break;
	case 'a':
		opt->alt_tclass = number("--alt-tclass", value, UINT8_MAX);
		opt->alt_path = true;
		break;
	case 'e':
		opt->extended = true;
		break;
	case 'v':
		opt->by_write = choice("--via", value, "ioctl", "write");
		break;
	case 'd':
		set_dgid(opt, value);
		break;
	case 'i':
		opt->sgid_index = number("--sgid-index", value, UINT8_MAX);
		opt->sgid_given = true;
		break;
	/* Four real attributes follow. */
	case 'p':
		opt->pad_attrs = number("--pad-attrs", value, ATTRS_MAX - 4);
		break;
	case 'u':
		opt->unmapped = value && choice("--unmapped", value, "input", "header") ? UNMAPPED_HEADER
											: UNMAPPED_INPUT;
		break;
	case 'q':
		opt->qps = number("--qps", value, UINT16_MAX);
		break;
	case 'm':
		opt->mrs = number("--mrs", value, UINT16_MAX);
		break;
	case 'A':
		opt->ahs = number("--ahs", value, UINT16_MAX);
		break;
	case 'r':
		opt->rtr = true;
		break;
	case 'n':
		opt->netns = value;
		break;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		bad_usage("option");
	}
}

static const struct subcommand *find_subcommand(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(subcommands); i++)
		if (!strcmp(subcommands[i].name, name))
			return &subcommands[i];
	bad_usage("subcommand");
}

static int exit_status(int err)
{
	switch (err) {
	case 0:
		return EXIT_SUCCESS;
	case -EPERM:
		return STATUS_EPERM;
	case -EACCES:
		return STATUS_EACCES;
	default:
		return EXIT_FAILURE;
	}
}

int main(int argc, char **argv)
{
	struct client c = { .fd = -1, .step = "start", .opt = { .qps = 1 } };
	const struct subcommand *sub;
	int key, err;

	while ((key = getopt_long(argc, argv, "h", long_options, NULL)) >= 0)
		set_option(&c.opt, key, optarg);
	sub = find_subcommand(argv[optind]);
	if (argc - optind - 1 != sub->args)
		bad_usage("number of arguments");
	err = sub->run(&c, argv + optind + 1);
	close_fd(&c.fd);
	if (err)
		printf("failed %s %s\n", c.step, strerrorname_np(-err));
	return exit_status(err);
}
