/* SPDX-License-Identifier: Apache-2.0
 * A link of known truth between two TUN devices: which packet came in when, left when, or was dropped why?
 *
 *     link LOG PACKETS SEED NEAR FAR FIRST_HOPS [PLACE=NETNS:INTERFACE ...]
 *
 * NEAR and FAR are NETNS:DEVICE of the school's and the operator's side. FIRST_HOPS are the operator's own
 * addresses, with commas: they live on when what is behind them dies. Each PLACE is a network interface that is
 * down while the place is cut. One line on stdin is one change, `ID AT_NS WORD...`, made at once when AT_NS is 0
 * and else at that moment of CLOCK_MONOTONIC:
 *
 *     up.NAME=NUMBER, down.NAME=NUMBER   a setting (way.h)
 *     cut=PLACE, mend=PLACE              up, down, operator, an IP address, or a PLACE of the command line
 *
 * The line `counters` is answered on stdout in JSON. The log gets `change ID AT_NS DONE_NS`, and with PACKETS=1
 * `WAY IN_NS LEFT_NS BYTES FATE TAG` for each packet; LEFT_NS is 0 for one that never left. The program ends
 * with its stdin, so it never outlives the test. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "held.h"
#include "way.h"

#define BILLION 1000000000
#define PRIORITY 50
#define EARLY_NS 60000
#define QUIET_NS 500000
#define BATCH 64
#define MAX_HOSTS 16
#define MAX_PLACES 8
#define LINE_BYTES 8192

/* One IP address as it stands in packets of its family. */
struct host {
    int family;
    uint8_t bytes[16];
};

struct hosts {
    struct host at[MAX_HOSTS];
    int count;
};

struct place {
    char name[32];
    char interface[IFNAMSIZ];
    int socket; /* made in the interface's namespace, so its ioctls act there */
};

struct change {
    int64_t at_ns;
    long id;
    char *words;
    struct change *next;
};

struct tube {
    struct way way;
    struct held held;
    int from, to;
    bool is_up;
    uint64_t arrivals;
};

static struct tube up, down;
static struct hosts first_hops, dead;
static bool operator_is_dead;
static struct place places[MAX_PLACES];
static int place_count;
static struct change *changes; /* still to come, earliest first */
static FILE *log_file;
static bool logs_packets;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * BILLION + now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- addresses ------------------------------------------------------------------------------------------- */

static bool host_parse(const char *text, struct host *host)
{
    memset(host, 0, sizeof *host);
    host->family = strchr(text, ':') ? AF_INET6 : AF_INET;
    return inet_pton(host->family, text, host->bytes) == 1;
}

static int hosts_find(const struct hosts *hosts, const struct host *host)
{
    for (int i = 0; i < hosts->count; i++)
        if (memcmp(&hosts->at[i], host, sizeof *host) == 0)
            return i;
    return -1;
}

static void hosts_add(struct hosts *hosts, const struct host *host)
{
    if (hosts_find(hosts, host) < 0 && hosts->count < MAX_HOSTS)
        hosts->at[hosts->count++] = *host;
}

static void hosts_remove(struct hosts *hosts, const struct host *host)
{
    int i = hosts_find(hosts, host);
    if (i >= 0)
        hosts->at[i] = hosts->at[--hosts->count];
}

/* The address of a packet that lies beyond the link: destination on the way up, source on the way down. */
static struct host far_host(const struct packet *packet, bool is_up)
{
    struct host host = { .family = packet->data[0] >> 4 == 6 ? AF_INET6 : AF_INET };
    if (host.family == AF_INET)
        memcpy(host.bytes, packet->data + (is_up ? 16 : 12), 4);
    else
        memcpy(host.bytes, packet->data + (is_up ? 24 : 8), 16);
    return host;
}

static bool is_for_the_dead(const struct packet *packet, bool is_up)
{
    if (dead.count == 0 && !operator_is_dead)
        return false;
    struct host host = far_host(packet, is_up);
    return hosts_find(&dead, &host) >= 0 || (operator_is_dead && hosts_find(&first_hops, &host) < 0);
}

/* Identifier and sequence number of an ICMP echo, so that a log line can be found again; else 0. */
static unsigned long tag_of(const struct packet *packet)
{
    const uint8_t *data = packet->data;
    bool is_ipv6 = data[0] >> 4 == 6;
    int header_bytes = is_ipv6 ? 40 : (data[0] & 15) * 4;
    if (data[is_ipv6 ? 6 : 9] != (is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) || packet->bytes < header_bytes + 8)
        return 0;
    uint32_t tag;
    memcpy(&tag, data + header_bytes + 4, sizeof tag);
    return ntohl(tag);
}

/* --- packets --------------------------------------------------------------------------------------------- */

static void log_packet(const struct tube *tube, const struct packet *packet, int64_t left_ns, enum fate fate)
{
    static const char *const NAMES[] = { "delivered", "lost", "overflowed", "cut_off" };
    if (logs_packets)
        fprintf(log_file, "%s %lld %lld %d %s %lu\n", tube->way.name, (long long)packet->in_ns,
                (long long)left_ns, packet->bytes, NAMES[fate], tag_of(packet));
}

static void hold_twice(struct tube *tube, const struct packet *packet)
{
    struct packet *copy = packet_new();
    *copy = *packet;
    held_push(&tube->held, copy);
}

static void arrive(struct tube *tube, struct packet *packet)
{
    packet->in_ns = now_ns();
    packet->number = tube->arrivals++;
    enum fate fate;
    /* A dead host answers nothing that reaches it, and what it sent before is still on its way. */
    if (!tube->is_up && is_for_the_dead(packet, false)) {
        tube->way.counted.in_packets++;
        tube->way.counted.in_bytes += packet->bytes;
        tube->way.counted.cut_off++;
        fate = CUT_OFF;
    } else {
        fate = way_admit(&tube->way, packet->bytes, packet->in_ns, &packet->leaves_ns);
    }
    if (fate != DELIVERED) {
        log_packet(tube, packet, 0, fate);
        packet_free(packet);
        return;
    }
    held_push(&tube->held, packet);
    if (way_duplicates(&tube->way))
        hold_twice(tube, packet);
}

static void count_departure(struct tube *tube, const struct packet *packet, int64_t left_ns)
{
    struct counters *counted = &tube->way.counted;
    uint64_t late_ns = left_ns - packet->leaves_ns;
    counted->out_packets++;
    counted->out_bytes += packet->bytes;
    counted->late_ns += late_ns;
    if (late_ns > counted->late_max_ns)
        counted->late_max_ns = late_ns;
    if (packet->number < tube->way.newest_out)
        counted->reordered++;
    else
        tube->way.newest_out = packet->number;
}

/* The write runs the kernel's whole way to the receiver, so the moment before it is the departure. */
static void depart(struct tube *tube, struct packet *packet)
{
    int64_t left_ns = now_ns();
    bool is_cut = tube->way.is_cut || (tube->is_up && is_for_the_dead(packet, true));
    if (is_cut)
        tube->way.counted.cut_off++;
    else if (write(tube->to, packet->data, packet->bytes) < 0)
        tube->way.counted.unwritten++;
    else
        count_departure(tube, packet, left_ns);
    log_packet(tube, packet, is_cut ? 0 : left_ns, is_cut ? CUT_OFF : DELIVERED);
    packet_free(packet);
}

static void depart_due(struct tube *tube)
{
    while (held_next_ns(&tube->held) <= now_ns())
        depart(tube, held_pop(&tube->held));
}

static void take_in(struct tube *tube)
{
    for (int i = 0; i < BATCH; i++) {
        struct packet *packet = packet_new();
        packet->bytes = read(tube->from, packet->data, sizeof packet->data);
        if (packet->bytes <= 0) {
            packet_free(packet);
            return;
        }
        arrive(tube, packet);
        depart_due(&up);
        depart_due(&down);
    }
}

/* --- changes --------------------------------------------------------------------------------------------- */

static bool switch_interface(const char *name, bool is_up)
{
    for (int i = 0; i < place_count; i++) {
        if (strcmp(places[i].name, name) != 0)
            continue;
        struct ifreq request = { 0 };
        strcpy(request.ifr_name, places[i].interface);
        if (ioctl(places[i].socket, SIOCGIFFLAGS, &request) < 0)
            die(name);
        request.ifr_flags = is_up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP;
        if (ioctl(places[i].socket, SIOCSIFFLAGS, &request) < 0)
            die(name);
        return true;
    }
    return false;
}

static bool switch_place(const char *name, bool is_cut)
{
    struct host host;
    if (strcmp(name, "up") == 0)
        up.way.is_cut = is_cut;
    else if (strcmp(name, "down") == 0)
        down.way.is_cut = is_cut;
    else if (strcmp(name, "operator") == 0)
        operator_is_dead = is_cut;
    else if (host_parse(name, &host))
        (is_cut ? hosts_add : hosts_remove)(&dead, &host);
    else
        return switch_interface(name, !is_cut);
    return true;
}

static bool apply_word(char *word)
{
    char *value = strchr(word, '='), *name = strchr(word, '.');
    if (value == NULL)
        return false;
    *value++ = 0;
    if (strcmp(word, "cut") == 0 || strcmp(word, "mend") == 0)
        return switch_place(value, word[0] == 'c');
    if (name == NULL)
        return false;
    *name++ = 0;
    return way_set(strcmp(word, "up") == 0 ? &up.way : &down.way, name, atof(value));
}

static void apply(struct change *change)
{
    for (char *word = strtok(change->words, " "); word != NULL; word = strtok(NULL, " "))
        if (!apply_word(word)) {
            fprintf(stderr, "link: change %ld: cannot do %s\n", change->id, word);
            exit(2);
        }
    fprintf(log_file, "change %ld %lld %lld\n", change->id, (long long)change->at_ns, (long long)now_ns());
    free(change->words);
    free(change);
}

static void apply_due(void)
{
    while (changes != NULL && changes->at_ns <= now_ns()) {
        struct change *change = changes;
        changes = change->next;
        apply(change);
    }
}

static void plan(const char *line)
{
    struct change *change = calloc(1, sizeof *change);
    long long at_ns;
    int words_at = 0;
    if (change == NULL || sscanf(line, "%ld %lld %n", &change->id, &at_ns, &words_at) < 2) {
        fprintf(stderr, "link: not a change: %s\n", line);
        exit(2);
    }
    change->at_ns = at_ns != 0 ? at_ns : now_ns();
    change->words = strdup(line + words_at);
    struct change **place = &changes;
    while (*place != NULL && (*place)->at_ns <= change->at_ns)
        place = &(*place)->next;
    change->next = *place;
    *place = change;
    apply_due();
}

static void print_counters(const struct tube *tube)
{
    const struct counters *c = &tube->way.counted;
    printf("\"%s\": {\"in_packets\": %lu, \"in_bytes\": %lu, \"out_packets\": %lu, \"out_bytes\": %lu, "
           "\"lost\": %lu, \"overflowed\": %lu, \"cut_off\": %lu, \"unwritten\": %lu, \"held\": %u, "
           "\"duplicated\": %lu, \"reordered\": %lu, \"late_ns\": %lu, \"late_max_ns\": %lu}",
           tube->way.name, c->in_packets, c->in_bytes, c->out_packets, c->out_bytes, c->lost, c->overflowed,
           c->cut_off, c->unwritten, tube->held.count, c->duplicated, c->reordered, c->late_ns, c->late_max_ns);
}

static void answer_counters(void)
{
    fflush(log_file);
    printf("{");
    print_counters(&up);
    printf(", ");
    print_counters(&down);
    printf("}\n");
    fflush(stdout);
}

/* False when stdin has ended. */
static bool obey(void)
{
    static char buffer[LINE_BYTES];
    static size_t filled;
    ssize_t got = read(STDIN_FILENO, buffer + filled, sizeof buffer - 1 - filled);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    filled += got;
    buffer[filled] = 0;
    char *line = buffer;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        if (strcmp(line, "counters") == 0)
            answer_counters();
        else
            plan(line);
    }
    filled = buffer + filled - line;
    memmove(buffer, line, filled);
    return true;
}

/* --- beginning and going on ------------------------------------------------------------------------------ */

/* Enter a network namespace; what is opened there stays there. Returns what follows the colon. */
static const char *enter(const char *spec)
{
    char path[256];
    const char *colon = strchr(spec, ':');
    if (colon == NULL) {
        fprintf(stderr, "link: %s is not NETNS:NAME\n", spec);
        exit(2);
    }
    snprintf(path, sizeof path, "/var/run/netns/%.*s", (int)(colon - spec), spec);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || setns(namespace, CLONE_NEWNET) < 0)
        die(path);
    close(namespace);
    return colon + 1;
}

static int open_tun(const char *spec)
{
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", enter(spec));
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0)
        die(spec);
    return tun;
}

static void open_place(char *spec)
{
    struct place *place = &places[place_count++];
    char *equals = strchr(spec, '=');
    if (equals == NULL || place_count > MAX_PLACES) {
        fprintf(stderr, "link: %s is not PLACE=NETNS:INTERFACE\n", spec);
        exit(2);
    }
    snprintf(place->name, sizeof place->name, "%.*s", (int)(equals - spec), spec);
    snprintf(place->interface, sizeof place->interface, "%s", enter(equals + 1));
    place->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (place->socket < 0)
        die(spec);
}

static void parse_first_hops(char *text)
{
    for (char *word = strtok(text, ","); word != NULL; word = strtok(NULL, ",")) {
        struct host host;
        if (host_parse(word, &host))
            hosts_add(&first_hops, &host);
    }
}

/* Ahead of every ordinary process, never swapped out, woken to the microsecond. */
static void hurry(void)
{
    struct sched_param priority = { .sched_priority = PRIORITY };
    if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
        perror("link: no real-time priority");
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
        perror("link: memory is not locked");
    prctl(PR_SET_TIMERSLACK, 1);
}

static int watch(void)
{
    int descriptors[] = { up.from, down.from, STDIN_FILENO };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 3; i++) {
        struct epoll_event event = { .events = EPOLLIN, .data.fd = descriptors[i] };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptors[i], &event) < 0)
            die("epoll");
    }
    return epoll;
}

static int64_t next_due_ns(void)
{
    int64_t up_ns = held_next_ns(&up.held), down_ns = held_next_ns(&down.held);
    int64_t due_ns = up_ns < down_ns ? up_ns : down_ns;
    return changes != NULL && changes->at_ns < due_ns ? changes->at_ns : due_ns;
}

/* Being woken takes some 40 us here. After a rest the program gets up so much earlier and polls; a busy link would
 * poll all the time, take a CPU from the test and be throttled as a real-time process. */
static int wait_for_work(int epoll, struct epoll_event *events, int room)
{
    static bool is_early;
    int64_t due_ns = next_due_ns(), wait_ns = due_ns - now_ns();
    if (due_ns == INT64_MAX)
        return epoll_pwait2(epoll, events, room, NULL, NULL);
    if (wait_ns > QUIET_NS) {
        is_early = true;
        wait_ns -= EARLY_NS;
    } else if (is_early && wait_ns <= EARLY_NS) {
        wait_ns = 0;
    } else {
        is_early = false;
    }
    if (wait_ns < 0)
        wait_ns = 0;
    struct timespec timeout = { .tv_sec = wait_ns / BILLION, .tv_nsec = wait_ns % BILLION };
    return epoll_pwait2(epoll, events, room, &timeout, NULL);
}

static void run(void)
{
    int epoll = watch();
    for (;;) {
        apply_due();
        depart_due(&up);
        depart_due(&down);
        struct epoll_event events[3];
        int count = wait_for_work(epoll, events, 3);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == up.from)
                take_in(&up);
            else if (events[i].data.fd == down.from)
                take_in(&down);
            else if (!obey())
                return;
        }
    }
}

int main(int count, char **arguments)
{
    if (count < 7)
        return 2;
    log_file = fopen(arguments[1], "w");
    if (log_file == NULL)
        die(arguments[1]);
    setvbuf(log_file, NULL, _IOFBF, 1 << 20);
    logs_packets = atoi(arguments[2]);
    uint64_t seed = strtoull(arguments[3], NULL, 10);
    way_begin(&up.way, "up", 2 * seed + 1);
    way_begin(&down.way, "down", 2 * seed + 2);
    up.is_up = true;
    up.from = down.to = open_tun(arguments[4]);
    up.to = down.from = open_tun(arguments[5]);
    parse_first_hops(arguments[6]);
    for (int i = 7; i < count; i++)
        open_place(arguments[i]);
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    hurry();
    answer_counters(); /* says that all is ready */
    run();
    fclose(log_file);
    return 0;
}
