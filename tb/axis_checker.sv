// What a MAC asks of the stream of frames, at every edge: beats of a frame in consecutive clocks, whole lengths, no
// frame marked bad.
`include "macros.svh"

module axis_checker #(
    parameter DATA_W = 512,
    parameter MIN_FRAME = 60,
    parameter MAX_FRAME = 16640 + 4  // bytes without FCS, with the tag that the device may insert
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [63:0]         now_ps,
    input  wire [DATA_W-1:0]   tdata,
    input  wire [DATA_W/8-1:0] tkeep,
    input  wire                tvalid,
    input  wire                tready,
    input  wire                tlast,
    input  wire [25:0]         tuser
);

    localparam BYTES = DATA_W / 8;
    localparam ERROR = 8;  // bit of tuser

    function automatic [6:0] kept(input [BYTES-1:0] keep);  // bytes of a contiguous tkeep
        integer i;
        begin
            kept = 0;
            for (i = 0; i < BYTES; i = i + 1) if (keep[i]) kept = i[6:0] + 7'd1;
        end
    endfunction

    reg                    in_frame;
    reg [31:0]             length;  // of the frame's earlier beats
    reg [31:0]             total;
    reg [25:0]             user;
    reg                    waits;
    reg [DATA_W+BYTES+26:0] held;

    always @(posedge clk) begin
        if (rst) begin
            in_frame <= 0;
            length <= 0;
            waits <= 0;
        end else begin
            `CHECK((^tvalid) !== 1'bx, "axis_known: tvalid is known")
            if (waits) `CHECK(tvalid && {tdata, tkeep, tlast, tuser} === held, "axis_stable: a beat that waits does not change")
            if (in_frame) `CHECK(tvalid, "axis_no_gap: tvalid does not fall inside a frame")
            waits <= tvalid && !tready;
            if (tvalid && !tready) held <= {tdata, tkeep, tlast, tuser};
            if (tvalid && tready) begin
                `CHECK((^{tkeep, tlast, tuser}) !== 1'bx, "axis_beat_known: tkeep, tlast and tuser are known")
                `CHECK(!tuser[ERROR], "axis_error: no frame leaves that is marked bad")
                `CHECK(!in_frame || tuser == user, "axis_user: tuser is the same in all beats of a frame")
                total = length + BYTES;
                if (tlast) begin
                    `CHECK(tkeep != 0 && (tkeep & (tkeep + 1'b1)) == 0, "axis_keep: tkeep is contiguous from byte 0")
                    total = length + {25'd0, kept(tkeep)};
                    `CHECK(total >= MIN_FRAME, "axis_runt: a frame has at least 60 bytes")
                end else begin
                    `CHECK(&tkeep, "axis_partial: only a frame's last beat is partial")
                end
                `CHECK(total <= MAX_FRAME, "axis_long: a frame has at most MAX_FRAME bytes and a tag")
                in_frame <= !tlast;
                length <= tlast ? 0 : total;
                user <= tuser;
            end
        end
    end

endmodule
