/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bans that are wanted: what the kernel is made to agree with, and made
 * good from when somebody else deleted them there. In memory only; ommailban
 * has the ledger. Balanced trees, so that no choice of addresses is slow.
 */
#ifndef MAILBAN_WANT_H
#define MAILBAN_WANT_H

#include "common/addr.h"

#define WANT_PERMANENT INT64_MAX
/* The end of a ban that is to be lifted: it is over. */
#define WANT_LIFTED INT64_C(0)

/* What the kernel must be told. */
enum want_change {
	WANT_SAME,
	WANT_MEND, /* add it: it has gone there, or may have */
	WANT_NEW,  /* it has a new end here */
};

struct want {
	struct network net;
	uint8_t change; /* enum want_change */
	bool present;	/* may be in the kernel, as far as we know */
	uint32_t round; /* of WIRE_REPLACE, the last one that named it */
	int64_t end_ms; /* CLOCK_BOOTTIME */
	void *by;	/* the request that changed it last, for its answer */
};

/* Clients are single IPv4 addresses and IPv6 networks of prefix6, which are
 * looked up in hash sets; all else is wide and needs an interval set. */
struct wants {
	void *clients, *wide; /* tsearch trees, by network_compare */
	size_t count;
	uint8_t prefix6;
	uint32_t round;
	bool wide_changed;
	struct want **changed; /* clients that are not WANT_SAME */
	size_t changed_count, changed_room;
};

bool want_is_client(const struct wants *wants, const struct network *net);

/* Wants net banned until end_ms, or lifted. present: whether the kernel may
 * have it though it is not known here. Nothing is changed when the kernel has
 * that already. */
void want_set(struct wants *wants, const struct network *net, int64_t end_ms,
	bool present, void *by);
/* The kernel was told of a client: one that is over is freed. */
void want_told(struct wants *wants, struct want *want);
/* The kernel refused that client: it is forgotten. */
void want_refused(struct wants *wants, struct want *want);
/* Takes the NULLs out of wants->changed, which the caller put there for those
 * that were told or refused. The others stay, as nobody's. */
void want_compact(struct wants *wants);

/* All clients are to be added again. absent: none is in the kernel. */
void want_mend_all(struct wants *wants, bool absent);
/* That client has gone from the kernel. */
void want_gone(struct wants *wants, const struct network *net);

/* Lifts all that were not set since wants->round was counted up. */
void want_lift_others(struct wants *wants, void *by);
/* Sorts all into the two trees anew: clients are of another prefix6 now. */
void want_reclassify(struct wants *wants, uint8_t prefix6);
/* Frees those that are over and that the kernel need not be told of. */
void want_sweep(struct wants *wants, int64_t now_ms);
void want_free(struct wants *wants);

/* A part of what the wide bans of one family cover; parts never overlap. */
struct want_part {
	struct network net;
	int64_t end_ms;
};

/* What the wide bans that are not over cover, each part with the latest end
 * of all the bans that cover it. The caller frees *out. */
size_t want_parts(const struct wants *wants, uint8_t family, int64_t now_ms,
	struct want_part **out);

#endif
