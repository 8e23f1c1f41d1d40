// The main program of the world on Verilator: time, the clock, and cocotb behind the simulator's interface (VPI).
//
// At most edges of the clock nobody else has anything to do: no callback is due and the host is not woken. VPI's regions
// are gone through at the others. With +harness the traffic of harness.h runs instead, without Python.
#include <algorithm>
#include <cstring>
#include <memory>

#include "Vtop.h"
#include "harness.h"
#include "verilated.h"
#include "verilated_vpi.h"
#include "verilator_clock.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif VM_TRACE
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

extern "C" void vlog_startup_routines_bootstrap(void);  // cocotb's

namespace {

class World {
  public:
    World() : top_(new Vtop("")), clock_(top_.get()) {}

    void trace_to(const char *file) {
#if VM_TRACE
        Verilated::traceEverOn(true);
        trace_.reset(new Trace);
        top_->trace(trace_.get(), 99);
        trace_->open(file);
#else
        (void)file;
#endif
    }

    void run() {
        Verilated::fatalOnVpiError(false);  // cocotb asks for what need not be there
        vlog_startup_routines_bootstrap();
        called_ = VerilatedVpi::callCbs(cbStartOfSimulation);  // what it writes comes after initial values
        while (!Verilated::gotFinish()) {
            top_->eval_step();
            // a callback that was called may have asked for another
            bool attend = clock_.host_woken() || called_ || VerilatedVpi::cbNextDeadline() <= now_;
            called_ = false;
            if (attend) settle();
            top_->eval_end_step();
            if (attend) called(VerilatedVpi::callCbs(cbReadOnlySynch));
            trace();
            clock_.low(now_);
            uint64_t timed = VerilatedVpi::cbNextDeadline();
            uint64_t next = std::min(clock_.next(), timed);
            if (top_->eventsPending()) next = std::min(next, top_->nextTimeSlot());
            if (next == Clock::NEVER) break;
            pass_to(next);
            if (attend) called(VerilatedVpi::callCbs(cbNextSimTime));
            if (timed <= now_) called(VerilatedVpi::callCbs(cbAfterDelay));
            if (now_ == clock_.next()) clock_.set(true);
        }
        top_->final();
    }

    int run_harness(int argc, char **argv) {
        if (hm_harness_open(argc, argv)) return 1;
        top_->eval();
        clock_.run_harness();
        clock_.low(now_);
        int done = 0;
        while (!done && !Verilated::gotFinish()) {
            pass_to(clock_.next());
            clock_.set(true);
            top_->eval();
            done = hm_harness_step();
            clock_.low(now_);
        }
        return hm_harness_report(done);
    }

    // However the run ends.
    void end() {
        VerilatedVpi::callCbs(cbEndOfSimulation);
#if VM_TRACE
        if (trace_) trace_->close();
#endif
#if VM_COVERAGE
        VerilatedCov::write();
#endif
    }

  private:
    void pass_to(uint64_t ps) {
        now_ = ps;
        Verilated::threadContextp()->time(ps);
    }

    // Callbacks of changed signals go with all others: they may change signals as well.
    void called(bool any) {
        called_ |= any;
        VerilatedVpi::doInertialPuts();
        while (VerilatedVpi::callValueCbs()) called_ = true;
    }

    // Evaluate until nobody changes anything at this time any more.
    void settle() {
        for (;;) {
            VerilatedVpi::clearEvalNeeded();
            called(false);
            if (!VerilatedVpi::evalNeeded()) called(VerilatedVpi::callCbs(cbReadWriteSynch));
            if (!VerilatedVpi::evalNeeded()) return;
            top_->eval_step();
        }
    }

    // The clock is low again once the model is evaluated; in the waves it has a shape.
    void trace() {
#if VM_TRACE
        if (!trace_) return;
        bool edge = now_ == clock_.next();
        clock_.set(edge);
        trace_->dump(now_);
        clock_.set(false);
        if (edge) trace_->dump(now_ + clock_.high());
#endif
    }

    std::unique_ptr<Vtop> top_;
    Clock clock_;
#if VM_TRACE
    std::unique_ptr<Trace> trace_;
#endif
    uint64_t now_ = 0;
    bool called_ = false;
};

}  // namespace

int main(int argc, char **argv) {
    Verilated::commandArgs(argc, argv);
    World world;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "+harness")) return world.run_harness(argc, argv);
        if (!strcmp(argv[i], "--trace-file") && i + 1 < argc) world.trace_to(argv[++i]);
    }
    Verilated::addExitCb([](void *it) { static_cast<World *>(it)->end(); }, &world);
    world.run();
    world.end();
    return Verilated::threadContextp()->errorCount() ? 1 : 0;
}
