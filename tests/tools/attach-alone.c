// SPDX-License-Identifier: Apache-2.0
/*
 * Test code: stands for the plugin and wardend in one short-lived process, whose start is the restart of wardend: the
 * transaction, its journal and all that it does to the node are the real ones. Only the claims are files here, by the
 * contract of struct attach_hooks (attach/attach.h); a device is always clean.
 *
 *   CNI_…=… attach-alone STATE_DIR <CONFIG   what an earlier one left half done is brought home, and then the call is made
 *   attach-alone STATE_DIR                   only the first
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/attach.h"
#include "lib/util.h"

static const char *state_dir;

static int claim_path(const char *device, char path[PATH_MAX])
{
	int r = try_snprintf(path, PATH_MAX, "%s/claims", state_dir);

	if (!r)
		r = make_dirs(path);
	return r ? r : try_snprintf(path, PATH_MAX, "%s/claims/%s", state_dir, device);
}

static int claim(const struct attach_claim *claim, struct err *err, void *ctx)
{
	char path[PATH_MAX], owner[512];
	FILE *file;
	int r = claim_path(claim->device, path);

	(void)ctx;
	if (r)
		return fail(err, r, "claim: %s", strerror(-r));
	if (!read_line(path, owner, sizeof(owner)))
		return strcmp(owner, claim->owner) ? fail(err, -EEXIST, "claimed by %s", owner) : 0;
	file = fopen(path, "we");
	if (!file || fprintf(file, "%s\n", claim->owner) < 0)
		r = -EIO;
	if (file && fclose(file))
		r = -EIO;
	return r ? fail(err, r, "claim: it cannot be written") : 0;
}

static void release(const char *device, void *ctx)
{
	char path[PATH_MAX];

	(void)ctx;
	if (claim_path(device, path) || (unlink(path) && errno != ENOENT))
		abort();
}

static bool clean(const char *device, bool netdev, char *why, size_t size, void *ctx)
{
	(void)device, (void)netdev, (void)why, (void)size, (void)ctx;
	return true;
}

static void fault(const char *text, void *ctx)
{
	(void)ctx;
	fprintf(stderr, "%s\n", text);
}

static int call(struct attach *attach)
{
	const struct cni_variables variables = { .command = getenv("CNI_COMMAND"),
						 .container_id = getenv("CNI_CONTAINERID"),
						 .netns = getenv("CNI_NETNS"),
						 .ifname = getenv("CNI_IFNAME"),
						 .args = getenv("CNI_ARGS"),
						 .path = getenv("CNI_PATH") };
	static char config[1 << 20];
	size_t len = fread(config, 1, sizeof(config) - 1, stdin);
	char *answer = NULL;
	bool success = attach_call(attach, &variables, config, len, &answer);

	if (answer)
		puts(answer);
	free(answer);
	return success ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct attach_options options = {
		.hooks = { .claim = claim, .release = release, .clean = clean, .fault = fault }
	};
	struct attach *attach;
	struct err err;
	int status = EXIT_SUCCESS;

	if (argc != 2) {
		fputs("usage: attach-alone STATE_DIR\n", stderr);
		return 2;
	}
	state_dir = options.state_dir = argv[1];
	if (attach_open(&attach, &options, &err)) {
		fprintf(stderr, "attach-alone: %s\n", err.text);
		return 2;
	}
	attach_recover(attach);
	if (getenv("CNI_COMMAND"))
		status = call(attach);
	attach_close(attach);
	return status;
}
