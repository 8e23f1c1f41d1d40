// The core of the simulated host: see hostmem.h. Compiled as C for Icarus and as C++ by Verilator.
#include "hostmem.h"

#include <string.h>
#include <sys/mman.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NEXT(index, array) (((index) + 1) % COUNT(array))

enum { SLVERR = 2, POISON = 0xDB, PS_PER_NS = 1000, MAX_SKIP = 1 << 30 };
enum { STREAM_READ, STREAM_WRITE = 2, STREAM_STALL };  // of randomness: the ids of reads, then writes

typedef struct {
    uint64_t addr, arrive_ps, due_ps;
    uint32_t beats, sent;
    uint8_t id;
    uint8_t bad[HM_MAX_BEATS];  // response of each beat
    uint8_t data[HM_PAGE + HM_MAX_BEAT];
} read_burst;

typedef struct {
    uint64_t addr, due_ps;
    uint32_t beats, got;
    uint8_t id, response;
    uint8_t bad[HM_MAX_BEATS];
} write_burst;

typedef struct {
    uint64_t low, high, skip, count, seen;
    int kind;
} rule;

// A queue of burst numbers.
typedef struct {
    uint32_t head, tail;
    uint16_t entry[HM_MAX_READS + 1];
} fifo;

static struct {
    uint8_t *arena, *lines;
    uint64_t arena_bytes;
} memory;
static hm_control *control;
static hm_post *posts;
static hm_interrupt_record *interrupts;
static hm_answer *answers;
static hm_fault *faults;
static uint8_t *frames;
static hm_access *accesses;
static uint64_t frame_ring_bytes;

static struct {
    read_burst reads[HM_MAX_READS];
    uint16_t free_reads[HM_MAX_READS];
    uint32_t free_count;
    fifo arriving;    // on their way to memory, in order
    fifo waiting[2];  // by id: to be answered, in order
    uint64_t last_due_ps[2], issued[2];
    uint64_t stalls;       // drawn so far
    uint32_t stall_edges;  // that bring no beat though one is due
    int turn;  // the id that gives way when both have a beat
    write_burst writes[HM_MAX_WRITES];
    uint32_t write_head, data_head, response_head;  // free-running: requests, those with all data, those answered
    uint64_t last_response_ps;
    rule rules[HM_MAX_RULES];
    uint32_t rule_count;
    uint64_t memory_now_ps;
    uint16_t posted[HM_POSTS];  // addresses of register accesses without an answer
    uint32_t posted_head, posted_tail;
    uint32_t post_data;
    int wake;
    int (*host)(void);  // called when it is to look
    int host_due;
    int host_signal;  // host_wake is to toggle
    uint32_t flow;  // as the device has it
    hm_frame frame;  // being captured
    uint8_t *frame_place;
    int in_frame;
    uint32_t beat_bytes;
    int running;  // hm_start has been called
} state;

// -- regions

typedef struct {
    const char *name;
    void *base;
    uint64_t bytes;
} region;
static region regions[9];
static uint64_t mapped_bytes;

static uint64_t round_up(uint64_t bytes) { return (bytes + HM_PAGE - 1) & ~(uint64_t)(HM_PAGE - 1); }

int hm_open(uint64_t arena_bytes, uint64_t frame_bytes) {
    static uint8_t *base;
    const char *names[] = {"arena", "lines", "control", "posts", "interrupts", "answers", "faults", "frames",
                           "accesses"};
    const uint64_t sizes[] = {arena_bytes,
                              arena_bytes / HM_LINE,
                              sizeof(hm_control),
                              HM_POSTS * sizeof(hm_post),
                              HM_INTERRUPTS * sizeof(hm_interrupt_record),
                              HM_ANSWERS * sizeof(hm_answer),
                              HM_FAULTS * sizeof(hm_fault),
                              frame_bytes,
                              HM_ACCESSES * sizeof(hm_access)};
    uint64_t total = 0;
    for (size_t i = 0; i < COUNT(sizes); i++) total += round_up(sizes[i]);
    if (total > mapped_bytes) {  // an outgrown mapping stays: the host may still hold views of it
        void *fresh = mmap(0, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (fresh == MAP_FAILED) return -1;
        base = (uint8_t *)fresh;
        mapped_bytes = total;
    } else if (madvise(base, mapped_bytes, MADV_DONTNEED)) {
        return -1;
    }
    uint8_t *place = base;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        regions[i] = (region){names[i], place, sizes[i]};
        place += round_up(sizes[i]);
    }
    memory.arena = (uint8_t *)regions[0].base;
    memory.lines = (uint8_t *)regions[1].base;
    memory.arena_bytes = arena_bytes;
    control = (hm_control *)regions[2].base;
    posts = (hm_post *)regions[3].base;
    interrupts = (hm_interrupt_record *)regions[4].base;
    answers = (hm_answer *)regions[5].base;
    faults = (hm_fault *)regions[6].base;
    frames = (uint8_t *)regions[7].base;
    accesses = (hm_access *)regions[8].base;
    frame_ring_bytes = frame_bytes;
    memset(&state, 0, sizeof state);
    for (uint32_t i = 0; i < HM_MAX_READS; i++) state.free_reads[i] = (uint16_t)(HM_MAX_READS - 1 - i);
    state.free_count = HM_MAX_READS;
    control->host_next_ps = HM_NEVER;
    return 0;
}

void *hm_region(const char *name, uint64_t *bytes) {
    for (size_t i = 0; i < COUNT(regions); i++) {
        if (regions[i].name && !strcmp(regions[i].name, name)) {
            *bytes = regions[i].bytes;
            return regions[i].base;
        }
    }
    return 0;
}

int hm_word(const char *name) {
#define HM_NAME(word) #word,
    static const char *const words[] = {HM_CONTROL_WORDS(HM_NAME)};
#undef HM_NAME
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!strcmp(words[i], name)) return (int)i;
    }
    return -1;
}

// -- small parts

static void push(fifo *queue, uint16_t value) {
    queue->entry[queue->head] = value;
    queue->head = (uint32_t)NEXT(queue->head, queue->entry);
}

static uint16_t pop(fifo *queue) {
    uint16_t value = queue->entry[queue->tail];
    queue->tail = (uint32_t)NEXT(queue->tail, queue->entry);
    return value;
}

static int empty(const fifo *queue) { return queue->head == queue->tail; }

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

// 64 random bits for a stream's n-th draw: splitmix64 of what names it.
static uint64_t draw(uint64_t stream, uint64_t n) {
    uint64_t x = control->seed * 0xD1342543DE82EF95u + (stream << 56) + (n + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

// The delay of a stream's n-th transaction beyond the base latency.
static uint64_t jitter_ps(uint64_t stream, uint64_t n) {
    if (!control->jitter_ps) return 0;
    return (uint64_t)(((unsigned __int128)draw(stream, n) * (control->jitter_ps + 1)) >> 64);
}

// The edges that the next read beat is held back: one more with each draw that is below the chance.
static uint32_t stall_edges(void) {
    uint32_t edges = 0;
    if (!control->read_stall) return 0;
    while (draw(STREAM_STALL, state.stalls++) >> 32 < control->read_stall) edges++;
    return edges;
}

static void lose(uint64_t *records) {
    ++*records;
    control->lost++;
}

static void report_fault(uint64_t time_ps, uint64_t addr, hm_kind kind) {
    if (control->fault_head - control->fault_tail >= HM_FAULTS) {
        lose(&control->lost_faults);
        return;
    }
    faults[control->fault_head % HM_FAULTS] = (hm_fault){time_ps, addr, (uint64_t)kind};
    control->fault_head++;
}

// Add to the log of accesses, if this kind is wanted, and have the host look before it is full.
static void log_access(uint64_t time_ps, uint64_t addr, hm_access_kind kind) {
    if (!(control->log_accesses >> kind & 1)) return;
    uint64_t waiting = control->access_head - control->access_tail;
    if (waiting >= HM_ACCESSES / 2) state.wake = 1;
    if (waiting >= HM_ACCESSES) {
        lose(&control->lost_accesses);
        return;
    }
    accesses[control->access_head % HM_ACCESSES] = (hm_access){time_ps, addr, (uint64_t)kind};
    control->access_head++;
}

static uint64_t beat_addr(uint64_t addr, uint32_t beat) {
    return beat ? (addr & ~(uint64_t)(state.beat_bytes - 1)) + (uint64_t)beat * state.beat_bytes : addr;
}

static int is_mapped(uint64_t addr) {
    uint64_t offset = addr - control->dma_base;
    return offset < memory.arena_bytes && memory.lines[offset / HM_LINE];
}

int hm_inject(int kind, uint64_t low, uint64_t high, uint64_t skip, uint64_t count) {
    if (state.rule_count == HM_MAX_RULES) return -1;
    state.rules[state.rule_count++] = (rule){low, high, skip, count, 0, kind};
    return 0;
}

void hm_inject_nothing(void) { state.rule_count = 0; }

void hm_call_host(int (*host)(void)) { state.host = host; }

// Set the response of each beat of a burst that a rule wants to fail.
static void apply_rules(hm_kind kind, uint64_t addr, uint32_t beats, uint8_t *bad) {
    memset(bad, 0, beats);
    uint64_t end = beat_addr(addr, beats);
    for (rule *r = state.rules; r < state.rules + state.rule_count; r++) {
        if (r->kind != (int)kind || addr >= r->high || end <= r->low) continue;
        uint64_t n = r->seen++;
        if (n < r->skip || (r->count && n >= r->skip + r->count)) continue;
        for (uint32_t i = 0; i < beats; i++) {
            if (beat_addr(addr, i) < r->high && beat_addr(addr, i + 1) > r->low) bad[i] = SLVERR;
        }
    }
}

// -- reads: a request takes half the latency to memory, where its bytes are taken, and the rest to be answered

void hm_read_request(uint64_t now_ps, unsigned id, uint64_t addr, unsigned beats) {
    if (!state.running) return;
    uint16_t index = state.free_reads[--state.free_count];
    read_burst *r = &state.reads[index];
    uint64_t due = now_ps + control->latency_ps + jitter_ps(STREAM_READ + id, state.issued[id]++);
    r->addr = addr;
    r->beats = beats * state.beat_bytes > HM_PAGE ? HM_PAGE / state.beat_bytes : beats;  // else a checker's to report
    r->sent = 0;
    r->id = (uint8_t)id;
    r->arrive_ps = now_ps + control->latency_ps / 2;
    r->due_ps = state.last_due_ps[id] = later(due, state.last_due_ps[id]);
    push(&state.arriving, index);
    push(&state.waiting[id], index);
    control->reads++;
    log_access(now_ps, addr, id ? HM_DESCRIPTOR_READ : HM_PAYLOAD_READ);
}

static void take_bytes(read_burst *r) {
    const uint32_t width = state.beat_bytes;
    uint64_t faulty_line = HM_NEVER;
    apply_rules(HM_READ, r->addr, r->beats, r->bad);
    memset(r->data, POISON, r->addr % width);  // lanes before the first byte
    for (uint32_t i = 0; i < r->beats; i++) {
        uint64_t addr = beat_addr(r->addr, i);
        uint8_t *lanes = r->data + i * width + addr % width;
        uint32_t bytes = width - (uint32_t)(addr % width);
        if (is_mapped(addr) && !r->bad[i]) {
            memcpy(lanes, memory.arena + (addr - control->dma_base), bytes);
            continue;
        }
        memset(lanes, POISON, bytes);
        if (r->bad[i]) {
            control->injected_beats++;
            continue;
        }
        r->bad[i] = SLVERR;
        control->faulty_beats++;
        if (addr / HM_LINE != faulty_line) report_fault(r->arrive_ps, addr, HM_READ);
        faulty_line = addr / HM_LINE;
    }
}

static int read_due(int id, uint64_t now_ps) {
    const fifo *queue = &state.waiting[id];
    return !empty(queue) && state.reads[queue->entry[queue->tail]].due_ps <= now_ps;
}

unsigned hm_read_beat(uint32_t *data) {
    int id = read_due(!state.turn, state.memory_now_ps) ? !state.turn : state.turn;
    fifo *queue = &state.waiting[id];
    uint16_t index = queue->entry[queue->tail];
    read_burst *r = &state.reads[index];
    uint32_t beat = r->sent++;
    memcpy(data, r->data + beat * state.beat_bytes, state.beat_bytes);
    control->read_beats++;
    state.stall_edges = stall_edges();
    state.turn = id;
    int last = r->sent == r->beats;
    if (last) {
        pop(queue);
        state.free_reads[state.free_count++] = index;
    }
    return (unsigned)(r->bad[beat] | last << 2 | id << 3);
}

// -- writes: visible beat by beat as they are taken, answered the latency later

void hm_write_request(uint64_t now_ps, unsigned id, uint64_t addr, unsigned beats) {
    (void)now_ps;
    if (!state.running) return;
    write_burst *w = &state.writes[state.write_head++ % HM_MAX_WRITES];
    w->addr = addr;
    w->beats = beats;
    w->got = 0;
    w->id = (uint8_t)id;
    w->response = 0;
    apply_rules(HM_WRITE, addr, beats, w->bad);
    control->writes++;
}

unsigned hm_write_beat(uint64_t now_ps, uint64_t strobes, const uint32_t *data) {
    if (state.data_head == state.write_head) return 0;  // a checker's to report
    write_burst *w = &state.writes[state.data_head % HM_MAX_WRITES];
    uint32_t beat = w->got++;
    uint64_t word = beat_addr(w->addr, beat) & ~(uint64_t)(state.beat_bytes - 1);
    control->write_beats++;
    if (w->bad[beat]) {
        w->response = SLVERR;
        control->injected_beats++;
    } else if (strobes && !is_mapped(word)) {
        w->response = SLVERR;
        control->faulty_beats++;
        report_fault(now_ps, word, HM_WRITE);
    } else if (strobes) {
        uint8_t *to = memory.arena + (word - control->dma_base);
        const uint8_t *from = (const uint8_t *)data;
        for (uint32_t i = 0; i < state.beat_bytes; i++) {
            if (strobes >> i & 1) to[i] = from[i];
        }
    }
    if (w->got == w->beats) {
        uint64_t due = now_ps + control->latency_ps + jitter_ps(STREAM_WRITE, state.data_head);
        w->due_ps = state.last_response_ps = later(due, state.last_response_ps);
        log_access(w->due_ps, w->addr, HM_COMPLETION_WRITE);
        state.data_head++;
    }
    return 0;
}

static uint64_t response_due_ps(void) {
    if (state.response_head == state.data_head) return HM_NEVER;
    return state.writes[state.response_head % HM_MAX_WRITES].due_ps;
}

unsigned hm_write_response(void) {
    const write_burst *w = &state.writes[state.response_head++ % HM_MAX_WRITES];
    return (unsigned)(w->response | w->id << 3);
}

unsigned hm_memory(uint64_t now_ps) {
    state.memory_now_ps = now_ps;
    while (!empty(&state.arriving) && state.reads[state.arriving.entry[state.arriving.tail]].arrive_ps <= now_ps) {
        take_bytes(&state.reads[pop(&state.arriving)]);
    }
    uint32_t in_flight = HM_MAX_READS - state.free_count;
    uint32_t writes = state.write_head - state.response_head;
    unsigned flags = 0;
    if (read_due(0, now_ps) || read_due(1, now_ps)) {
        if (state.stall_edges) state.stall_edges--;
        else flags |= HM_READ_DUE;
    }
    if (response_due_ps() <= now_ps) flags |= HM_RESPONSE_DUE;
    if (in_flight || writes) flags |= HM_BUSY;
    if (in_flight < control->max_reads) flags |= HM_READ_ROOM;
    if (writes < HM_MAX_WRITES) flags |= HM_WRITE_ROOM;
    if (writes < HM_MAX_WRITES || state.data_head != state.write_head) flags |= HM_DATA_ROOM;
    return flags;
}

// -- the clock, the register port, interrupts

unsigned hm_start(unsigned beat_bytes) {
    state.beat_bytes = beat_bytes;
    state.running = 1;
    return control ? (unsigned)control->period_ps : 0;
}

unsigned hm_reset_edges(void) { return (unsigned)control->reset_edges; }

// The first moment whose time of day, in units of 2^-16 ns and rounded down, is not before the deadline.
static uint64_t deadline_ps(uint64_t deadline) {
    return (uint64_t)(((unsigned __int128)deadline * PS_PER_NS + 65535) >> 16);
}

unsigned hm_low(uint64_t now_ps, unsigned idle, unsigned deadline_valid, uint64_t deadline) {
    if (state.host_due) {
        state.host_due = 0;
        if (state.host) state.host_signal = state.host();
    }
    if (!idle || !control->jumps || state.host_signal || state.flow != control->flow) return 1;
    uint64_t next = earlier(control->host_next_ps, response_due_ps());
    if (control->post_tail != control->post_head) next = earlier(next, posts[control->post_tail % HM_POSTS].due_ps);
    for (int id = 0; id < 2; id++) {
        const fifo *queue = &state.waiting[id];
        if (!empty(queue)) next = earlier(next, state.reads[queue->entry[queue->tail]].due_ps);
    }
    if (deadline_valid) next = earlier(next, deadline_ps(deadline));
    if (next == HM_NEVER || next <= now_ps) return 1;
    uint64_t periods = earlier((next - now_ps + control->period_ps - 1) / control->period_ps, MAX_SKIP);
    control->skipped_edges += periods - 1;
    return (unsigned)periods;
}

unsigned hm_poll(uint64_t now_ps, unsigned flags) {
    unsigned result = 0;
    if (!state.running) return 0;
    control->now_ps = now_ps;
    state.flow = (uint32_t)control->flow;
    result = state.flow << HM_FLOW;
    if (state.wake || (flags & HM_EVENT) || now_ps >= control->host_next_ps) {
        state.wake = 0;
        control->host_next_ps = HM_NEVER;
        control->wakes++;
        if (state.host) state.host_due = 1;
        else result |= HM_WAKE;
    }
    if (state.host_signal) {
        state.host_signal = 0;
        result |= HM_WAKE;
    }
    if (control->post_tail != control->post_head) {
        const hm_post *post = &posts[control->post_tail % HM_POSTS];
        int is_read = (int)(post->op >> 63);
        if (post->due_ps <= now_ps && (flags & (is_read ? HM_CAN_READ : HM_CAN_WRITE))) {
            uint16_t addr = (uint16_t)(post->op >> 32);
            state.post_data = (uint32_t)post->op;
            state.posted[state.posted_head++ % HM_POSTS] = addr;
            control->post_tail++;
            result |= addr | (is_read ? HM_POST_READ : HM_POST_WRITE);
        }
    }
    return result;
}

unsigned hm_post_data(void) { return state.post_data; }

void hm_register_done(uint64_t now_ps, unsigned is_read, unsigned data, unsigned response) {
    if (!state.running) return;
    uint16_t addr = state.posted[state.posted_tail++ % HM_POSTS];
    if (response) {
        control->register_errors++;
        report_fault(now_ps, addr, is_read ? HM_REGISTER_READ : HM_REGISTER_WRITE);
    }
    if (!is_read) return;
    if (control->answer_head - control->answer_tail >= HM_ANSWERS) {
        lose(&control->lost_answers);
    } else {
        answers[control->answer_head % HM_ANSWERS] = (hm_answer){now_ps, (uint64_t)response << 32 | data};
        control->answer_head++;
    }
    state.wake = 1;
}

void hm_interrupts(uint64_t now_ps, unsigned vectors) {
    if (!state.running) return;
    for (; vectors; vectors &= vectors - 1) {
        if (control->interrupt_head - control->interrupt_tail >= HM_INTERRUPTS) {
            lose(&control->lost_interrupts);
            continue;
        }
        uint64_t vector = (uint64_t)__builtin_ctz(vectors);
        interrupts[control->interrupt_head % HM_INTERRUPTS] = (hm_interrupt_record){now_ps, vector};
        control->interrupt_head++;
    }
    control->host_next_ps = earlier(control->host_next_ps, now_ps + control->interrupt_lag_ps);
}

// -- the wire

static uint64_t frame_room(void) { return frame_ring_bytes - (control->frame_head - control->frame_tail); }

// Find the largest frame's place in the ring, at its start if its end is too near; 0 when there is no room.
static uint8_t *frame_place(void) {
    const uint64_t most = sizeof(hm_frame) + HM_MAX_FRAME;
    uint64_t offset = control->frame_head & (frame_ring_bytes - 1), to_end = frame_ring_bytes - offset;
    if (to_end >= most) return frame_room() >= most ? frames + offset : 0;
    if (frame_room() < to_end + most) return 0;
    if (to_end >= sizeof(hm_frame)) ((hm_frame *)(frames + offset))->length = HM_WRAP;
    control->frame_head += to_end;
    return frames;
}

unsigned hm_wire_beat(uint64_t now_ps, unsigned last, unsigned user, uint64_t keep, const uint32_t *data) {
    hm_frame *frame = &state.frame;
    if (!state.running) return 0;
    if (!state.in_frame) {
        *frame = (hm_frame){now_ps, now_ps, 0, user};
        state.frame_place = frame_place();
        state.in_frame = 1;
        if (!state.frame_place) {
            if (!control->lost_frames) control->first_lost_frame_ps = now_ps;
            lose(&control->lost_frames);
        }
    }
    uint32_t bytes = keep == UINT64_MAX ? HM_MAX_BEAT : (uint32_t)__builtin_ctzll(~keep);
    if (frame->length + bytes > HM_MAX_FRAME) bytes = 0;  // a checker's to report
    if (state.frame_place) memcpy(state.frame_place + sizeof(hm_frame) + frame->length, data, bytes);
    frame->length += bytes;
    if (!last) return 0;
    state.in_frame = 0;
    frame->end_ps = now_ps;
    control->frames++;
    control->frame_bytes += frame->length;
    if (state.frame_place) {
        memcpy(state.frame_place, frame, sizeof *frame);
        control->frame_head += sizeof *frame + ((frame->length + 7u) & ~7u);
    }
    return control->wake_on_frame || frame_room() < frame_ring_bytes / 2 ? HM_WIRE_WAKE : 0;
}
