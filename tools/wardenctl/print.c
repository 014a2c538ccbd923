// SPDX-License-Identifier: Apache-2.0
#include "wardenctl/print.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *print_text(const cJSON *item, const char *key)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, key);

	return cJSON_IsString(value) ? value->valuestring : "";
}

static const char *text_or_dash(const cJSON *item, const char *key)
{
	const char *value = print_text(item, key);

	return *value ? value : "-";
}

static double number(const cJSON *item, const char *key)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, key);

	return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

void print_json(const cJSON *item, void *ctx)
{
	char *line = cJSON_PrintUnformatted(item);

	(void)ctx;
	if (line)
		printf("%s\n", line);
	free(line);
}

static void print_exclusive(const cJSON *x)
{
	const cJSON *now = cJSON_GetObjectItemCaseSensitive(x, "now"),
		    *next = cJSON_GetObjectItemCaseSensitive(x, "next_boot");

	printf("exclusive  now: %s; at the next boot: %s",
	       cJSON_IsTrue(now)    ? "yes"
	       : cJSON_IsFalse(now) ? "no"
				    : "unknown",
	       cJSON_IsTrue(next) ? "yes" : "no");
	printf("%s%s\n", *print_text(x, "by") ? ", by " : "", print_text(x, "by"));
	if (*print_text(x, "problem"))
		printf("           %s\n", print_text(x, "problem"));
	if (*print_text(x, "next_boot_problem"))
		printf("           %s\n", print_text(x, "next_boot_problem"));
}

/* What is well takes a word, what is not a line. */
static void print_sources(const cJSON *item)
{
	const cJSON *sources = cJSON_GetObjectItemCaseSensitive(item, "sources"), *s;

	printf("pods       %.0f known", number(item, "pods"));
	if (number(item, "contradictions"))
		printf(", %.0f contradictions between sources: wardenctl verify says which",
		       number(item, "contradictions"));
	printf("\nsources   ");
	cJSON_ArrayForEach (s, sources) {
		printf(" %s=%s", print_text(s, "name"), print_text(s, "state"));
		if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(s, "age_s")))
			printf("(%.0fs)", number(s, "age_s"));
	}
	printf("\n");
	cJSON_ArrayForEach (s, sources)
		if (!strcmp(print_text(s, "state"), "failed"))
			printf("           %s: %s\n", print_text(s, "name"), print_text(s, "error"));
}

static void print_notify(const cJSON *item)
{
	const cJSON *n;

	cJSON_ArrayForEach (n, cJSON_GetObjectItemCaseSensitive(item, "notify")) {
		if (!strcmp(print_text(n, "state"), "off"))
			continue;
		printf("notify     %s %s: %.0f sent, %.0f failed, %.0f dropped, %.0f waiting\n", print_text(n, "name"),
		       print_text(n, "state"), number(n, "sent"), number(n, "failed"), number(n, "dropped"),
		       number(n, "waiting"));
		if (*print_text(n, "error"))
			printf("           the last error: %s\n", print_text(n, "error"));
	}
}

void print_status(const cJSON *item, void *ctx)
{
	const cJSON *qos = cJSON_GetObjectItemCaseSensitive(item, "qos"), *p;
	const cJSON *programs = cJSON_GetObjectItemCaseSensitive(item, "programs");
	bool enforce = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "rule_in_force"));

	(void)ctx;
	printf("wardend    %s, pid %.0f\n", print_text(item, "version"), number(item, "pid"));
	printf("mode       %s: %s\n", print_text(item, "mode"),
	       enforce ? "what breaks the rule is refused" : "nothing is refused, what would be is reported");
	printf("guard      %s\n", print_text(item, "guard"));
	printf("claims     %.0f\n", number(item, "claims"));
	printf("attached   %.0f", number(item, "attachments"));
	if (number(item, "quarantined"))
		printf(", and %.0f of them in quarantine: wardenctl attachments says why", number(item, "quarantined"));
	printf("\n");
	print_sources(item);
	print_notify(item);
	print_exclusive(cJSON_GetObjectItemCaseSensitive(item, "exclusive"));
	if (*print_text(qos, "profile"))
		printf("marking    profile %s (DSCP %s), on a violation: %s\n", print_text(qos, "profile"),
		       print_text(qos, "dscp"), print_text(qos, "on_violation"));
	else
		printf("marking    not judged: the configuration names no profile\n");
	printf("programs  ");
	cJSON_ArrayForEach (p, programs)
		if (number(p, "skipped") > 0)
			printf(" %s(%.0f calls skipped)", print_text(p, "name"), number(p, "skipped"));
		else
			printf(" %s", print_text(p, "name"));
	printf("\ncounters  ");
	cJSON_ArrayForEach (p, cJSON_GetObjectItemCaseSensitive(item, "counters"))
		printf(" %s=%.0f", p->string, p->valuedouble);
	printf("\n");
}

void print_capability(const cJSON *item, void *ctx)
{
	(void)ctx;
	printf("%-22s %-12s %-9s %s\n", print_text(item, "feature"), print_text(item, "state"),
	       text_or_dash(item, "by"), print_text(item, "reason"));
}

/* Where it is another one than the claim's owner, who stands there already. */
static void print_pod(const cJSON *pod, const char *owner)
{
	char name[400];

	if (!cJSON_IsObject(pod))
		return;
	snprintf(name, sizeof(name), "%s/%s", print_text(pod, "namespace"), print_text(pod, "name"));
	if (strcmp(name, owner))
		printf("           pod %s, by %s\n", name, print_text(pod, "source"));
}

void print_device(const cJSON *item, void *ctx)
{
	static bool head;
	const cJSON *netns = cJSON_GetObjectItemCaseSensitive(item, "netns");
	char where[64];

	(void)ctx;
	if (!head)
		printf("%-10s %-13s %-8s %-10s %-16s %-24s %-8s %4s %5s %s\n", "DEVICE", "PCI", "PF", "NETDEV", "NETNS",
		       "OWNER", "STATE", "QPS", "MRS", "MARKING");
	head = true;
	if (*print_text(netns, "name"))
		snprintf(where, sizeof(where), "%s", print_text(netns, "name"));
	else
		snprintf(where, sizeof(where), "%.0f", number(netns, "inode"));
	printf("%-10s %-13s %-8s %-10s %-16s %-24s %-8s %4.0f %5.0f %s\n", print_text(item, "device"),
	       text_or_dash(item, "pci"), text_or_dash(item, "pf"), text_or_dash(item, "netdev"), where,
	       text_or_dash(item, "owner"), print_text(item, "state"), number(item, "qps"), number(item, "mrs"),
	       print_text(item, "marking"));
	if (*print_text(item, "unclean"))
		printf("           not clean: %s\n", print_text(item, "unclean"));
	print_pod(cJSON_GetObjectItemCaseSensitive(item, "pod"), print_text(item, "owner"));
}

static void print_pf(const cJSON *item)
{
	const cJSON *vf;

	printf("PF %s (%s): %.0f of %.0f VFs, %.0f taken\n", text_or_dash(item, "pf"), print_text(item, "pci"),
	       number(item, "vfs"), number(item, "total_vfs"), number(item, "taken"));
	cJSON_ArrayForEach (vf, cJSON_GetObjectItemCaseSensitive(item, "vf_list"))
		printf("    %-13s %-10s %-28s %s\n", print_text(vf, "pci"), text_or_dash(vf, "device"),
		       text_or_dash(vf, "owner"), print_text(vf, "resource"));
}

static void print_resource(const cJSON *item)
{
	const cJSON *allocatable = cJSON_GetObjectItemCaseSensitive(item, "allocatable"), *d;

	printf("%s: ", print_text(item, "resource"));
	if (cJSON_IsNumber(allocatable))
		printf("%.0f allocatable, ", allocatable->valuedouble);
	printf("%.0f allocated\n", number(item, "allocated"));
	cJSON_ArrayForEach (d, cJSON_GetObjectItemCaseSensitive(item, "devices"))
		printf("    %-13s %-10s %-28s %s\n", print_text(d, "device"), text_or_dash(d, "rdma"),
		       text_or_dash(d, "pod"), print_text(d, "container"));
}

void print_inventory(const cJSON *item, void *ctx)
{
	(void)ctx;
	(strcmp(print_text(item, "kind"), "pf") ? print_resource : print_pf)(item);
}

void print_attachment(const cJSON *item, void *ctx)
{
	(void)ctx;
	printf("%-13s %-10s %-28s %s of %s (network %s)\n", print_text(item, "pci"), print_text(item, "step"),
	       print_text(item, "owner"), print_text(item, "ifname"), print_text(item, "container_id"),
	       print_text(item, "network"));
	if (*print_text(item, "trouble"))
		printf("              %s: %s\n",
		       cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "quarantined")) ? "kept from others"
											   : "not yet over",
		       print_text(item, "trouble"));
}

void print_timing(const cJSON *item, void *ctx)
{
	const double ms = 1e6;

	(void)ctx;
	printf("%-6s %-10s %6.0f times, half within %8.2f ms, 99 %% within %8.2f ms, at most %8.2f ms\n",
	       print_text(item, "command"), *print_text(item, "step") ? print_text(item, "step") : "(all)",
	       number(item, "count"), number(item, "p50_ns") / ms, number(item, "p99_ns") / ms,
	       number(item, "max_ns") / ms);
}

void print_claim(const cJSON *item, void *ctx)
{
	(void)ctx;
	printf("%s (%s) %s, netns %.0f\n", print_text(item, "device"), text_or_dash(item, "pci"),
	       print_text(item, "owner"), number(item, "netns"));
}

/* Who sent a request to wardend is known by pid and uid alone. */
static void print_actor(const cJSON *actor)
{
	if (!number(actor, "pid"))
		return;
	printf(" [by %s%spid %.0f, uid %.0f", print_text(actor, "comm"), *print_text(actor, "comm") ? ", " : "",
	       number(actor, "pid"), number(actor, "uid"));
	if (*print_text(actor, "pod"))
		printf(", pod %s", print_text(actor, "pod"));
	else if (*print_text(actor, "cgroup"))
		printf(", cgroup %s", print_text(actor, "cgroup"));
	printf("]");
}

void print_event(const cJSON *item, void *ctx)
{
	const cJSON *actor = cJSON_GetObjectItemCaseSensitive(item, "actor");
	const char *verdict = print_text(item, "verdict");

	(void)ctx;
	if (cJSON_HasObjectItem(item, "lost")) {
		printf("(%.0f events were not shown: this reader is too slow)\n", number(item, "lost"));
		return;
	}
	/* The time alone: the date and the microseconds are in --json. */
	printf("%.8s  %-8s %-22s", strlen(print_text(item, "time")) > 11 ? print_text(item, "time") + 11 : "",
	       strcmp(verdict, "none") ? verdict : print_text(item, "kind"), print_text(item, "rule"));
	if (*print_text(item, "device"))
		printf(" %s", print_text(item, "device"));
	if (*print_text(item, "owner"))
		printf(" of %s", print_text(item, "owner"));
	printf(": %s", print_text(item, "message"));
	if (number(item, "merged") > 0)
		printf(" (and %.0f times more)", number(item, "merged"));
	print_actor(actor);
	printf("\n");
}

static void print_direction(const cJSON *item, const char *direction)
{
	const cJSON *one = cJSON_GetObjectItemCaseSensitive(item, direction), *x;

	cJSON_ArrayForEach (x, cJSON_GetObjectItemCaseSensitive(one, "flows"))
		printf("    %-8s DSCP %-3.0f %-6s %12.0f packets %15.0f bytes\n", direction, number(x, "dscp"),
		       print_text(x, "class"), number(x, "packets"), number(x, "bytes"));
	cJSON_ArrayForEach (x, cJSON_GetObjectItemCaseSensitive(one, "malformed"))
		printf("    %-8s malformed, %s: %.0f\n", direction, x->string, x->valuedouble);
	if (number(one, "fragments"))
		printf("    %-8s later fragments: %.0f\n", direction, number(one, "fragments"));
}

void print_packets(const cJSON *item, void *ctx)
{
	(void)ctx;
	printf("%s (%s, %s) of %s: %s%s; wrong marks: %s, foreign sources: %s\n", print_text(item, "netdev"),
	       print_text(item, "device"), text_or_dash(item, "pci"), print_text(item, "owner"),
	       *print_text(item, "by") ? "by " : "not judged", print_text(item, "by"), print_text(item, "on_marking"),
	       print_text(item, "on_source"));
	if (*print_text(item, "problem"))
		printf("    %s\n", print_text(item, "problem"));
	print_direction(item, "ingress");
	print_direction(item, "egress");
}

static void print_line(const char *head, const char *value)
{
	if (*value)
		printf("         %-9s %s\n", head, value);
}

/* What is right takes one line, what is not says all that mends it. */
void print_finding(const cJSON *item, void *ctx)
{
	const cJSON *devices = cJSON_GetObjectItemCaseSensitive(item, "devices"), *d;
	bool pass = !strcmp(print_text(item, "result"), "pass");

	(void)ctx;
	printf("%-8s %-13s %-16s %s\n", print_text(item, "result"), print_text(item, "id"), print_text(item, "subject"),
	       print_text(item, "found"));
	if (pass)
		return;
	print_line("expected", print_text(item, "expected"));
	print_line("cure", print_text(item, "cure"));
	print_line("or", print_text(item, "cure_mlx5"));
	if (!cJSON_GetArraySize(devices))
		return;
	printf("         %-9s", "carries");
	cJSON_ArrayForEach (d, devices)
		printf(" %s", cJSON_IsString(d) ? d->valuestring : "?");
	printf("\n");
}

static void print_action(const cJSON *a)
{
	const char *done = text_or_dash(a, "done");

	printf("         %-9s %s %s: %s -> %s", *done == '-' ? "to do" : done, print_text(a, "action"),
	       print_text(a, "subject"), text_or_dash(a, "from"), text_or_dash(a, "to"));
	printf("%s%s%s\n", *print_text(a, "reason") ? " (" : "", print_text(a, "reason"),
	       *print_text(a, "reason") ? ")" : "");
	print_line("error", print_text(a, "error"));
}

static void print_wanted(const cJSON *item)
{
	const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(item, "wanted"), *g;
	const cJSON *found = cJSON_GetObjectItemCaseSensitive(item, "found");

	printf("         %-9s %.0f VFs", "wanted", number(wanted, "numVfs"));
	if (number(wanted, "mtu"))
		printf(", MTU %.0f", number(wanted, "mtu"));
	cJSON_ArrayForEach (g, cJSON_GetObjectItemCaseSensitive(wanted, "groups"))
		printf("; %.0f-%.0f %s (%s%s)", number(g, "first"), number(g, "last"), print_text(g, "resourceName"),
		       print_text(g, "deviceType"),
		       cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(g, "isRdma")) ? ", RDMA" : "");
	printf("\n         %-9s %.0f of %.0f VFs, MTU %.0f, %s\n", "found", number(found, "numVfs"),
	       number(found, "totalVfs"), number(found, "mtu"),
	       cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(found, "up")) ? "up" : "down");
	print_line("manager", print_text(found, "manager"));
	cJSON_ArrayForEach (g, cJSON_GetObjectItemCaseSensitive(found, "vfs"))
		if (*print_text(g, "busy"))
			printf("         %-9s VF %.0f (%s): %s\n", "in use", number(g, "vf"), print_text(g, "pci"),
			       print_text(g, "busy"));
}

void print_policy(const cJSON *item, void *ctx)
{
	const cJSON *a;

	(void)ctx;
	if (cJSON_HasObjectItem(item, "action")) {
		print_action(item);
		return;
	}
	if (!*print_text(item, "pf")) {
		printf("%-8s %-13s %s: %s\n", print_text(item, "result"), "-", print_text(item, "resourceName"),
		       print_text(item, "reason"));
		return;
	}
	printf("%-8s %-13s %s: %s\n", print_text(item, "result"), print_text(item, "pf"), print_text(item, "netdev"),
	       print_text(item, "state"));
	print_wanted(item);
	cJSON_ArrayForEach (a, cJSON_GetObjectItemCaseSensitive(item, "actions"))
		print_action(a);
	print_line("because", print_text(item, "reason"));
	print_line("note", print_text(item, "note"));
}

void print_change(const cJSON *item, void *ctx)
{
	const char *done = text_or_dash(item, "done");

	(void)ctx;
	if (cJSON_HasObjectItem(item, "plan")) {
		if (!number(item, "changes"))
			printf("nothing to change\n");
		return;
	}
	printf("%-8s %-13s %-16s %s: %s -> %s\n",
	       *print_text(item, "left") ? "left"
	       : *done == '-'            ? "change"
					 : done,
	       print_text(item, "id"), print_text(item, "subject"), print_text(item, "setting"),
	       print_text(item, "from"), print_text(item, "to"));
	print_line("by", *done == '-' ? print_text(item, "by") : "");
	print_line("note", *done == '-' ? print_text(item, "note") : "");
	print_line("because", print_text(item, "left"));
	print_line("reason", print_text(item, "reason"));
}
