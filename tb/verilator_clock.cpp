// The clock: see verilator_clock.h for what this is, and clock_gen.sv for what it does, which Icarus runs.
#include "verilator_clock.h"

#include "Vtop.h"
#include "Vtop___024root.h"
#include "hostmem.h"

#define TB(name) top_->rootp->ringwire_tb__DOT__##name
#define CLOCK(name) TB(clock__DOT__##name)

Clock::Clock(Vtop *top) : top_(top) {}

void Clock::set(bool level) { CLOCK(clk) = level; }

void Clock::low(uint64_t now) {
    if (now != next_ && next_ != NEVER) return;
    if (TB(host_run) != run_) {
        run_ = TB(host_run);
        period_ = hm_start(Vtop___024root::ringwire_tb__DOT__clock__DOT__DATA_W / 8);
        if (period_ < 2) VL_FATAL_MT(__FILE__, __LINE__, "", "CHECK failed: clock_period: the host has set one");
        reset_edges_ = hm_reset_edges();
        next_ = now + period_;
        CLOCK(rst) = 1;
        set_time(0);
    } else if (now == next_ && reset_edges_) {
        CLOCK(rst) = --reset_edges_ != 0;
        next_ += period_;
    } else if (now == next_) {
        uint64_t periods = hm_low(CLOCK(now_ps), CLOCK(idle), CLOCK(deadline_valid), CLOCK(deadline));
        set_time(CLOCK(now_ps) + periods * period_);
        next_ += periods * period_;
    }
}

bool Clock::host_woken() {
    bool woken = TB(host_wake) != host_wake_;
    host_wake_ = TB(host_wake);
    return woken;
}

void Clock::run_harness() { TB(host_run) = 1; }

void Clock::set_time(uint64_t ps) {
    CLOCK(now_ps) = ps;
    CLOCK(tod) = (ps / 1000 << 16) + (ps % 1000 << 16) / 1000;
}
