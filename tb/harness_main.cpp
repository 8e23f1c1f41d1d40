// Drives Verilator's model without Python: see harness.h. ringwire.cosim.harness builds it with the model's own flags.
#include "harness.h"

#include <memory>

#include "Vtop.h"
#include "Vtop___024root.h"
#include "verilated.h"

int main(int argc, char **argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    const auto top = std::make_unique<Vtop>(context.get(), "");
    if (hm_harness_open(argc, argv)) return 1;
    top->eval();
    top->rootp->ringwire_tb__DOT__host_run = 1;
    int done = 0;
    while (!done && !context->gotFinish()) {
        top->eval();
        done = hm_harness_step();
        if (!top->eventsPending()) break;
        context->time(top->nextTimeSlot());
    }
    return hm_harness_report(done);
}
