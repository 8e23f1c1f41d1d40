// The wire's end: hands every frame, with the time of its first and last beat, to hostmem.c's capture ring.
//
// It listens only; who drives tready is the top's choice.
`include "macros.svh"

module wire_sink #(
    parameter DATA_W = 512
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [63:0]         now_ps,       // of this edge
    input  wire [DATA_W-1:0]   s_axis_tdata,
    input  wire [DATA_W/8-1:0] s_axis_tkeep,
    input  wire                s_axis_tvalid,
    input  wire                s_axis_tready,
    input  wire                s_axis_tlast,
    input  wire [25:0]         s_axis_tuser,
    output reg                 frame_event   // for a clock: the host is to look at the capture
);

    localparam WIRE_WAKE = 0, UNKNOWN = 1;  // bits of what hm_wire_beat returns

`ifdef VERILATOR
    import "DPI-C" function int unsigned hm_wire_beat(
        input longint unsigned now_ps, input int unsigned last, input int unsigned user, input longint unsigned keep,
        input bit [DATA_W-1:0] data);
`endif

    reg [31:0] flags;
    reg [63:0] keep;

    always @(posedge clk) begin
        frame_event <= 0;
        if (!rst && s_axis_tvalid && s_axis_tready) begin
            keep = 0;
            keep[DATA_W/8-1:0] = s_axis_tkeep;
            flags = `HM(wire_beat)(now_ps, {31'd0, s_axis_tlast}, {6'd0, s_axis_tuser}, keep, s_axis_tdata);
            frame_event <= flags[WIRE_WAKE];
            `CHECK(!flags[UNKNOWN], "axis_data_known: bytes that tkeep selects are known")
        end
    end

endmodule
