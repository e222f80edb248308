/* SPDX-License-Identifier: Apache-2.0
 * What does one direction of the link do to a packet: let it pass when, or drop it why?
 *
 * In this order: cut, loss, token bucket with its queue, delay and jitter, slots. Loss comes before the queue,
 * so a link that loses packets still serves its whole rate. */
#include "way.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define BITS_TO_NS 8e9
#define TWO_PI 6.283185307179586

static const struct { const char *name; size_t offset; } NAMES[] = {
#define NAMED(field) { #field, offsetof(struct settings, field) }
    NAMED(rate_bps), NAMED(burst_bytes), NAMED(policed), NAMED(queue_bytes), NAMED(overhead_bytes),
    NAMED(delay_ns), NAMED(jitter_ns), NAMED(jitter_kind), NAMED(disorder), NAMED(reorder_ratio),
    NAMED(reorder_ns), NAMED(slot_ns), NAMED(loss_ratio), NAMED(bad_loss_ratio), NAMED(to_bad_ratio),
    NAMED(to_good_ratio), NAMED(duplicate_ratio),
};

/* xorshift128+ (Vigna 2017): the same seed gives the same losses. */
static uint64_t draw(struct way *way)
{
    uint64_t a = way->random[0], b = way->random[1];
    way->random[0] = b;
    a ^= a << 23;
    way->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return way->random[1] + b;
}

static double draw_ratio(struct way *way)
{
    return (draw(way) >> 11) * 0x1p-53;
}

static bool happens(struct way *way, double ratio)
{
    return ratio > 0 && draw_ratio(way) < ratio;
}

static double draw_normal(struct way *way)
{
    return sqrt(-2 * log(1 - draw_ratio(way))) * cos(TWO_PI * draw_ratio(way));
}

static double draw_jitter_ns(struct way *way)
{
    switch ((enum jitter)way->set.jitter_kind) {
    case UNIFORM: return way->set.jitter_ns * (2 * draw_ratio(way) - 1);
    case NORMAL: return way->set.jitter_ns * draw_normal(way);
    case EXPONENTIAL: return -way->set.jitter_ns * log(1 - draw_ratio(way));
    default: return 0;
    }
}

void way_begin(struct way *way, const char *name, uint64_t seed)
{
    memset(way, 0, sizeof *way);
    way->name = name;
    way->random[0] = seed * 0x9E3779B97F4A7C15u | 1;
    way->random[1] = 0xD1B54A32D192ED03u;
    for (int i = 0; i < 20; i++)
        draw(way);
}

bool way_set(struct way *way, const char *name, double value)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(NAMES[i].name, name) == 0) {
            *(double *)((char *)&way->set + NAMES[i].offset) = value;
            return true;
        }
    return false;
}

/* Independent loss, or the two states of Gilbert and Elliott, which change before each packet. */
static bool is_lost(struct way *way)
{
    if (way->set.to_bad_ratio <= 0)
        return happens(way, way->set.loss_ratio);
    if (happens(way, way->is_bad ? way->set.to_good_ratio : way->set.to_bad_ratio))
        way->is_bad = !way->is_bad;
    return happens(way, way->is_bad ? way->set.bad_loss_ratio : way->set.loss_ratio);
}

/* The token bucket as a virtual schedule: the link is free at `free_at_ns`, which may lie in the past by no more
 * than the burst. A shaper holds a packet until its last bit is served, a policer drops one that would wait. */
static bool is_served(struct way *way, int bytes, int64_t now_ns, double *served_ns)
{
    const struct settings *set = &way->set;
    *served_ns = now_ns;
    if (set->rate_bps <= 0)
        return true;
    double begins_ns = fmax(way->free_at_ns, now_ns - BITS_TO_NS * set->burst_bytes / set->rate_bps);
    double ends_ns = begins_ns + BITS_TO_NS * (bytes + set->overhead_bytes) / set->rate_bps;
    double waiting_bytes = fmax(0, begins_ns - now_ns) * set->rate_bps / BITS_TO_NS;
    if (set->policed ? ends_ns > now_ns : set->queue_bytes > 0 && waiting_bytes + bytes > set->queue_bytes)
        return false;
    way->free_at_ns = ends_ns;
    *served_ns = fmax(ends_ns, now_ns);
    return true;
}

/* A packet that is held up on purpose does not hold up those behind it. */
static int64_t departure_ns(struct way *way, double served_ns, int64_t now_ns)
{
    const struct settings *set = &way->set;
    int64_t leaves_ns = (int64_t)(served_ns + set->delay_ns + draw_jitter_ns(way));
    bool is_held_up = happens(way, set->reorder_ratio);
    if (is_held_up)
        leaves_ns += (int64_t)set->reorder_ns;
    if (leaves_ns < now_ns)
        leaves_ns = now_ns;
    if (set->slot_ns > 0)
        leaves_ns = (leaves_ns / (int64_t)set->slot_ns + 1) * (int64_t)set->slot_ns;
    if (is_held_up || set->disorder)
        return leaves_ns;
    if (leaves_ns < way->last_out_ns)
        leaves_ns = way->last_out_ns;
    way->last_out_ns = leaves_ns;
    return leaves_ns;
}

enum fate way_admit(struct way *way, int bytes, int64_t now_ns, int64_t *leaves_ns)
{
    double served_ns;
    way->counted.in_packets++;
    way->counted.in_bytes += bytes;
    if (way->is_cut) {
        way->counted.cut_off++;
        return CUT_OFF;
    }
    if (is_lost(way)) {
        way->counted.lost++;
        return LOST;
    }
    if (!is_served(way, bytes, now_ns, &served_ns)) {
        way->counted.overflowed++;
        return OVERFLOWED;
    }
    *leaves_ns = departure_ns(way, served_ns, now_ns);
    return DELIVERED;
}

bool way_duplicates(struct way *way)
{
    bool is_twice = happens(way, way->set.duplicate_ratio);
    way->counted.duplicated += is_twice;
    return is_twice;
}
