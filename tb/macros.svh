// What the files under tb/ share.
`ifndef TB_MACROS_SVH
`define TB_MACROS_SVH

// States what must hold: a false or unknown condition ends the run as failed, in both simulators. (Icarus lets a run
// whose plain `assert` fails pass.)
`define CHECK(condition, text) \
    if ((condition) !== 1'b1) $fatal(1, "CHECK failed: %s, at %0d ps in %m", text, now_ps);

// A hostmem.c function: DPI on Verilator, a VPI system function elsewhere. Each module imports those it calls.
`ifdef VERILATOR
`define HM(name) hm_``name
`else
`define HM(name) $hm_``name
`endif

// Picoseconds as the device's time of day: 48.16 fixed point ns, rounded down.
`define TIME_OF_DAY(ps) (((ps) / 1000 << 16) + (((ps) % 1000 << 16) / 1000))

`endif
