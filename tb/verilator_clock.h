// The clock on Verilator. It is no process of the model's, so that an edge costs one evaluation and no scheduler.
//
// verilator_clock.cpp has it. verilator_bus_clock.cpp stands in its place where bus models bring a clock of their own.
// All other objects are the same for every width and world, and are compiled once.
#ifndef RINGWIRE_VERILATOR_CLOCK_H
#define RINGWIRE_VERILATOR_CLOCK_H

#include <cstdint>

class Vtop;

class Clock {
  public:
    static constexpr uint64_t NEVER = ~0ull;

    explicit Clock(Vtop *top);

    // Time of the next rising edge, or of this one until low() has been called.
    uint64_t next() const { return next_; }
    // For how long clk is high, in the waves.
    uint64_t high() const { return period_ / 2; }
    void set(bool level);
    // All has happened of what belongs to `now`: if that was an edge, or a run begins, find the next.
    void low(uint64_t now);
    // Whether host_wake has toggled since the last call; where anybody may listen to anything: always.
    bool host_woken();
    // Begin the harness's only run.
    void run_harness();

  private:
    void set_time(uint64_t ps);

    Vtop *top_;
    uint64_t next_ = NEVER, period_ = 0, reset_edges_ = 0;
    uint8_t run_ = 0, host_wake_ = 0;
};

#endif
