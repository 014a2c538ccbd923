// SPDX-License-Identifier: Apache-2.0
#include "rdmatop/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct column_kind column_kinds[COLUMNS] = {
	[COLUMN_POD] = { "POD", "pod", "namespace/name of who has it, or the state of a device that nobody has", 40,
			 100, FIGURES, false },
	[COLUMN_VF] = { "VF", "vf", "PCI address, without the zeros of its domain", 9, 79, FIGURES, false },
	[COLUMN_DEVICE] = { "DEVICE", "device", "RDMA device", 10, 80, FIGURES, false },
	[COLUMN_NETDEV] = { "NETDEV", "netdev", "network interface", 10, 30, FIGURES, false },
	[COLUMN_LINK] = { "LINK", "link", "speed of a link that is up, else its state", 6, 85, FIGURE_SPEED, false },
	[COLUMN_TX] = { "TX b/s", "tx_bits", "sent, bits a second on the wire", 6, 98, FIGURE_TX_BITS, false },
	[COLUMN_RX] = { "RX b/s", "rx_bits", "received, bits a second on the wire", 6, 97, FIGURE_RX_BITS, false },
	[COLUMN_HISTORY] = { "HISTORY", "history", "sent and received, the last samples, the newest on the right", 12,
			     60, FIGURES, false },
	[COLUMN_TX_PACKETS] = { "TX p/s", "tx_packets", "packets sent a second", 6, 45, FIGURE_TX_PACKETS, false },
	[COLUMN_RX_PACKETS] = { "RX p/s", "rx_packets", "packets received a second", 6, 44, FIGURE_RX_PACKETS, false },
	[COLUMN_TX_MESSAGES] = { "TXMS/s", "tx_messages", "messages sent a second", 6, 41, FIGURE_TX_MESSAGES, false },
	[COLUMN_RX_MESSAGES] = { "RXMS/s", "rx_messages", "messages received a second", 6, 40, FIGURE_RX_MESSAGES,
				 false },
	[COLUMN_QPS] = { "QPS", "qps", "queue pairs", 5, 82, FIGURE_QPS, false },
	[COLUMN_MRS] = { "MRS", "mrs", "memory regions", 5, 50, FIGURE_MRS, false },
	[COLUMN_PINNED] = { "PINNED", "pinned", "bytes of memory registered", 6, 55, FIGURE_PINNED, true },
	[COLUMN_CONNECTIONS] = { "CONN", "connections", "connections of rdma_cm", 5, 43, FIGURE_CONNECTIONS, false },
	[COLUMN_CNP] = { "CNP/s", "cnp", "congestion notifications sent and handled a second", 6, 78, FIGURE_CNP,
			 false },
	[COLUMN_ECN] = { "ECN/s", "ecn", "packets received with the mark of congestion, a second", 6, 65, FIGURE_ECN,
			 false },
	[COLUMN_RETRANSMITS] = { "RETX/s", "retransmits", "retransmissions a second", 6, 72, FIGURE_RETRANSMITS,
				 false },
	[COLUMN_OUT_OF_SEQUENCE] = { "OOS/s", "out_of_sequence", "packets out of sequence a second", 6, 70,
				     FIGURE_OUT_OF_SEQUENCE, false },
	[COLUMN_PAUSE] = { "PAUS/s", "pause", "pause frames of the PF a second, on the priority of RDMA traffic", 6, 68,
			   FIGURE_PAUSE, false },
	[COLUMN_MARKING] = { "MARKING", "marking", "DSCP of its traffic: good, wrong, unverified, or none judged", 10,
			     90, FIGURES, false },
	[COLUMN_VIOLATIONS] = { "VIOL", "violations", "violations of a rule since wardend counts", 5, 95,
				FIGURE_VIOLATIONS, false },
	[COLUMN_STATE] = { "STATE", "state", "free, claimed, orphan or quarantined", 11, 35, FIGURES, false },
};

enum column column_find(const char *option)
{
	for (enum column c = 0; c < COLUMNS; c++)
		if (!strcmp(column_kinds[c].option, option))
			return c;
	return COLUMNS;
}

size_t columns_fit(int width, int pod_wanted, enum column *shown, int *pod_width)
{
	bool has[COLUMNS] = { [COLUMN_POD] = true };
	int left = width - COLUMN_POD_LEAST;
	size_t count = 0;

	if (pod_wanted < COLUMN_POD_LEAST)
		pod_wanted = COLUMN_POD_LEAST;

	/* The most important ones first, and none before a more important one had its place. */
	for (;;) {
		enum column best = COLUMNS;

		for (enum column c = 0; c < COLUMNS; c++)
			if (!has[c] && (best == COLUMNS || column_kinds[c].importance > column_kinds[best].importance))
				best = c;
		if (best == COLUMNS || column_kinds[best].width + 1 > left)
			break;
		/* A name that can be read is worth more than what is less than important. */
		if (column_kinds[best].importance < 80 &&
		    left - column_kinds[best].width - 1 < pod_wanted - COLUMN_POD_LEAST)
			break;
		has[best] = true;
		left -= column_kinds[best].width + 1;
	}
	for (enum column c = 0; c < COLUMNS; c++)
		if (has[c])
			shown[count++] = c;
	*pod_width = left + COLUMN_POD_LEAST < pod_wanted ? left + COLUMN_POD_LEAST : pod_wanted;
	if (*pod_width < 1)
		*pod_width = 1;
	return count;
}

void figure_text(double value, bool binary, char *to, size_t size)
{
	static const char units[] = " kMGTPEZY", binary_units[] = " KMGTPEZY";
	const char *unit = binary ? binary_units : units;
	double step = binary ? 1024 : 1000;

	if (isnan(value) || value < 0) {
		snprintf(to, size, "-");
		return;
	}
	if (value > 0 && value < 0.05) { /* less than shows, and not nothing */
		snprintf(to, size, "<0.1");
		return;
	}
	/* 999.6 would show as 1000. */
	for (; value >= step - 0.5 && unit[1]; unit++)
		value /= step;
	if (*unit == ' ')
		snprintf(to, size, value >= 9.95 || value == floor(value) ? "%.0f" : "%.1f", value);
	else
		snprintf(to, size, value >= 99.95 ? "%.0f%c" : "%.1f%c", value, *unit);
}

void history_text(const struct history *history, int width, bool utf8, char *to, size_t size)
{
	static const char *const bars[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	size_t used = 0;
	float most = 0;

	for (int i = 0; i < HISTORY; i++)
		if (history->value[i] > most)
			most = history->value[i];
	for (int i = width; i > 0; i--) {
		float value = i <= HISTORY ? history->value[(history->next + HISTORY - (unsigned int)i) % HISTORY]
					   : NAN;
		int level = isnan(value) ? -1 : value > 0 ? 1 + (int)(value / most * 6.5f) : 0;
		const char *bar = level < 0 ? " " : (utf8 ? bars : ascii)[level > 7 ? 7 : level];

		if (used + strlen(bar) >= size)
			break;
		memcpy(to + used, bar, strlen(bar));
		used += strlen(bar);
	}
	to[used] = '\0';
}
