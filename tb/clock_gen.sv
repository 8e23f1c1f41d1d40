// The clock: rising edges at whole multiples of a period that is a setting of the run, in picoseconds.
//
// While `idle` holds, nothing can happen before the next event of memory, host or device's deadline; the clock then
// stops and goes on at the first edge of its undisturbed grid that is not before it. Nobody can tell from what
// happens at the edges that are left, since each knows its own time.
`include "macros.svh"

// What comes in here is read by tb/verilator_clock.cpp on Verilator.
// verilator lint_off UNUSEDPARAM
// verilator lint_off UNUSEDSIGNAL
module clock_gen #(
    parameter DATA_W = 512  // width of the data path, which the host is told
) (
    input  wire [7:0]  run,             // number of the run: another one starts anew, with a reset
    input  wire        idle,            // after an edge: only time will change anything
    input  wire        deadline_valid,  // the device has a deadline:
    input  wire [63:0] deadline,        // 48.16 fixed point ns
    output reg         clk,
    output reg         rst,
    output reg  [63:0] now_ps,          // time of the last rising edge, or of the one that comes when clk is low
    output reg  [63:0] tod              // the same in 48.16 fixed point ns, rounded down
);
// verilator lint_on UNUSEDPARAM
// verilator lint_on UNUSEDSIGNAL

`ifdef VERILATOR
    // In tb/verilator_clock.cpp, which sets time and reset, and then clk: it falls once that has been seen.
    // verilator lint_off BLKSEQ
    initial begin
        clk = 0;
        rst = 1;
        now_ps = 0;
        tod = 0;
    end
    always @(posedge clk) clk = 0;
    // verilator lint_on BLKSEQ
`else
    reg [7:0]  current = 0;
    reg [31:0] period;
    reg [31:0] high;
    reg [31:0] edges;
    reg [63:0] wait_ps;

    initial begin
        clk = 0;
        rst = 1;
        now_ps = 0;
        tod = 0;
        forever begin
            wait (run != current);
            current = run;
            period = $hm_start(DATA_W / 8);
            `CHECK(period >= 2, "clock_period: the host has set one")
            high = period / 2;
            edges = $hm_reset_edges();
            now_ps = 0;
            tod = 0;
            rst = 1;
            repeat (edges) begin
                #(period - high) clk = 1;
                #high clk = 0;
            end
            rst = 0;
            wait_ps = {32'd0, period - high};
            while (run == current) begin
                #wait_ps clk = 1;
                #high clk = 0;
                wait_ps = period * $hm_low(now_ps, {31'd0, idle}, {31'd0, deadline_valid}, deadline);
                now_ps = now_ps + wait_ps;
                wait_ps = wait_ps - {32'd0, high};
                tod = `TIME_OF_DAY(now_ps);
            end
        end
    end
`endif

endmodule
