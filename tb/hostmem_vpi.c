// The VPI shim of hostmem.c: each hm_ function that Verilog calls, as a system task or function of the same name.
//
// A function's signature is a string, one letter an argument: i up to 32 bits, q up to 64, d wide data in, D wide data
// out, k an enable bit for each byte of the wide data that follows (what it leaves out may be X).
#include <stdlib.h>
#include <string.h>
#include <vpi_user.h>

#include "hostmem.h"

enum { MAX_ARGS = 6, MAX_WORDS = HM_MAX_BEAT / 4 };

typedef struct {
    uint64_t n[MAX_ARGS];
    uint32_t wide[MAX_WORDS];
} values;

typedef struct {
    const char *name, *signature;
    int is_function;
    unsigned (*call)(values *v);
} entry;

static unsigned call_start(values *v) { return hm_start((unsigned)v->n[0]); }
static unsigned call_reset_edges(values *v) { return (void)v, hm_reset_edges(); }
static unsigned call_low(values *v) { return hm_low(v->n[0], (unsigned)v->n[1], (unsigned)v->n[2], v->n[3]); }
static unsigned call_poll(values *v) { return hm_poll(v->n[0], (unsigned)v->n[1]); }
static unsigned call_post_data(values *v) { return (void)v, hm_post_data(); }
static unsigned call_register_done(values *v) {
    return hm_register_done(v->n[0], (unsigned)v->n[1], (unsigned)v->n[2], (unsigned)v->n[3]), 0;
}
static unsigned call_interrupts(values *v) { return hm_interrupts(v->n[0], (unsigned)v->n[1]), 0; }
static unsigned call_read_request(values *v) {
    return hm_read_request(v->n[0], (unsigned)v->n[1], v->n[2], (unsigned)v->n[3]), 0;
}
static unsigned call_write_request(values *v) {
    return hm_write_request(v->n[0], (unsigned)v->n[1], v->n[2], (unsigned)v->n[3]), 0;
}
static unsigned call_write_beat(values *v) { return hm_write_beat(v->n[0], v->n[1], v->wide); }
static unsigned call_memory(values *v) { return hm_memory(v->n[0]); }
static unsigned call_read_beat(values *v) { return hm_read_beat(v->wide); }
static unsigned call_write_response(values *v) { return (void)v, hm_write_response(); }
static unsigned call_wire_beat(values *v) {
    return hm_wire_beat(v->n[0], (unsigned)v->n[1], (unsigned)v->n[2], v->n[3], v->wide);
}

static entry entries[] = {
    {"$hm_start", "i", 1, call_start},
    {"$hm_reset_edges", "", 1, call_reset_edges},
    {"$hm_low", "qiiq", 1, call_low},
    {"$hm_poll", "qi", 1, call_poll},
    {"$hm_post_data", "", 1, call_post_data},
    {"$hm_register_done", "qiii", 0, call_register_done},
    {"$hm_interrupts", "qi", 0, call_interrupts},
    {"$hm_read_request", "qiqi", 0, call_read_request},
    {"$hm_write_request", "qiqi", 0, call_write_request},
    {"$hm_write_beat", "qkd", 1, call_write_beat},
    {"$hm_memory", "q", 1, call_memory},
    {"$hm_read_beat", "D", 1, call_read_beat},
    {"$hm_write_response", "", 1, call_write_response},
    {"$hm_wire_beat", "qiikd", 1, call_wire_beat},
};

// What a call site needs, found once: its entry and the handles of its arguments.
typedef struct {
    const entry *what;
    vpiHandle args[MAX_ARGS];
    int words;  // of the wide argument
} site;

static PLI_INT32 compile_site(PLI_BYTE8 *user) {
    site *s = (site *)calloc(1, sizeof *s);
    vpiHandle call = vpi_handle(vpiSysTfCall, 0), arguments = vpi_iterate(vpiArgument, call), argument;
    int n = 0;
    s->what = (const entry *)user;
    while (arguments && (argument = vpi_scan(arguments))) {
        if (n < MAX_ARGS) s->args[n] = argument;
        n++;
    }
    if (n != (int)strlen(s->what->signature)) {
        vpi_printf("%s takes %d arguments, not %d\n", s->what->name, (int)strlen(s->what->signature), n);
        vpi_control(vpiFinish, 1);
        return 0;
    }
    for (int i = 0; i < n; i++) {
        if (s->what->signature[i] == 'd' || s->what->signature[i] == 'D') {
            s->words = (vpi_get(vpiSize, s->args[i]) + 31) / 32;
        }
    }
    vpi_put_userdata(call, s);
    return 0;
}

static uint64_t known_bits(const s_vpi_vecval *word) { return (uint32_t)(word->aval & ~word->bval); }

// Copy a wide value; returns HM_UNKNOWN if an enabled byte of it has a bit that is X or Z.
static unsigned take_wide(values *v, const s_vpi_vecval *words, int count, uint64_t enables) {
    unsigned unknown = 0;
    for (int i = 0; i < count; i++) {
        v->wide[i] = (uint32_t)words[i].aval;
        for (int byte = 0; words[i].bval && byte < 4; byte++) {
            if ((enables >> (4 * i + byte) & 1) && ((uint32_t)words[i].bval >> 8 * byte & 0xFF)) unknown = HM_UNKNOWN;
        }
    }
    return unknown;
}

static PLI_INT32 call_site(PLI_BYTE8 *user) {
    (void)user;
    vpiHandle call = vpi_handle(vpiSysTfCall, 0);
    site *s = (site *)vpi_get_userdata(call);
    values v;
    s_vpi_value value;
    uint64_t enables = UINT64_MAX;
    unsigned result = 0;
    int out = -1;
    for (int i = 0; s->what->signature[i]; i++) {
        char kind = s->what->signature[i];
        if (kind == 'D') {
            out = i;
            continue;
        }
        value.format = vpiVectorVal;
        vpi_get_value(s->args[i], &value);
        if (kind == 'd') {
            result |= take_wide(&v, value.value.vector, s->words, enables);
            continue;
        }
        v.n[i] = known_bits(value.value.vector);
        if (vpi_get(vpiSize, s->args[i]) > 32) v.n[i] |= known_bits(value.value.vector + 1) << 32;
        if (kind == 'k') enables = v.n[i];
    }
    result |= s->what->call(&v);
    if (out >= 0) {
        s_vpi_vecval words[MAX_WORDS];
        for (int i = 0; i < s->words; i++) words[i] = (s_vpi_vecval){(PLI_INT32)v.wide[i], 0};
        value.format = vpiVectorVal;
        value.value.vector = words;
        vpi_put_value(s->args[out], &value, 0, vpiNoDelay);
    }
    if (s->what->is_function) {
        value.format = vpiIntVal;
        value.value.integer = (PLI_INT32)result;
        vpi_put_value(call, &value, 0, vpiNoDelay);
    }
    return 0;
}

static void register_entries(void) {
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        s_vpi_systf_data task;
        memset(&task, 0, sizeof task);
        task.type = entries[i].is_function ? vpiSysFunc : vpiSysTask;
        task.sysfunctype = entries[i].is_function ? vpiIntFunc : 0;
        task.tfname = (PLI_BYTE8 *)entries[i].name;
        task.calltf = call_site;
        task.compiletf = compile_site;
        task.user_data = (PLI_BYTE8 *)&entries[i];
        vpi_register_systf(&task);
    }
}

void register_harness(void);  // of harness_vpi.c

void (*vlog_startup_routines[])(void) = {register_entries, register_harness, 0};
