// Drives Icarus without Python: see harness.h. Part of hostmem_vpi.c's library, and asleep unless the simulator is
// started with +harness.
#include "harness.h"

#include <string.h>
#include <vpi_user.h>

static char TOP_RUN[] = "ringwire_tb.host_run", TOP_WAKE[] = "ringwire_tb.host_wake";

static PLI_INT32 woken(p_cb_data data) {
    (void)data;
    int done = hm_harness_step();
    // vvp's own exit code says nothing of the run, but a line that is missing does
    if (done) vpi_control(vpiFinish, hm_harness_report(done));
    return 0;
}

static PLI_INT32 begin(p_cb_data data) {
    (void)data;
    s_vpi_vlog_info info;
    s_vpi_value value = {.format = vpiIntVal};
    s_vpi_time when = {.type = vpiSuppressTime};
    vpi_get_vlog_info(&info);
    if (hm_harness_open(info.argc, info.argv)) {
        vpi_control(vpiFinish, 1);
        return 0;
    }
    value.value.integer = 1;
    vpi_put_value(vpi_handle_by_name(TOP_RUN, 0), &value, 0, vpiNoDelay);
    s_cb_data on_wake = {.reason = cbValueChange, .cb_rtn = woken, .obj = vpi_handle_by_name(TOP_WAKE, 0),
                         .time = &when, .value = &value};
    vpi_register_cb(&on_wake);
    return 0;
}

void register_harness(void);

void register_harness(void) {
    s_vpi_vlog_info info;
    vpi_get_vlog_info(&info);
    for (int i = 0; i < info.argc; i++) {
        if (!strcmp(info.argv[i], "+harness")) {
            s_cb_data on_start = {.reason = cbStartOfSimulation, .cb_rtn = begin};
            vpi_register_cb(&on_start);
        }
    }
}
