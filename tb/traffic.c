// See traffic.h.
#include "traffic.h"

#include <string.h>

#include "hostmem.h"
#include "ringwire.h"

enum { BUFFERS = 64, BUFFER_BYTES = 16384 };

static struct {
    hm_control *control;
    hm_post *posts;
    uint8_t *arena;
    uint64_t arena_bytes;
    struct ringwire_desc *ring;
    struct ringwire_cpl *completions;
    uint64_t frames, posted, done;
    uint32_t frame_bytes, report_every, entries, consumed;
} traffic;

static void put(uint32_t addr, uint32_t value) {
    hm_control *control = traffic.control;
    traffic.posts[control->post_head++ % HM_POSTS] = (hm_post){control->now_ps, (uint64_t)addr << 32 | value};
}

static void put_queue(uint32_t offset, uint32_t value) { put(RINGWIRE_QUEUE_BASE + offset, value); }

static uint64_t dma(const void *place) { return traffic.control->dma_base + (uint64_t)((uint8_t *)place - traffic.arena); }

// Fill the ring as far as it and the number of frames allow.
static void post_frames(void) {
    uint64_t before = traffic.posted;
    while (traffic.posted < traffic.frames && traffic.posted - traffic.done < traffic.entries - 1) {
        uint64_t n = traffic.posted++;
        uint16_t flags = RINGWIRE_DESC_FLAG_EOP;
        if (traffic.posted % traffic.report_every == 0 || traffic.posted == traffic.frames) {
            flags |= RINGWIRE_DESC_FLAG_REPORT;
        }
        struct ringwire_desc *d = &traffic.ring[n % traffic.entries];
        memset(d, 0, sizeof *d);
        d->addr = traffic.control->dma_base + n % BUFFERS * BUFFER_BYTES;
        d->len = (uint16_t)traffic.frame_bytes;
        d->flags = flags;
    }
    if (traffic.posted != before) put_queue(RINGWIRE_REG_Q_TAIL, (uint32_t)(traffic.posted % traffic.entries));
}

int hm_traffic_start(uint64_t frames, uint32_t frame_bytes, uint32_t ring_log2, uint32_t report_every,
                     uint64_t byte_time) {
    uint64_t bytes, lines_bytes;
    memset(&traffic, 0, sizeof traffic);
    traffic.control = (hm_control *)hm_region("control", &bytes);
    traffic.posts = (hm_post *)hm_region("posts", &bytes);
    traffic.arena = (uint8_t *)hm_region("arena", &traffic.arena_bytes);
    uint8_t *lines = (uint8_t *)hm_region("lines", &lines_bytes);
    traffic.frames = frames;
    traffic.frame_bytes = frame_bytes;
    traffic.report_every = report_every;
    traffic.entries = 1u << ring_log2;
    uint64_t rings = (uint64_t)BUFFERS * BUFFER_BYTES;
    if (rings + 2 * sizeof(struct ringwire_desc) * traffic.entries > traffic.arena_bytes) return -1;
    memset(lines, 1, lines_bytes);
    for (uint64_t i = 0; i < rings; i++) traffic.arena[i] = (uint8_t)(i * 7 + (i >> 8));
    traffic.ring = (struct ringwire_desc *)(traffic.arena + rings);
    traffic.completions = (struct ringwire_cpl *)(traffic.ring + traffic.entries);
    put(RINGWIRE_REG_BYTE_TIME_LO, (uint32_t)byte_time);
    put(RINGWIRE_REG_BYTE_TIME_HI, (uint32_t)(byte_time >> 32));
    put(RINGWIRE_REG_CTRL, 1u << RINGWIRE_CTRL_ENABLE_LSB | (byte_time ? 0u : 1u << RINGWIRE_CTRL_PACER_OPEN_LSB));
    put_queue(RINGWIRE_REG_Q_RING_LO, (uint32_t)dma(traffic.ring));
    put_queue(RINGWIRE_REG_Q_RING_HI, (uint32_t)(dma(traffic.ring) >> 32));
    put_queue(RINGWIRE_REG_Q_RING_LOG2, ring_log2);
    put_queue(RINGWIRE_REG_Q_CPL_LO, (uint32_t)dma(traffic.completions));
    put_queue(RINGWIRE_REG_Q_CPL_HI, (uint32_t)(dma(traffic.completions) >> 32));
    put_queue(RINGWIRE_REG_Q_CTRL, 1u << RINGWIRE_Q_CTRL_ENABLE_LSB);
    put_queue(RINGWIRE_REG_Q_CPL_ARM, 0);
    post_frames();
    return 0;
}

int hm_traffic_step(void) {
    uint32_t before = traffic.consumed;
    for (;;) {
        const struct ringwire_cpl *c = &traffic.completions[traffic.consumed % traffic.entries];
        uint32_t phase = 1 - (traffic.consumed / traffic.entries & 1);
        if (RINGWIRE_CPL_PHASE(c) != phase) break;
        if (c->status != RINGWIRE_STATUS_OK) return -1;
        traffic.done += (c->index - traffic.done) & (traffic.entries - 1);
        traffic.consumed++;
    }
    if (traffic.done == traffic.frames) return 1;
    post_frames();
    if (traffic.consumed != before) put_queue(RINGWIRE_REG_Q_CPL_ARM, traffic.consumed & 0xFFFF);
    return 0;
}
