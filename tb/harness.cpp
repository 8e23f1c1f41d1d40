// The simulated world without Python: the same model, memory, checkers and traffic, driven from C. It measures what
// cocotb and Python cost, and is built by ringwire.cosim.harness with the model's own flags.
//
// Arguments: name=value for words of the control block (hostmem.h), then count=, frame_bytes=, ring_log2=,
// report_every=, byte_time=. Prints one line: edges simulated, edges skipped, frames, CPU seconds.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
#include <string>

#include "Vtop.h"
#include "Vtop___024root.h"
#include "hostmem.h"
#include "traffic.h"
#include "verilated.h"

int main(int argc, char **argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    std::map<std::string, uint64_t> settings;
    for (int i = 1; i < argc; i++) {
        const std::string argument = argv[i];
        const size_t equals = argument.find('=');
        if (argument[0] != '+' && equals != std::string::npos) {
            settings[argument.substr(0, equals)] = std::strtoull(argument.c_str() + equals + 1, nullptr, 0);
        }
    }
    hm_open(settings["memory_bytes"], settings["capture_bytes"]);
    uint64_t bytes;
    uint64_t *const words = static_cast<uint64_t *>(hm_region("control", &bytes));
    for (const auto &[name, value] : settings) {
        if (const int word = hm_word(name.c_str()); word >= 0) words[word] = value;
    }
    hm_control *const control = reinterpret_cast<hm_control *>(words);
    if (hm_traffic_start(settings["count"], settings["frame_bytes"], settings["ring_log2"], settings["report_every"],
                         settings["byte_time"])) {
        std::fprintf(stderr, "host memory is too small for the traffic\n");
        return 1;
    }
    const auto top = std::make_unique<Vtop>(context.get(), "");
    top->eval();
    top->rootp->ringwire_tb__DOT__host_run = 1;
    const std::clock_t begin = std::clock();
    int done = 0;
    for (uint64_t wakes = 0; !done && !context->gotFinish();) {
        top->eval();
        if (control->wakes != wakes) {
            wakes = control->wakes;
            control->interrupt_tail = control->interrupt_head;
            control->frame_tail = control->frame_head;
            done = hm_traffic_step();
        }
        if (!top->eventsPending()) break;
        context->time(top->nextTimeSlot());
    }
    const double seconds = double(std::clock() - begin) / CLOCKS_PER_SEC;
    const uint64_t edges = control->now_ps / control->period_ps + 1;
    std::printf("%llu %llu %llu %.6f\n", (unsigned long long)(edges - control->skipped_edges),
                (unsigned long long)control->skipped_edges, (unsigned long long)control->frames, seconds);
    return done == 1 && !control->lost && !control->fault_head ? 0 : 1;
}
