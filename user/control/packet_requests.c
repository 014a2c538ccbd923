// SPDX-License-Identifier: Apache-2.0
#include "control/packet_requests.h"

#include <string.h>

#include "control/args.h"
#include "control/requests.h"
#include "lib/util.h"
#include "packet/packets.h"
#include "report/packet_names.h"
#include "track/track.h"

static const char *const malformed_names[] = {
#define X(id, name) [MALFORMED_##id] = name,
	WARDEN_MALFORMED(X)
#undef X
};

static void add_flow(cJSON *list, unsigned int dscp, unsigned int class, const struct packet_flow *flow)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "dscp", dscp);
	cJSON_AddStringToObject(json, "class", packet_class_name(class));
	cJSON_AddNumberToObject(json, "packets", (double)flow->packets);
	cJSON_AddNumberToObject(json, "bytes", (double)flow->bytes);
	cJSON_AddItemToArray(list, json);
}

static void add_direction(cJSON *json, const struct packet_vf *vf, enum warden_direction direction)
{
	cJSON *one = cJSON_AddObjectToObject(json, packet_direction_name(direction));
	cJSON *flows = cJSON_AddArrayToObject(one, "flows");
	cJSON *malformed = cJSON_AddObjectToObject(one, "malformed");

	for (unsigned int dscp = 0; dscp < 64; dscp++)
		for (unsigned int class = 0; class < ROCE_CLASSES; class ++)
			if (vf->counts->flows[direction][dscp][class].packets)
				add_flow(flows, dscp, class, &vf->counts->flows[direction][dscp][class]);
	for (unsigned int m = 0; m < MALFORMED_COUNT; m++)
		if (vf->counts->malformed[direction][m])
			cJSON_AddNumberToObject(malformed, malformed_names[m],
						(double)vf->counts->malformed[direction][m]);
	cJSON_AddNumberToObject(one, "fragments", (double)vf->counts->fragments[direction]);
}

struct walk {
	struct services *services;
	struct reply *reply;
};

static const char *action_name(unsigned int action)
{
	static const char *const names[] = {
		[VF_IGNORE] = "ignore", [VF_OBSERVE] = "observe", [VF_REMARK] = "remark", [VF_DROP] = "drop"
	};

	return action < ARRAY_SIZE(names) ? names[action] : "?";
}

static int packet_item(const struct packet_vf *vf, void *ctx)
{
	cJSON *json = cJSON_CreateObject();
	struct warden_device d = {};
	struct warden_claim claim;
	struct walk *w = ctx;

	track_device_get(w->services->track, vf->ib_index, &d);
	cJSON_AddStringToObject(json, "device", d.name);
	cJSON_AddStringToObject(json, "pci", d.parent);
	cJSON_AddStringToObject(json, "netdev", vf->netdev.name);
	cJSON_AddStringToObject(json, "owner",
				track_claim_get(w->services->track, vf->ib_index, &claim) ? claim.owner : "");
	cJSON_AddStringToObject(json, "by", !vf->vf ? "" : vf->tcx ? "tcx" : "clsact");
	cJSON_AddStringToObject(json, "problem", vf->problem);
	cJSON_AddStringToObject(json, "on_marking", action_name(vf->vf ? vf->vf->action[DIRECTION_EGRESS] : 0));
	cJSON_AddStringToObject(json, "on_source", action_name(vf->vf ? vf->vf->source_action : 0));
	for (enum warden_direction direction = 0; direction < DIRECTION_COUNT; direction++)
		add_direction(json, vf, direction);
	reply_item(w->reply, json);
	return 0;
}

int handle_packets(void *ctx, const cJSON *args, struct reply *reply, struct err *err)
{
	static const char *const known[] = { NULL };
	struct walk walk = { .services = ctx, .reply = reply };
	int r = args_known(args, known, err);

	if (r)
		return r;
	r = packets_for_each(walk.services->packets, packet_item, &walk);
	return r ? fail(err, r, "packets: %s", strerror(-r)) : 0;
}
