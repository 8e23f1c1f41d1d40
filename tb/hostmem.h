// The core of the simulated host, shared by its two shims: host memory, the register path and the wire capture.
//
// Times are picoseconds of the world (0 is the first clock edge after reset). Everything the host's Python reads or
// writes lies in plain memory that it maps by name (hm_region, hm_word); Verilog calls the functions under "from
// Verilog", by DPI or VPI. A run draws its randomness from `seed` and the number of the transaction, never from a
// clock cycle, so that it repeats on every simulator and with the clock stopped or running.
#ifndef RINGWIRE_HOSTMEM_H
#define RINGWIRE_HOSTMEM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HM_NEVER UINT64_MAX

// Words of the control block. Settings are written by the host before a run starts.
#define HM_CONTROL_WORDS(X)                                                                                            \
    /* settings */                                                                                                     \
    X(period_ps)     /* of the clock */                                                                                \
    X(jumps)         /* 1: the clock stops while only time passes */                                                   \
    X(reset_edges)   /* clock edges under reset before time 0 */                                                       \
    X(latency_ps)    /* of a read, request to first beat; of a write, last beat to response */                         \
    X(jitter_ps)     /* the most that a transaction is answered later than that */                                     \
    X(read_stall)    /* chance that an edge brings no beat though one is due, in units of 2^-32 */                     \
    X(max_reads)     /* read bursts in flight, at most HM_MAX_READS */                                                 \
    X(seed)                                                                                                            \
    X(dma_base)      /* device address of the arena's first byte */                                                    \
    X(wake_on_frame) /* 1: a captured frame wakes the host */                                                          \
    X(interrupt_lag_ps) /* how late the host may learn of an interrupt */                                              \
    X(log_accesses)  /* mask of hm_access_kind: what of the device's bursts is logged; may change while it runs */     \
    /* written by the host while it runs */                                                                            \
    X(flow) /* what the link partner stops: bit 0 the wire, bits 8:1 priorities */                                    \
    X(host_next_ps) /* when the host wants to be woken; HM_NEVER: not by time */                                       \
    X(post_head)                                                                                                       \
    X(interrupt_tail)                                                                                                  \
    X(answer_tail)                                                                                                     \
    X(fault_tail)                                                                                                      \
    X(frame_tail) /* bytes */                                                                                          \
    X(access_tail)                                                                                                     \
    /* written by the world */                                                                                         \
    X(now_ps) /* of the last clock edge */                                                                             \
    X(wakes)  /* times that the host was woken */                                                                      \
    X(post_tail)                                                                                                       \
    X(interrupt_head)                                                                                                  \
    X(answer_head)                                                                                                     \
    X(fault_head)                                                                                                      \
    X(frame_head) /* bytes */                                                                                          \
    X(access_head)                                                                                                     \
    /* what happened */                                                                                                \
    X(skipped_edges)                                                                                                   \
    X(reads)                                                                                                           \
    X(read_beats)                                                                                                      \
    X(writes)                                                                                                          \
    X(write_beats)                                                                                                     \
    X(faulty_beats)     /* read or written outside of every mapping */                                                 \
    X(injected_beats)   /* failed because hm_inject said so */                                                         \
    X(register_errors)  /* register accesses answered with an error */                                                 \
    X(frames)                                                                                                          \
    X(frame_bytes)                                                                                                     \
    X(lost) /* records, for want of room in their ring; any is a failed run; of them: */                               \
    X(lost_interrupts)                                                                                                 \
    X(lost_answers)                                                                                                    \
    X(lost_faults)                                                                                                     \
    X(lost_frames)                                                                                                     \
    X(lost_accesses)                                                                                                   \
    X(first_lost_frame_ps)

typedef struct {
#define HM_WORD(name) uint64_t name;
    HM_CONTROL_WORDS(HM_WORD)
#undef HM_WORD
} hm_control;

// Entries of the rings; each ring has a power of two of them and free-running head and tail counts.
enum { HM_POSTS = 4096, HM_INTERRUPTS = 4096, HM_ANSWERS = 256, HM_FAULTS = 1024, HM_ACCESSES = 16384 };
typedef struct { uint64_t due_ps, op; } hm_post;            // op: read 63, address 47:32, data 31:0
typedef struct { uint64_t time_ps, vector; } hm_interrupt_record;
typedef struct { uint64_t time_ps, value; } hm_answer;      // value: response 33:32, data 31:0
typedef struct { uint64_t time_ps, addr, kind; } hm_fault;  // kind: hm_kind
typedef struct { uint64_t time_ps, addr, kind; } hm_access;  // kind: hm_access_kind
typedef struct { uint64_t start_ps, end_ps; uint32_t length, user; } hm_frame;  // then the bytes, padded to 8

typedef enum { HM_READ, HM_WRITE, HM_REGISTER_WRITE, HM_REGISTER_READ } hm_kind;
// What the log of accesses holds: read requests when they come, by their id, and writes when they are answered.
typedef enum { HM_PAYLOAD_READ, HM_DESCRIPTOR_READ, HM_COMPLETION_WRITE } hm_access_kind;

enum {
    HM_LINE = 64,          // bytes: what one byte of the map of lines stands for
    HM_PAGE = 4096,        // bytes: no burst crosses a multiple of it
    HM_MAX_BEAT = 64,      // bytes of the widest bus
    HM_MAX_BEATS = 256,    // of a burst
    HM_MAX_READS = 1024,   // bursts in flight
    HM_MAX_WRITES = 256,
    HM_MAX_RULES = 64,     // of hm_inject
    HM_MAX_FRAME = 32768,  // bytes of a captured frame; the checkers stop at far less
    HM_WRAP = 0xFFFFFFFF,  // a length that says: the next frame is at the ring's start
};

// -- from the host

// Make memory of `arena_bytes` (a multiple of 64) and a capture ring of `frame_bytes` (a power of two, at least
// 64 KiB), all zero, nothing mapped, no setting made. Returns 0, or -1 without memory. A second call starts anew.
int hm_open(uint64_t arena_bytes, uint64_t frame_bytes);
// Address of arena, lines, control, posts, interrupts, answers, faults, frames or accesses, 0 if there is no such region.
void *hm_region(const char *name, uint64_t *bytes);
// Index of a word in the control block, -1 if there is none of that name.
int hm_word(const char *name);
// Fail those beats of a burst that touch [low, high), for bursts of one kind that touch it at all: leave out the
// first `skip` of them, then fail `count` (0: every one). Returns 0, or -1 when HM_MAX_RULES are there.
int hm_inject(int kind, uint64_t low, uint64_t high, uint64_t skip, uint64_t count);
void hm_inject_nothing(void);
// Have the host called, with the clock low, at each edge at which it would be woken; 0: `host_wake` tells it again. It
// returns whether it wants `host_wake` to toggle at the next edge after all.
void hm_call_host(int (*host)(void));

// -- from Verilog; 64-bit and smaller values first, wide ones (little end first) last

// Bits of what hm_memory returns.
enum { HM_READ_DUE = 1, HM_RESPONSE_DUE = 2, HM_BUSY = 4, HM_READ_ROOM = 8, HM_WRITE_ROOM = 16, HM_DATA_ROOM = 32 };
// Bits of what hm_poll takes and returns; with a post come its address (15:0) and, from hm_post_data, its data.
enum { HM_CAN_WRITE = 1, HM_CAN_READ = 2, HM_EVENT = 4 };
enum { HM_POST_WRITE = 1 << 16, HM_POST_READ = 1 << 17, HM_WAKE = 1 << 18, HM_FLOW = 20 /* the lowest of 9 */ };
// Bits of what hm_wire_beat returns; HM_UNKNOWN: a byte of it is X, which only a simulator that knows X reports.
enum { HM_WIRE_WAKE = 1, HM_UNKNOWN = 2 };

// A run begins: the bus has `beat_bytes` a beat. Returns the clock's period in ps, 0 if the host has set none. What an
// earlier run's clock still brings between hm_open and this is ignored.
unsigned hm_start(unsigned beat_bytes);
unsigned hm_reset_edges(void);
// With the clock low after the edge at `now_ps`, when all that belongs to it is done: let the host look, if it is to.
// Returns how many periods later the next edge is: if all is idle, the first at which anything happens.
unsigned hm_low(uint64_t now_ps, unsigned idle, unsigned deadline_valid, uint64_t deadline);
// Once each edge: what the register port is to do, and whether to wake the host.
unsigned hm_poll(uint64_t now_ps, unsigned flags);
unsigned hm_post_data(void);
void hm_register_done(uint64_t now_ps, unsigned is_read, unsigned data, unsigned response);
void hm_interrupts(uint64_t now_ps, unsigned vectors);
void hm_read_request(uint64_t now_ps, unsigned id, uint64_t addr, unsigned beats);
void hm_write_request(uint64_t now_ps, unsigned id, uint64_t addr, unsigned beats);
// Returns HM_UNKNOWN or 0.
unsigned hm_write_beat(uint64_t now_ps, uint64_t strobes, const uint32_t *data);
// At an edge at which memory has work, after the requests and beats of that edge.
unsigned hm_memory(uint64_t now_ps);
// The read beat that is due: response 1:0, last 2, id 3.
unsigned hm_read_beat(uint32_t *data);
// The write response that is due: response 1:0, id 3.
unsigned hm_write_response(void);
unsigned hm_wire_beat(uint64_t now_ps, unsigned last, unsigned user, uint64_t keep, const uint32_t *data);

#ifdef __cplusplus
}
#endif

#endif
