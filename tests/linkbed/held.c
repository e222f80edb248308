/* SPDX-License-Identifier: Apache-2.0
 * Which packet leaves next? */
#include "held.h"

#include <stdbool.h>
#include <stdlib.h>

/* Packets given back are kept for the next ones: no page faults while the clock runs. */
static struct packet **spare;
static uint32_t spares, spare_room;

static void *grown(void *array, uint32_t room)
{
    array = realloc(array, room * sizeof(struct packet *));
    if (array == NULL)
        abort();
    return array;
}

struct packet *packet_new(void)
{
    if (spares > 0)
        return spare[--spares];
    struct packet *packet = malloc(sizeof *packet);
    if (packet == NULL)
        abort();
    return packet;
}

void packet_free(struct packet *packet)
{
    if (spares == spare_room)
        spare = grown(spare, spare_room = spare_room ? 2 * spare_room : 1024);
    spare[spares++] = packet;
}

static bool is_earlier(const struct packet *a, const struct packet *b)
{
    return a->leaves_ns < b->leaves_ns || (a->leaves_ns == b->leaves_ns && a->number < b->number);
}

void held_push(struct held *held, struct packet *packet)
{
    if (held->count == held->room)
        held->at = grown(held->at, held->room = held->room ? 2 * held->room : 1024);
    uint32_t place = held->count++;
    while (place > 0 && is_earlier(packet, held->at[(place - 1) / 2])) {
        held->at[place] = held->at[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    held->at[place] = packet;
}

struct packet *held_pop(struct held *held)
{
    struct packet *first = held->at[0], *last = held->at[--held->count];
    uint32_t place = 0;
    for (uint32_t child; (child = 2 * place + 1) < held->count; place = child) {
        if (child + 1 < held->count && is_earlier(held->at[child + 1], held->at[child]))
            child++;
        if (!is_earlier(held->at[child], last))
            break;
        held->at[place] = held->at[child];
    }
    held->at[place] = last;
    return first;
}

int64_t held_next_ns(const struct held *held)
{
    return held->count > 0 ? held->at[0]->leaves_ns : INT64_MAX;
}
