// Time for a clock that bus models drive: what each rising edge is to know of itself. The first edge after reset is 0.
`include "macros.svh"

module edge_time #(
    parameter DATA_W = 512  // width of the data path, which the host is told
) (
    input  wire        clk,
    input  wire        rst,
    output reg  [63:0] now_ps,  // time of the last rising edge, or of the one that comes when clk is low
    output reg  [63:0] tod      // the same in 48.16 fixed point ns, rounded down
);

`ifdef VERILATOR
    import "DPI-C" function int unsigned hm_start(input int unsigned beat_bytes);
`endif

    reg [31:0] period;
    reg [63:0] next_ps;

    always @(negedge clk) begin
        if (rst) period = `HM(start)(DATA_W / 8);
        next_ps = rst ? 64'd0 : now_ps + {32'd0, period};
        now_ps <= next_ps;
        tod <= `TIME_OF_DAY(next_ps);
    end

endmodule
