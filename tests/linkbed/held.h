/* SPDX-License-Identifier: Apache-2.0
 * Which packet leaves next? */
#ifndef HELD_H
#define HELD_H

#include <stdint.h>

#define PACKET_BYTES 2048

struct packet {
    int64_t in_ns, leaves_ns;
    uint64_t number; /* of arrival */
    int bytes;
    uint8_t data[PACKET_BYTES];
};

/* A binary heap by departure, then arrival. */
struct held {
    struct packet **at;
    uint32_t count, room;
};

struct packet *packet_new(void);
void packet_free(struct packet *packet);

void held_push(struct held *held, struct packet *packet);
struct packet *held_pop(struct held *held);
int64_t held_next_ns(const struct held *held); /* INT64_MAX when there is none */

#endif
