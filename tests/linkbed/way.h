/* SPDX-License-Identifier: Apache-2.0
 * What does one direction of the link do to a packet: let it pass when, or drop it why? */
#ifndef WAY_H
#define WAY_H

#include <stdbool.h>
#include <stdint.h>

enum fate { DELIVERED, LOST, OVERFLOWED, CUT_OFF };

enum jitter { NO_JITTER, UNIFORM, NORMAL, EXPONENTIAL };

/* Numbers that a script may set by name; 0 switches a thing off. All are doubles so that one table of names
 * serves; nanoseconds stay exact for 104 days. */
struct settings {
    double rate_bps;        /* served at the IP layer */
    double burst_bytes;     /* depth of the token bucket */
    double policed;         /* drop what exceeds the bucket instead of holding it back */
    double queue_bytes;     /* most that may wait; 0 is no bound */
    double overhead_bytes;  /* of the link layer, for each packet */
    double delay_ns;
    double jitter_ns;       /* half width, standard deviation or mean, by kind */
    double jitter_kind;     /* enum jitter */
    double disorder;        /* jitter may let packets overtake each other */
    double reorder_ratio;   /* share of packets held up by ... */
    double reorder_ns;      /* ... so much, while others pass */
    double slot_ns;         /* departures only at multiples of this */
    double loss_ratio;      /* independent loss, or loss in the good state */
    double bad_loss_ratio;  /* loss in the bad state (Gilbert-Elliott) */
    double to_bad_ratio;    /* chance for each packet to go from good to bad; 0 is no bursty loss */
    double to_good_ratio;
    double duplicate_ratio;
};

/* Every packet that came in is in exactly one of them or still held:
 * in + duplicated = out + lost + overflowed + cut_off + unwritten + held. */
struct counters {
    uint64_t in_packets, in_bytes;
    uint64_t out_packets, out_bytes;
    uint64_t lost, overflowed, cut_off, unwritten;
    uint64_t duplicated;
    uint64_t reordered;     /* left after a packet that came in later (RFC 4737 §3.3) */
    uint64_t late_ns, late_max_ns; /* how much later than due packets left: sum and largest */
};

struct way {
    const char *name;
    struct settings set;
    struct counters counted;
    bool is_cut;
    bool is_bad;            /* state of bursty loss */
    double free_at_ns;      /* when the link has served all it holds */
    int64_t last_out_ns;    /* latest departure given so far */
    uint64_t newest_out;    /* highest arrival number that has left */
    uint64_t random[2];
};

void way_begin(struct way *way, const char *name, uint64_t seed);

/* False when there is no setting of this name. */
bool way_set(struct way *way, const char *name, double value);

/* Decide at its arrival what becomes of a packet; its departure is computed, not waited for. */
enum fate way_admit(struct way *way, int bytes, int64_t now_ns, int64_t *leaves_ns);

bool way_duplicates(struct way *way);

#endif
