// A driver of one queue in C, so that the same traffic can run with a simulator's Python and without.
//
// It keeps the descriptor ring full of equal frames: at each waking it takes the completions, posts as many frames
// again, rings the doorbell and arms the interrupt. It uses hostmem.c's rings and nothing else.
#ifndef RINGWIRE_TRAFFIC_H
#define RINGWIRE_TRAFFIC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Set queue 0 up, enable it and fill its ring of 2^ring_log2 entries. Frames have `frame_bytes`, one descriptor each;
// every `report_every`th asks for a completion. `byte_time` (2^-40 ns) paces the wire; 0 leaves the pacer open.
// Returns 0, or -1 if host memory is too small.
int hm_traffic_start(uint64_t frames, uint32_t frame_bytes, uint32_t ring_log2, uint32_t report_every,
                     uint64_t byte_time);
// After a waking: do what there is to do. Returns 1 once every frame has been completed, -1 if a completion tells of
// an error, else 0.
int hm_traffic_step(void);

#ifdef __cplusplus
}
#endif

#endif
