// See harness.h.
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hostmem.h"
#include "traffic.h"

static struct {
    hm_control *control;
    uint64_t wakes;
    clock_t begin;
} harness;

// The value of an argument name=value; 0 without.
static uint64_t setting(int argc, char **argv, const char *name) {
    size_t length = strlen(name);
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], name, length) && argv[i][length] == '=') return strtoull(argv[i] + length + 1, 0, 0);
    }
    return 0;
}

int hm_harness_open(int argc, char **argv) {
#define SETTING(name) setting(argc, argv, #name)
    uint64_t bytes;
    if (hm_open(SETTING(memory_bytes), SETTING(capture_bytes))) {
        fprintf(stderr, "no room for host memory\n");
        return -1;
    }
    uint64_t *words = (uint64_t *)hm_region("control", &bytes);
    harness.control = (hm_control *)words;
    for (int i = 1; i < argc; i++) {
        char name[64];
        const char *equals = strchr(argv[i], '=');
        if (!equals || (size_t)(equals - argv[i]) >= sizeof name) continue;
        memcpy(name, argv[i], (size_t)(equals - argv[i]));
        name[equals - argv[i]] = 0;
        if (hm_word(name) >= 0) words[hm_word(name)] = strtoull(equals + 1, 0, 0);
    }
    if (hm_traffic_start(SETTING(count), (uint32_t)SETTING(frame_bytes), (uint32_t)SETTING(ring_log2),
                         (uint32_t)SETTING(report_every), SETTING(byte_time))) {
        fprintf(stderr, "host memory is too small for the traffic\n");
        return -1;
    }
    harness.begin = clock();
    return 0;
#undef SETTING
}

int hm_harness_step(void) {
    hm_control *control = harness.control;
    if (control->wakes == harness.wakes) return 0;
    harness.wakes = control->wakes;
    control->interrupt_tail = control->interrupt_head;
    control->frame_tail = control->frame_head;
    return hm_traffic_step();
}

int hm_harness_report(int done) {
    const hm_control *control = harness.control;
    double seconds = (double)(clock() - harness.begin) / CLOCKS_PER_SEC;
    uint64_t edges = control->now_ps / control->period_ps + 1;
    printf("%llu %llu %llu %.6f\n", (unsigned long long)(edges - control->skipped_edges),
           (unsigned long long)control->skipped_edges, (unsigned long long)control->frames, seconds);
    return done == 1 && !control->lost && !control->fault_head ? 0 : 1;
}
