// SPDX-License-Identifier: Apache-2.0
#include "lib/curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include "lib/util.h"

#define LIBRARY "libcurl.so.4" /* its ABI since 2006 */

static struct curl_api api;
static struct err problem;
static int loaded;

static int load_functions(void *library)
{
	static const struct {
		const char *name;
		size_t offset;
	} functions[] = {
		{ "curl_easy_init", offsetof(struct curl_api, easy_init) },
		{ "curl_easy_cleanup", offsetof(struct curl_api, easy_cleanup) },
		{ "curl_easy_setopt", offsetof(struct curl_api, easy_setopt) },
		{ "curl_easy_perform", offsetof(struct curl_api, easy_perform) },
		{ "curl_easy_getinfo", offsetof(struct curl_api, easy_getinfo) },
		{ "curl_easy_strerror", offsetof(struct curl_api, easy_strerror) },
		{ "curl_multi_init", offsetof(struct curl_api, multi_init) },
		{ "curl_multi_cleanup", offsetof(struct curl_api, multi_cleanup) },
		{ "curl_multi_add_handle", offsetof(struct curl_api, multi_add_handle) },
		{ "curl_multi_remove_handle", offsetof(struct curl_api, multi_remove_handle) },
		{ "curl_multi_perform", offsetof(struct curl_api, multi_perform) },
		{ "curl_multi_info_read", offsetof(struct curl_api, multi_info_read) },
		{ "curl_multi_poll", offsetof(struct curl_api, multi_poll) },
		{ "curl_multi_wakeup", offsetof(struct curl_api, multi_wakeup) },
		{ "curl_slist_append", offsetof(struct curl_api, slist_append) },
		{ "curl_slist_free_all", offsetof(struct curl_api, slist_free_all) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function)
			return fail(&problem, -ENOSYS, "%s has no %s", LIBRARY, functions[i].name);
		*(void **)((char *)&api + functions[i].offset) = function;
	}
	return 0;
}

/* Once for all threads, as its own initialization wants it. */
static void load(void)
{
	__typeof__(curl_global_init) *global_init;
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		loaded = fail(&problem, -ENOENT, "libcurl cannot be loaded: %s", dlerror());
		return;
	}
	loaded = load_functions(library);
	if (loaded)
		return;
	*(void **)&global_init = dlsym(library, "curl_global_init");
	if (!global_init || global_init(CURL_GLOBAL_DEFAULT))
		loaded = fail(&problem, -EIO, "libcurl cannot be initialized");
}

const struct curl_api *curl_load(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (!loaded)
		return &api;
	fail(err, loaded, "%s", problem.text);
	return NULL;
}
