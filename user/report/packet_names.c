// SPDX-License-Identifier: Apache-2.0
#include "report/packet_names.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/mac.h"
#include "lib/util.h"
#include "qos/profile.h"

const char *packet_class_name(unsigned int class)
{
	static const char *const names[ROCE_CLASSES] = { [ROCE_RC] = "rc",   [ROCE_UC] = "uc", [ROCE_UD] = "ud",
							 [ROCE_CNP] = "cnp", [ROCE_CM] = "cm", [ROCE_OTHER] = "other" };

	return class < ROCE_CLASSES ? names[class] : "any";
}

const char *packet_direction_name(unsigned int direction)
{
	return direction == DIRECTION_INGRESS ? "ingress" : "egress";
}

static void marking_detail(const struct warden_event *ev, cJSON *detail, char *message, size_t size)
{
	uint64_t arg = ev->arg[0];
	unsigned int pcp = PACKET_ARG_PCP(arg), direction = PACKET_ARG_DIRECTION(arg);
	char set[256], priority[32] = "";

	qos_dscp_text(ev->arg[1], set, sizeof(set));
	cJSON_AddNumberToObject(detail, "dscp", PACKET_ARG_DSCP(arg));
	cJSON_AddStringToObject(detail, "dscp_expected", set);
	if (pcp != PACKET_UNTAGGED) {
		cJSON_AddNumberToObject(detail, "pcp", pcp);
		snprintf(priority, sizeof(priority), " and priority %u", pcp);
	}
	cJSON_AddStringToObject(detail, "class", packet_class_name(PACKET_ARG_CLASS(arg)));
	cJSON_AddStringToObject(detail, "direction", packet_direction_name(direction));
	cJSON_AddStringToObject(detail, "cure",
				direction == DIRECTION_EGRESS
					? "set the traffic class where the application or rdma_cm has it from "
					  "(see its marking.dscp events)"
					: "set it right at the sender, or where the fabric rewrites it");
	snprintf(message, size, "a RoCE packet with DSCP %u%s was %s; the profile expects DSCP %s",
		 (unsigned int)PACKET_ARG_DSCP(arg), priority, direction == DIRECTION_EGRESS ? "sent" : "received",
		 set);
}

/* Bytes in hex, as the program tells them: how many, 0 for what is no hex or too much. */
static size_t from_hex(const char *hex, unsigned char *to, size_t size)
{
	size_t n = 0;

	while (n < size && sscanf(hex + 2 * n, "%2hhx", &to[n]) == 1)
		n++;
	return hex[2 * n] ? 0 : n;
}

static void source_text(const struct warden_event *ev, char *to, size_t size)
{
	char hex[sizeof(ev->text) + 1] = "";
	unsigned char b[16] = {};
	size_t n;

	memcpy(hex, ev->text, sizeof(ev->text));
	n = from_hex(hex, b, sizeof(b));
	to[0] = '\0';
	if (ev->arg[0] == SPOOFED_MAC && n == MAC_LEN && size >= MAC_TEXT_LEN)
		mac_print(b, to);
	else if (ev->arg[0] == SPOOFED_VLAN)
		snprintf(to, size, "%llu", (unsigned long long)ev->arg[1]);
	else if (ev->arg[0] == SPOOFED_ADDRESS && (n == 4 || n == 16))
		inet_ntop(n == 4 ? AF_INET : AF_INET6, b, to, (socklen_t)size);
}

static void source_detail(const struct warden_event *ev, cJSON *detail, char *message, size_t size)
{
	static const char *const whats[] = {
		[SPOOFED_MAC] = "MAC", [SPOOFED_VLAN] = "VLAN", [SPOOFED_ADDRESS] = "address"
	};
	const char *what = ev->arg[0] >= SPOOFED_MAC && ev->arg[0] < ARRAY_SIZE(whats) ? whats[ev->arg[0]] : "source";
	char text[64];

	source_text(ev, text, sizeof(text));
	cJSON_AddStringToObject(detail, "what", what);
	cJSON_AddStringToObject(detail, "source", text);
	snprintf(message, size, "a RoCE packet was sent with a%s %s that the VF does not own%s%s",
		 *what == 'a' ? "n" : "", what, *text ? ": " : "", text);
}

void packet_detail(const struct warden_event *ev, cJSON *detail, char *message, size_t size)
{
	(ev->rule == RULE_MARKING_PACKET ? marking_detail : source_detail)(ev, detail, message, size);
}
